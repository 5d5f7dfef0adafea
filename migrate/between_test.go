package migrate_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

// pair returns a process that uses the pair of a scene, from the old backend to the new one.
func (s *scene) pair(rollback bool) (*migrate.Pair, *side) {
	s.Helper()
	p := between(s.T, s.to.Store, s.from.Store, rollback)
	return p, &side{Store: p.Store(), t: s.T}
}

func (s *scene) move(p *migrate.Pair) migrate.Report {
	s.Helper()
	r, err := p.Move(s.Context(), nil)
	must(s.T, err)
	return r
}

func (s *scene) done(p *migrate.Pair, want bool) {
	s.Helper()
	done, err := p.Done(s.Context())
	must(s.T, err)
	if done != want {
		s.Errorf("Done returned %v", done)
	}
}

// gone checks that no store finds the session.
func (s *scene) gone(token string, stores ...*side) {
	s.Helper()
	for i, side := range stores {
		if _, found, err := side.Find(token); found || err != nil {
			s.Errorf("store %d: the session is found: %v, error %v", i, found, err)
		}
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{UserKey: "user"}, scskit.Options{UserKey: "user"})
	tokens := s.sessions(10)
	before := s.from.records()[scskit.HashToken(tokens[3])]
	s.advance(time.Hour)
	p, app := s.pair(false)
	s.done(p, false)
	if user, n := app.value(tokens[3], "user"), app.value(tokens[3], "n"); user != "u3" || n != 3 {
		t.Errorf("got %v and %v", user, n)
	}
	after := s.to.records()[scskit.HashToken(tokens[3])]
	if after.Version <= 0 || string(after.Data) != string(before.Data) || after.User != before.User ||
		!after.Expiry.Equal(before.Expiry) || !after.Created.Equal(before.Created) ||
		!after.Updated.Equal(before.Updated) || !after.Seen.Equal(before.Seen) {
		t.Errorf("got %+v, want %+v", after, before)
	}
	s.gone(tokens[3], s.from)
	// From now on the session costs one load.
	loads := s.from.d.count("load") + s.to.d.count("load")
	app.value(tokens[3], "n")
	if n := s.from.d.count("load") + s.to.d.count("load") - loads; n != 1 {
		t.Errorf("%d loads", n)
	}
	// The user's sessions are found wherever they are, once.
	for _, user := range []string{"u3", "u4"} {
		n := 0
		for _, err := range app.SessionsOf(t.Context(), user) {
			must(t, err)
			n++
		}
		if n != 1 {
			t.Errorf("%d sessions of %s", n, user)
		}
		if n, err := app.DestroySessionsOf(t.Context(), user); n != 1 || err != nil {
			t.Errorf("%d sessions of %s destroyed, error %v", n, user, err)
		}
	}
	s.gone(tokens[3], app, s.from, s.to)
	s.gone(tokens[4], app, s.from, s.to)
	want(t, s.move(p), "10 listed, 8 copied, 2 unchanged")
	s.done(p, true)
	for i, token := range tokens {
		if got := s.to.value(token, "n"); (got == nil) != (i == 3 || i == 4) {
			t.Errorf("session %d has %v", i, got)
		}
	}
	want(t, s.move(p), "10 listed, 10 unchanged")
}

// A session that is destroyed in the backend that has it is gone.
func TestBetweenDestroyedOutside(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(2)
	p, app := s.pair(false)
	app.value(tokens[0], "n")
	s.to.destroy(tokens[0])
	s.from.destroy(tokens[1])
	s.gone(tokens[0], app, s.from, s.to)
	s.gone(tokens[1], app, s.from, s.to)
	s.move(p)
	s.gone(tokens[0], app, s.from, s.to)
	s.done(p, true)
}

func randomKey() [][]byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return [][]byte{key}
}

// Renewed sessions keep their tombstones, and the stores their keys and codecs.
func TestBetweenSealed(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		s := newScene(t, scskit.Options{Keys: randomKey()}, scskit.Options{Keys: randomKey()})
		tokens := s.sessions(3)
		renewed := s.from.renew(tokens[0])
		p, app := s.pair(rollback)
		if got := app.value(renewed, "n"); got != 0 {
			t.Errorf("got %v", got)
		}
		s.gone(tokens[0], app)
		if rec := s.to.records()[scskit.HashToken(tokens[0])]; rec.Version <= 0 {
			t.Error("the tombstone has not moved")
		}
		app.save(tokens[1], "more", 1)
		s.move(p)
		s.done(p, true)
		for i, token := range []string{renewed, tokens[1], tokens[2]} {
			if got := s.to.value(token, "n"); got != i {
				t.Errorf("session %d has %v", i, got)
			}
			if rollback {
				if got := s.from.value(token, "n"); got != i {
					t.Errorf("the mirror of session %d has %v", i, got)
				}
			}
		}
		if rollback && s.from.value(tokens[1], "more") != 1 {
			t.Error("the mirror is old")
		}
	}
}

// What cannot be moved stays, and is reported.
func TestBetweenStays(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{MaxSize: 2000,
		OnUnreadable: scskit.KeepCorrupt, Keys: randomKey()})
	tokens := s.sessions(3)
	large := s.from.save("", "text", strings.Repeat("x", 3000))
	damaged := s.from.records()[scskit.HashToken(tokens[1])]
	damaged.Data = []byte("\xc1damaged")
	must(t, s.from.d.Driver.Save(t.Context(), damaged, driver.Always()))
	p, app := s.pair(false)
	if _, _, err := app.Find(large); !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	r, err := p.Move(t.Context(), nil)
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || r.Copied != 2 || r.Unreadable != 1 || r.Failed != 1 {
		t.Errorf("%v, error %v", r, err)
	}
	s.done(p, false)
	s.from.destroy(large)
	s.done(p, true)
}

func TestBetweenUnusable(t *testing.T) {
	t.Parallel()
	plain := newMemory(t, scskit.Options{PlainIDs: true})
	hashed := newMemory(t, scskit.Options{})
	pair := between(t, hashed, newMemory(t, scskit.Options{}), false).Store()
	for name, stores := range map[string][2]*scskit.Store{
		"nil": {nil, hashed}, "one store": {hashed, hashed}, "ids": {plain, hashed},
		"ids, other order": {hashed, plain}, "a pair": {pair, newMemory(t, scskit.Options{})},
	} {
		if p, err := migrate.Between(stores[0], stores[1], nil); err == nil || p != nil {
			t.Errorf("%s: got %v, error %v", name, p, err)
		}
	}
	if _, err := migrate.Copy(t.Context(), hashed, pair, nil); err == nil {
		t.Error("a pair was copied to")
	}
	if _, err := migrate.Copy(t.Context(), pair, hashed, nil); err == nil {
		t.Error("a pair was copied")
	}
	p := between(t, hashed, newMemory(t, scskit.Options{}), false)
	for _, opts := range []*migrate.Options{
		{Prune: true}, {Checkpoint: &memory{}}, {Concurrency: -1},
	} {
		if _, err := p.Move(t.Context(), opts); err == nil {
			t.Errorf("no error for %+v", opts)
		}
	}
}

// While the old backend fails, what has moved is not affected, and nobody is signed out.
func TestBetweenOldFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(3)
	_, app := s.pair(false)
	app.value(tokens[0], "n")
	app.value(tokens[1], "n")
	s.from.d.hook = func(string, string) error { return errDown }
	app.save(tokens[0], "n", "changed")
	if app.value(tokens[0], "n") != "changed" {
		t.Error("the change is lost")
	}
	app.destroy(tokens[1])
	created := app.save("", "n", "created")
	if _, found, err := app.Find(tokens[2]); found || !errors.Is(err, errDown) {
		t.Errorf("found %v, error %v", found, err)
	}
	s.from.d.hook = nil
	s.gone(tokens[1], app)
	if app.value(tokens[2], "n") != 2 || app.value(created, "n") != "created" {
		t.Error("a session is lost")
	}
	s.to.d.hook = func(string, string) error { return errDown }
	for _, token := range tokens {
		if _, found, err := app.Find(token); found || !errors.Is(err, errDown) {
			t.Errorf("found %v, error %v", found, err)
		}
	}
}

// With Rollback the application can go back to the old backend at any time, without the new one.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{UserKey: "user"}, scskit.Options{UserKey: "user"})
	tokens := s.sessions(5)
	p, app := s.pair(true)
	app.value(tokens[0], "n")
	app.save(tokens[1], "n", "changed")
	app.destroy(tokens[2])
	renewed := app.renew(tokens[3])
	created := app.save("", "n", "created")
	if s.to.value(tokens[1], "n") != "changed" || s.to.value(created, "n") != "created" {
		t.Error("the new backend has not all changes")
	}
	for token, want := range map[string]any{
		tokens[0]: 0, tokens[1]: "changed", tokens[2]: nil, tokens[3]: nil, renewed: 3, tokens[4]: 4,
		created: "created",
	} {
		if got := s.from.value(token, "n"); got != want {
			t.Errorf("the old backend has %v, want %v", got, want)
		}
	}
	// If one backend fails, nothing is acknowledged, and a session does not end half.
	s.from.d.hook = func(string, string) error { return errDown }
	if err := app.Delete(created); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
	if app.value(created, "n") != "created" {
		t.Error("the session has ended although Destroy has failed")
	}
	s.from.d.hook = nil
	// The new backend is lost. After the way back another move can begin.
	for id := range s.to.records() {
		must(t, s.to.d.Delete(t.Context(), id, driver.Always()))
	}
	s.from.save(created, "n", "back")
	if n, err := migrate.Claim(t.Context(), s.from.Store); n < 3 || err != nil {
		t.Errorf("claimed %d, error %v", n, err)
	}
	s.move(p)
	for token, want := range map[string]any{
		tokens[0]: 0, tokens[1]: "changed", tokens[2]: nil, renewed: 3, tokens[4]: 4, created: "back",
	} {
		if got := s.to.value(token, "n"); got != want {
			t.Errorf("the new backend has %v, want %v", got, want)
		}
	}
}

// A pair without Rollback leaves mirrors behind that do no harm; Move repairs them.
func TestRollbackLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(4)
	mirroring, mirrored := s.pair(true)
	_, app := s.pair(false)
	for _, token := range tokens {
		mirrored.value(token, "n")
	}
	app.save(tokens[0], "n", "changed")
	app.destroy(tokens[1])
	created := app.save("", "n", "created")
	s.gone(tokens[1], app, mirrored, s.to)
	s.move(mirroring)
	for token, want := range map[string]any{
		tokens[0]: "changed", tokens[1]: nil, tokens[2]: 2, created: "created",
	} {
		if got := s.from.value(token, "n"); got != want {
			t.Errorf("the old backend has %v, want %v", got, want)
		}
	}
}
