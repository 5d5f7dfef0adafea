package conformance

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/scskit/scskit"
)

// portableHostileChecks cover hostile tokens and keys, and records that do not decode.
var portableHostileChecks = []check{
	{"hostile/no-call", LevelPortable, hostileNoCall,
		"a token that cannot be valid causes no call of the backend"},
	{"hostile/stored-id", LevelPortable, hostileStoredID,
		"OWASP: nothing in the backend can be used as a token"},
	{"hostile/forged-key", LevelPortable, hostileForgedKey,
		"a key of All is worthless if it was changed, or made by another process"},
	{"hostile/corrupt-record", LevelPortable, hostileCorruptRecord,
		"a record that does not decode leads to a new session, not to an error at every request"},
	{"hostile/corrupt-once", LevelPortable, hostileCorruptOnce,
		"a record that does not decode is reported once, however many requests load it"},
	{"hostile/length-bomb", LevelPortable, hostileLengthBomb,
		"a record that claims lengths beyond its end costs neither " +
			"memory nor time, and causes no panic"},
}

func hostileNoCall(t *checkT) {
	s, d := t.newPortable(nil)
	for _, v := range []string{"", strings.Repeat("a", 1<<20)} {
		for _, ctx := range []context.Context{t.Context(), scskit.WithTracker(t.Context())} {
			if _, found, err := s.FindCtx(ctx, v); found || err != nil {
				t.Errorf("find: found %v, error %v", found, err)
			}
			if err := s.CommitCtx(ctx, v, t.encode(nil), in(lifetime)); err == nil {
				t.Errorf("commit under a token of %d bytes: got no error", len(v))
			} else if len(err.Error()) > 1000 {
				t.Errorf("commit: the text of the error has %d bytes, want at most 1000", len(err.Error()))
			}
			if err := s.DeleteCtx(ctx, v); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	}
	if n := d.count(); n != 0 {
		t.Errorf("%d calls of the driver, want none", n)
	}
}

func hostileStoredID(t *checkT) {
	s, d := t.newPortable(nil)
	token := t.begin(manager(s), "k", 1)
	rec := t.stored(d, token)
	if rec.ID == token || strings.Contains(rec.ID, token) {
		t.Error("the id of the record holds the token")
	}
	for _, id := range []string{rec.ID, "id." + rec.ID, "id." + rec.ID + ".",
		"id." + rec.ID + "." + rec.ID} {
		t.wantNone(s, id)
		t.remove(s, id)
	}
	t.wantData(s, token, rec.Data)
	if _, err := d.Driver.Load(t.Context(), token); err == nil {
		t.Error("the driver has a record under the token")
	}
}

func hostileForgedKey(t *checkT) {
	s, d := t.newPortable(nil)
	t.all(s)
	token := t.begin(manager(s), "k", 1)
	other := t.portableOver(d.Driver, nil)
	for key := range t.all(s) {
		t.wantData(s, key, t.stored(d, token).Data)
		t.wantNone(other, key)
		t.remove(other, key)
		last := byte('A')
		if key[len(key)-1] == last {
			last = 'B'
		}
		for _, forged := range []string{key[:len(key)-1] + string(last), key + "A",
			key[:strings.LastIndexByte(key, '.')], key[:strings.LastIndexByte(key, '.')+1]} {
			t.wantNone(s, forged)
			t.remove(s, forged)
		}
	}
	t.wantData(s, token, t.stored(d, token).Data)
}

// corruptions returns records that the codec cannot decode.
func (t *checkT) corruptions() [][]byte {
	t.Helper()
	good := t.encode(map[string]any{"user": "ada"})
	return [][]byte{
		{}, {0}, []byte("\xff\xff\xff\xff"), []byte("not a session"), []byte(`{"user":"ada"}`),
		good[:len(good)/2], good[:len(good)-1],
	}
}

func hostileCorruptRecord(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	for _, data := range t.corruptions() {
		token := newToken()
		t.plant(d, token, data)
		r := t.request(sm, token)
		if len(sm.Keys(r.ctx)) != 0 {
			t.Errorf("%s: the session has keys %v, want none", brief(data), sm.Keys(r.ctx))
		}
		sm.Put(r.ctx, "k", 1)
		if fresh, state := r.end(); state != scskit.CommitStored || fresh == token {
			t.Errorf("%s: new session: state %d, want Stored under a new token", brief(data),
				state)
		}
		if _, err := d.Driver.Load(t.Context(), idOf(token)); err == nil {
			t.Errorf("%s: the record was not deleted", brief(data))
		}
	}
}

func hostileCorruptOnce(t *checkT) {
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
	token := newToken()
	t.plant(d, token, []byte("not a session"))
	t.each(t.crowd(50, 2), func(int) {
		_, found, err := s.FindCtx(scskit.WithTracker(t.Context()), token)
		if found || err != nil {
			t.Errorf("find: found %v, error %v", found, err)
		}
	})
	if n := len(log.of(scskit.KindCorrupt)); n != 1 {
		t.Errorf("%d events of the kind corrupt, want 1", n)
	}
}

// hostileLengthBomb puts lengths of four billion at every position of a record. A decoder that
// trusts one exhausts the memory or hangs. The records are in memory, because the check is about
// decoding.
func hostileLengthBomb(t *checkT) {
	_, _ = t.newPortable(nil)
	d := t.tap(newReferenceDriver(new(backend)))
	s := t.portableOver(d, nil)
	sm := manager(s)
	good := t.encode(map[string]any{
		"user": "ada",
		"list": []any{1, "two", map[string]any{"three": 3.0}},
	})
	readable := newToken()
	t.plant(d, readable, good)
	for i := range good {
		for _, claim := range []string{"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
			"\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x01",
			"\xfc\xff\xff\xff\xff"} {
			for _, rest := range []string{"", string(good[i:]), strings.Repeat("\x91", 10000)} {
				token := newToken()
				t.promptly("a record of "+strconv.Itoa(i+len(claim)+len(rest))+" bytes", 2*time.Second,
					func() time.Duration {
						t.plant(d, token, []byte(string(good[:i])+claim+rest))
						t.request(sm, readable) // after too many damaged records, a store drops no more
						begin := time.Now()
						t.request(sm, token)
						return time.Since(begin)
					})
			}
		}
	}
}
