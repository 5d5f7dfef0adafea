package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// concurrencyChecks hold any store to what scs needs when requests meet, and a
// *scskit.Store to the promise that a destroyed session stays destroyed.
var concurrencyChecks = []check{
	{"concurrency/first-writers", "the first commits of one token meet: all succeed, with no " +
		"duplicate-key error", LevelStore, concurrencyFirstWriters},
	{"concurrency/torn-reads", "a reader sees what one writer wrote, " +
		"whole", LevelStore, concurrencyTornReads},
	{"concurrency/many-sessions", "stores are used by many requests at a time, each with a " +
		"session of its own", LevelStore, concurrencyManySessions},
	{"concurrency/deletes", "requests that delete one session at the same time are all told " +
		"that it is deleted", LevelStore, concurrencyDeletes},
	{"concurrency/logout-beats-reader", "no resurrection: a request that only read, under an " +
		"idle time-out, does not bring a destroyed session back (in stock scs it " +
		"does)", LevelPortable, concurrencyLogoutBeatsReader},
	{"concurrency/logout-beats-writer", "no resurrection: a request that wrote does not bring a " +
		"destroyed session back", LevelPortable, concurrencyLogoutBeatsWriter},
	{"concurrency/renew-beats-old", "OWASP: after RenewToken the old token is dead, also for a " +
		"request that was in flight with it", LevelPortable, concurrencyRenewBeatsOld},
	{"concurrency/storm-ends", "a commit that always loses the race gives up with " +
		"driver.ErrConflict", LevelPortable, concurrencyStormEnds},
}

func concurrencyFirstWriters(t *T) {
	s := t.newStore()
	crowd := t.crowd(50, 1)
	token := newToken()
	t.each(crowd, func(i int) {
		t.commit(s, token, fmt.Appendf(nil, "writer %d", i), in(lifetime))
	})
	data, found := t.find(s, token)
	var i int
	if n, err := fmt.Sscanf(string(data), "writer %d", &i); !found || n != 1 || err != nil {
		t.Errorf("find after %d first commits: found %v, %s", crowd, found, brief(data))
	}
}

func concurrencyTornReads(t *T) {
	const size, writers, readers, rounds = 32 << 10, 3, 3, 15
	const most = 20_000 // reads, so that a writer that hangs is noticed
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
				t.Fatalf("find: found %v, %d bytes that no writer wrote: %s", found, len(data), brief(data))
			}
		}
	})
}

func concurrencyManySessions(t *T) {
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

func concurrencyDeletes(t *T) {
	s := t.newStore()
	for range 10 {
		token := newToken()
		t.commit(s, token, []byte("data"), in(lifetime))
		t.each(5, func(int) { t.remove(s, token) })
		t.wantNone(s, token)
	}
}

// idleManager returns a manager under which every request commits, over a store under
// which each of these commits may write.
func (t *T) idleManager() (portable, *scs.SessionManager) {
	t.Helper()
	s, _ := t.newKit(&scskit.Options{TouchInterval: -1})
	sm := manager(s)
	sm.IdleTimeout = 20 * time.Minute
	return s, sm
}

// late lets time go by for a request: the expiry that its commit asks for is one that
// nothing stored before will do for.
func (r *request) late() {
	sm := *r.sm
	sm.IdleTimeout *= 2
	r.sm = &sm
}

// signOut destroys the session in a request of its own.
func (t *T) signOut(sm *scs.SessionManager, token string) {
	t.Helper()
	r := t.request(sm, token)
	if err := sm.Destroy(r.ctx); err != nil {
		t.Fatalf("destroy: %v", err)
	}
}

// wantGone ends a request and fails the check unless its session turned out to be gone.
func (t *T) wantGone(s portable, r *request, token string) {
	t.Helper()
	if _, state := r.end(); state != scskit.CommitGone {
		t.Errorf("the commit to a session that is gone: state %d, want Gone", state)
	}
	t.wantNone(s, token)
}

func concurrencyLogoutBeatsReader(t *T) {
	s, sm := t.idleManager()
	token := t.begin(sm, "k", 1)
	quick, slow := t.request(sm, token), t.request(sm, token)
	t.signOut(sm, token)
	quick.end()
	t.wantNone(s, token)
	slow.late()
	t.wantGone(s, slow, token)
}

func concurrencyLogoutBeatsWriter(t *T) {
	s, _ := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	slow, slower := t.request(sm, token), t.request(sm, token)
	sm.Put(slow.ctx, "k", 2)
	t.signOut(sm, token)
	t.wantGone(s, slow, token)
	sm.Put(slow.ctx, "k", 3) // the same request tries once more
	t.wantGone(s, slow, token)
	sm.Put(slower.ctx, "other", 1)
	t.wantGone(s, slower, token)
}

func concurrencyRenewBeatsOld(t *T) {
	s, sm := t.idleManager()
	token := t.begin(sm, "k", 1)
	reader, writer, renewer := t.request(sm, token), t.request(sm, token), t.request(sm, token)
	sm.Put(writer.ctx, "w", true)
	if err := sm.RenewToken(renewer.ctx); err != nil {
		t.Fatalf("renew: %v", err)
	}
	renewed, _ := renewer.end()
	t.wantGone(s, writer, token)
	reader.late()
	t.wantGone(s, reader, token)
	if renewed == token {
		t.Error("renew: the token is still the same")
	}
	t.wantValues(t.values(s, renewed), "map[k:1]")
}

func concurrencyStormEnds(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	const most = 10_000 // or a commit that goes on for ever would
	d.on(func(_ context.Context, op, _ string) error {
		switch {
		case op != "save":
			return nil
		case d.count("save") > most:
			return errDown
		}
		return driver.ErrConflict
	})
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("commit: got error %v, want driver.ErrConflict", err)
	}
	if n := d.count("save"); n < 10 {
		t.Errorf("commit gave up after %d attempts", n)
	}
}
