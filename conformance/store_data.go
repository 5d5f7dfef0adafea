package conformance

// storeDataChecks cover session data, which a store must return unchanged.
var storeDataChecks = []check{
	{"data/every-byte", LevelStore, dataEveryByte,
		"session data is bytes, not text: it may hold NUL and invalid UTF-8"},
	{"data/64k", LevelStore, data64K,
		"columns and messages of 64 KiB must not cut data short (a MySQL BLOB holds one byte less)"},
	{"data/1m", LevelStore, data1M,
		"a session of 1 MiB is stored whole, or refused with an error"},
}

func dataEveryByte(t *checkT) {
	s := t.newStore()
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	for _, data := range [][]byte{all, {0}, []byte("a\x00b"), {0xff, 0xfe, 0xc0, 0x80},
		[]byte(" \t\r\n "), []byte(`'"\%_{}`)} {
		token := newToken()
		t.commit(s, token, data, in(lifetime))
		t.wantData(s, token, data)
	}
}

func data64K(t *checkT) {
	s := t.newStore()
	token := newToken()
	for _, size := range []int{1<<16 - 1, 1 << 16, 1<<16 + 1} {
		data := noise(size)
		t.commit(s, token, data, in(lifetime))
		t.wantData(s, token, data)
	}
}

func data1M(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("small"), in(lifetime))
	data := noise(1 << 20)
	if err := commitCtx(t.Context(), s, token, data, in(lifetime)); err != nil {
		t.wantData(s, token, []byte("small"))
		return
	}
	t.wantData(s, token, data)
}
