package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableAllChecks cover SessionManager.Iterate over a *scskit.Store, and the keys of its All.
var portableAllChecks = []check{
	{"all/iterate-destroy", LevelPortable, allIterateDestroy,
		"SessionManager.Iterate with Destroy signs every user out (scs with " +
			"HashTokenInStore deletes nothing)"},
	{"all/iterate-commit", LevelPortable, allIterateCommit,
		"SessionManager.Iterate with Put and Commit changes the sessions that it lists"},
	{"all/iterate-overwrites-nothing", LevelPortable, allIterateOverwritesNothing,
		"no lost updates: Iterate with Commit merges what others have saved meanwhile if the context " +
			"has a tracker, and fails otherwise"},
	{"all/damaged", LevelPortable, allDamaged,
		"All skips a record that does not decode and reports it: the iteration goes on"},
	{"all/key-never-creates", LevelPortable, allKeyNeverCreates,
		"a commit under a key of All does not create the session again if it was destroyed meanwhile"},
}

func allIterateDestroy(t *checkT) {
	s, _ := t.newPortable(nil)
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
		t.Errorf("all: %d sessions after all were destroyed, want none", len(all))
	}
}

func allIterateCommit(t *checkT) {
	s, _ := t.newPortable(nil)
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
		t.Errorf("all: %d sessions, want 1", len(all))
	}
}

func allIterateOverwritesNothing(t *checkT) {
	for _, tracked := range []bool{true, false} {
		s, _ := t.newPortable(nil)
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
			t.Errorf("tracker %v: error %v", tracked, err)
		}
		t.wantValues(t.values(s, token), want)

		// Saving a session without a change of one's own overwrites nothing.
		err = sm.Iterate(t.Context(), func(ctx context.Context) error {
			r := t.request(sm, token)
			sm.Put(r.ctx, "k", 3)
			r.end()
			_, _, err := sm.Commit(ctx)
			return err
		})
		if err != nil {
			t.Errorf("iterate and commit without a change: %v", err)
		}
		t.wantValues(t.values(s, token), "map[k:3 role:revoked]")
	}
}

func allDamaged(t *checkT) {
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
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

func allKeyNeverCreates(t *checkT) {
	s, d := t.newPortable(nil)
	t.all(s)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	keys := slices.Collect(maps.Keys(t.all(s)))
	if len(keys) != 1 {
		t.Fatalf("all: %d sessions, want 1", len(keys))
	}
	t.remove(s, token)
	data := t.encode(map[string]any{"k": 2})
	if err := s.CommitCtx(t.Context(), keys[0], data, in(lifetime)); err == nil {
		t.Error("commit under the key of a destroyed session: got no error")
	}
	t.wantNone(s, token)
	t.wantNone(s, keys[0])
	if _, err := d.Driver.Load(t.Context(), idOf(token)); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the driver's record of the destroyed session: error %v, want ErrNotFound", err)
	}
}
