package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// listChecks hold a store that can list its sessions to scs.IterableStore.
var listChecks = []check{
	{"all/empty", "scs.IterableStore: without sessions, All returns an empty map that is not " +
		"nil", LevelStore, allEmpty},
	{"all/own-data", "scs.IterableStore: All returns each session once, with its own " +
		"data", LevelStore, allOwnData},
	{"all/live-only", "scs.IterableStore: All leaves out sessions that have expired or were " +
		"deleted", LevelStore, allLiveOnly},
	{"all/keys-find", "scs.IterableStore: the keys of All are what Find " +
		"takes", LevelStore, allKeysFind},
	{"all/keys-delete", "scs.IterableStore: the keys of All are what Delete takes, which " +
		"SessionManager.Iterate with Destroy relies on", LevelStore, allKeysDelete},
	{"all/copies", "the caller may change what All has returned", LevelStore, allCopies},
	{"all/many", "All returns more sessions than fit a page of the backend's " +
		"answer", LevelStore, allMany},
	{"all/concurrent-deletes", "All survives sessions being deleted meanwhile, and returns " +
		"those that were not", LevelStore, allConcurrentDeletes},
	{"all/iterate-destroy", "SessionManager.Iterate with Destroy signs everybody out (in scs " +
		"with HashTokenInStore it deletes nothing)", LevelPortable, allIterateDestroy},
	{"all/iterate-commit", "SessionManager.Iterate with Put and Commit changes the sessions " +
		"themselves", LevelPortable, allIterateCommit},
	{"all/iterate-overwrites-nothing",
		"no lost updates: what others save after a session was listed is merged in a context with a " +
			"tracker, and otherwise refuses the change", LevelPortable, allIterateOverwritesNothing},
	{"all/damaged", "a record that does not decode is passed over and reported: it ends no " +
		"iteration", LevelPortable, allDamaged},
	{"all/key-never-creates", "a commit under a key of All, whose session was destroyed " +
		"meanwhile, brings nothing back", LevelPortable, allKeyNeverCreates},
}

// fill stores n sessions that live, and returns their tokens by their data.
func (t *T) fill(s scs.Store, n int) map[string]string {
	t.Helper()
	const writers = 8
	tokens := make(map[string]string, n)
	var mu sync.Mutex
	t.each(min(n, writers), func(w int) {
		for i := w; i < n; i += writers {
			token, data := newToken(), string(t.encode(map[string]any{"session": i}))
			t.commit(s, token, []byte(data), in(lifetime))
			mu.Lock()
			tokens[data] = token
			mu.Unlock()
		}
	})
	return tokens
}

// wantAll ends the check unless All returns the wanted data, each once.
func (t *T) wantAll(s scs.Store, want map[string]string) {
	t.Helper()
	all := t.all(s)
	seen := make(map[string]bool)
	for _, data := range all {
		if _, ok := want[string(data)]; !ok {
			t.Fatalf("all: a session with data %s, which no live session has", brief(data))
		}
		if seen[string(data)] {
			t.Fatalf("all: two sessions with data %s", brief(data))
		}
		seen[string(data)] = true
	}
	if len(seen) != len(want) {
		t.Fatalf("all: %d sessions, want %d", len(seen), len(want))
	}
}

func allEmpty(t *T) {
	if all := t.all(t.newStore()); all == nil || len(all) != 0 {
		t.Errorf("all: got %v, want an empty map", all)
	}
}

func allOwnData(t *T) {
	s := t.newStore()
	want := t.fill(s, 20)
	t.wantAll(s, want)
}

func allLiveOnly(t *T) {
	s := t.newStore()
	t.all(s) // if it can
	want := t.fill(s, 3)
	expired, deleted := newToken(), newToken()
	t.commit(s, expired, []byte("expired"), in(t.short()))
	t.commit(s, deleted, []byte("deleted"), in(lifetime))
	t.remove(s, deleted)
	t.until(in(t.short()+2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, expired) })
	t.wantAll(s, want)
}

func allKeysFind(t *T) {
	s := t.newStore()
	t.fill(s, 10)
	for key, data := range t.all(s) {
		t.wantData(s, key, data)
	}
}

func allKeysDelete(t *T) {
	s := t.newStore()
	want := t.fill(s, 10)
	for key, data := range t.all(s) {
		token := want[string(data)]
		t.remove(s, key)
		t.wantNone(s, token)
		delete(want, string(data))
		t.wantAll(s, want)
	}
}

func allCopies(t *T) {
	s := t.newStore()
	want := t.fill(s, 2)
	for _, data := range t.all(s) {
		copy(data, "XXXX")
	}
	t.wantAll(s, want)
	for data, token := range want {
		t.wantData(s, token, []byte(data))
	}
}

func allMany(t *T) {
	s := t.newStore()
	if _, ok := s.(scs.IterableStore); !ok {
		t.all(s) // before the work is done for nothing
	}
	t.wantAll(s, t.fill(s, 1050))
}

func allConcurrentDeletes(t *T) {
	s := t.newStore()
	t.all(s)
	stay := t.fill(s, 50)
	for range 10 {
		leave := make([]string, 5)
		for i := range leave {
			leave[i] = newToken()
			t.commit(s, leave[i], t.encode(map[string]any{"leaves": i}), in(lifetime))
		}
		t.each(2, func(i int) {
			if i == 0 {
				for _, token := range leave {
					t.remove(s, token)
				}
				return
			}
			seen := make(map[string]bool)
			for _, data := range t.all(s) {
				seen[string(data)] = true
			}
			for data := range stay {
				if !seen[data] {
					t.Fatalf("all: a session that nobody deleted is left out")
				}
			}
		})
	}
	t.wantAll(s, stay)
}

func allIterateDestroy(t *T) {
	s, _ := t.newKit(nil)
	t.all(s)
	sm := manager(s)
	tokens := []string{t.begin(sm, "k", 1), t.begin(sm, "k", 2), t.begin(sm, "k", 3)}
	if err := sm.Iterate(t.Context(), sm.Destroy); err != nil {
		t.Fatalf("iterate: %v", err)
	}
	for _, token := range tokens {
		t.wantNone(s, token)
	}
	if all := t.all(s); len(all) != 0 {
		t.Errorf("all: %d sessions after all were destroyed", len(all))
	}
}

func allIterateCommit(t *T) {
	s, _ := t.newKit(nil)
	t.all(s)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	err := sm.Iterate(t.Context(), func(ctx context.Context) error {
		sm.Put(ctx, "added", true)
		_, _, err := sm.Commit(ctx)
		return err
	})
	if err != nil {
		t.Fatalf("iterate: %v", err)
	}
	r := t.request(sm, token)
	if sm.GetInt(r.ctx, "k") != 1 || !sm.GetBool(r.ctx, "added") {
		t.Errorf("the session holds %v", sm.Keys(r.ctx))
	}
	if all := t.all(s); len(all) != 1 {
		t.Errorf("all: %d sessions, want the one", len(all))
	}
}

func allIterateOverwritesNothing(t *T) {
	for _, tracked := range []bool{true, false} {
		s, _ := t.newKit(nil)
		t.all(s)
		sm := manager(s)
		token := t.begin(sm, "role", "admin", "k", 1)
		ctx := t.Context()
		if tracked {
			ctx = scskit.WithTracker(ctx)
		}
		err := sm.Iterate(ctx, func(ctx context.Context) error {
			r := t.request(sm, token)
			sm.Put(r.ctx, "role", "revoked")
			r.end()
			sm.Put(ctx, "k", 2)
			_, _, err := sm.Commit(ctx)
			return err
		})
		want := "map[k:2 role:revoked]"
		if !tracked {
			want = "map[k:1 role:revoked]"
		}
		if tracked != (err == nil) || err != nil && !errors.Is(err, driver.ErrConflict) {
			t.Errorf("with a tracker: %v: error %v", tracked, err)
		}
		t.wantValues(t.values(s, token), want)

		// Saving a session as it was listed asks for nothing that others have not done.
		err = sm.Iterate(t.Context(), func(ctx context.Context) error {
			r := t.request(sm, token)
			sm.Put(r.ctx, "k", 3)
			r.end()
			_, _, err := sm.Commit(ctx)
			return err
		})
		if err != nil {
			t.Errorf("iterate, with a session saved as it was listed: %v", err)
		}
		t.wantValues(t.values(s, token), "map[k:3 role:revoked]")
	}
}

func allDamaged(t *T) {
	var log eventLog
	s, d := t.newKit(&scskit.Options{Observer: log.observe})
	t.all(s)
	sm := manager(s)
	for i := range 3 {
		t.begin(sm, "k", i)
	}
	t.plant(d, newToken(), []byte("not a session"))
	n := 0
	if err := sm.Iterate(t.Context(), func(context.Context) error { n++; return nil }); err != nil {
		t.Errorf("iterate: %v", err)
	}
	if n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
	if events := log.of(scskit.KindCorrupt); len(events) != 1 || events[0].Err == nil {
		t.Errorf("%d events of the kind corrupt, want 1, with an error", len(events))
	}
}

func allKeyNeverCreates(t *T) {
	s, d := t.newKit(nil)
	t.all(s)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	keys := slices.Collect(maps.Keys(t.all(s)))
	if len(keys) != 1 {
		t.Fatalf("all: %d sessions, want 1", len(keys))
	}
	t.remove(s, token)
	if err := s.CommitCtx(t.Context(), keys[0], t.encode(map[string]any{"k": 2}),
		in(lifetime)); err == nil {
		t.Error("commit under the key of a destroyed session: no error")
	}
	t.wantNone(s, token)
	t.wantNone(s, keys[0])
	if _, err := d.Driver.Load(t.Context(), idOf(token)); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the driver's record of the destroyed session: error %v, want ErrNotFound", err)
	}
}
