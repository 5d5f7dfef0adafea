package conformance

import (
	"bytes"
	"fmt"
	"sync/atomic"
)

// storeConcurrencyChecks cover what scs needs of any store when requests run concurrently.
var storeConcurrencyChecks = []check{
	{"concurrency/first-writers", LevelStore, concurrencyFirstWriters,
		"concurrent first commits of one token all succeed, without a duplicate-key error"},
	{"concurrency/torn-reads", LevelStore, concurrencyTornReads,
		"a reader sees the whole of what one writer has written"},
	{"concurrency/many-sessions", LevelStore, concurrencyManySessions,
		"many concurrent requests use the store, each with its own session"},
	{"concurrency/deletes", LevelStore, concurrencyDeletes,
		"concurrent deletes of one session all succeed"},
}

func concurrencyFirstWriters(t *checkT) {
	s := t.newStore()
	crowd := t.crowd(50, 1)
	token := newToken()
	t.each(crowd, func(i int) {
		t.commit(s, token, fmt.Appendf(nil, "writer %d", i), in(lifetime))
	})
	data, found := t.find(s, token)
	var i int
	if n, err := fmt.Sscanf(string(data), "writer %d", &i); !found || n != 1 || err != nil {
		t.Errorf("find after %d first commits: found %v, data %s", crowd, found, brief(data))
	}
}

func concurrencyTornReads(t *checkT) {
	const size, writers, readers, rounds = 32 << 10, 3, 3, 15
	const most = 20_000 // reads: a writer that hangs must not go unnoticed
	s := t.newStore()
	token := newToken()
	payload := func(w int) []byte { return bytes.Repeat([]byte{byte('a' + w)}, size-w*1000) }
	t.commit(s, token, payload(0), in(lifetime))
	var writing atomic.Int32
	writing.Store(writers)
	t.each(writers+readers, func(i int) {
		if i < writers {
			defer writing.Add(-1)
			for range rounds {
				t.commit(s, token, payload(i), in(lifetime))
			}
			return
		}
		for reads := 0; writing.Load() > 0 && reads < most; reads++ {
			data, found := t.find(s, token)
			if !found || len(data) == 0 || !bytes.Equal(data, payload(int(data[0]-'a'))) {
				t.Fatalf("find: found %v, data that no writer has written: %s", found, brief(data))
			}
		}
	})
}

func concurrencyManySessions(t *checkT) {
	s := t.newStore()
	t.each(t.crowd(50, 8), func(i int) {
		token := newToken()
		for round := range 3 {
			data := fmt.Appendf(nil, "session %d, round %d", i, round)
			t.commit(s, token, data, in(lifetime))
			t.wantData(s, token, data)
		}
		t.remove(s, token)
		t.wantNone(s, token)
	})
}

func concurrencyDeletes(t *checkT) {
	s := t.newStore()
	for range 10 {
		token := newToken()
		t.commit(s, token, []byte("data"), in(lifetime))
		t.each(5, func(int) { t.remove(s, token) })
		t.wantNone(s, token)
	}
}
