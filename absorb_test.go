package scskit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scskit/scskit"
)

// merging is a scene in which a request has merged one session into another.
type merging struct {
	*scene
	ctx         context.Context
	other, mine string
}

// fail has the nth save or delete of the session fail.
func (m *merging) fail(token string, nth int) {
	n := 0
	m.d.before = func(_, id string) error {
		if id == scskit.HashToken(token) {
			if n++; n == nth {
				return errLost
			}
		}
		return nil
	}
}

// then calls f before the nth save or delete of the session.
func (m *merging) then(token string, nth int, f func()) {
	n := 0
	m.d.before = func(_, id string) error {
		if id == scskit.HashToken(token) {
			if n++; n == nth {
				m.d.before = nil
				f()
			}
		}
		return nil
	}
}

func (m *merging) fails() {
	m.t.Helper()
	if _, _, err := m.one.Commit(m.ctx); !errors.Is(err, errLost) {
		m.t.Errorf("got error %v", err)
	}
	m.d.before = nil
}

func (m *merging) signOut(except ...string) {
	m.t.Helper()
	_, err := m.store.DestroySessionsOf(m.tracked(), "ada", except...)
	m.check(err)
}

var errLost = errors.New("the answer is lost")

// TestMergeMeets: what others do to both sessions while one is merged into the other, and what
// fails then.
func TestMergeMeets(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(m *merging){
		"both are changed": func(m *merging) {
			m.save(m.mine, "x", 1)
			m.save(m.other, "coupon", 1)
			m.one.put(m.ctx)
			m.holds(m.mine, "map[coupon:1 n:1 user:ada x:1]")
		},
		"one is changed, and the other destroyed": func(m *merging) {
			m.save(m.mine, "x", 1)
			m.signOut()
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1 x:1]")
			m.one.put(m.ctx, "y", 1)
			m.holds(m.mine, "map[n:1 x:1 y:1]")
		},
		"changed, and then destroyed": func(m *merging) {
			m.save(m.other, "secret", 1)
			m.then(m.other, 2, func() { m.destroy(m.other) })
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"the target is destroyed": func(m *merging) {
			m.save(m.other, "coupon", 1)
			m.then(m.mine, 2, func() { m.destroy(m.mine) })
			m.one.put(m.ctx)
			m.state(m.ctx, m.mine, scskit.CommitGone)
			m.holds(m.other, "map[coupon:1 user:ada]")
		},
		"nothing changes, and the target is destroyed": func(m *merging) {
			m.one.Remove(m.ctx, "user")
			m.destroy(m.mine)
			m.one.put(m.ctx)
			m.state(m.ctx, m.mine, scskit.CommitGone)
			m.holds(m.other, "map[user:ada]")
		},
		"the first commit fails, and the handler takes it back": func(m *merging) {
			m.fail(m.other, 1)
			m.fails()
			m.one.Remove(m.ctx, "user")
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"destroyed, and the values cannot be taken out at once": func(m *merging) {
			m.destroy(m.other)
			m.fail(m.mine, 2)
			m.fails()
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"a shorter deadline": func(m *merging) {
			m.one.SetDeadline(m.ctx, time.Now().Add(time.Hour))
			m.one.put(m.ctx)
			other := m.save("", "cart", 7)
			m.check(m.one.MergeSession(m.ctx, other))
			late := m.one.load(m.tracked(), other)
			m.one.SetDeadline(late, time.Now().Add(2*time.Minute))
			m.one.put(late)
			m.one.put(m.ctx)
			rec, err := m.d.Load(m.t.Context(), scskit.HashToken(m.mine))
			m.check(err)
			if c, _ := scskit.LastCommit(m.ctx, m.mine); time.Until(rec.Expiry) > 3*time.Minute ||
				!c.Expiry.Equal(rec.Expiry) {
				m.t.Errorf("the record expires in %v, the cookie in %v", time.Until(rec.Expiry),
					time.Until(c.Expiry))
			}
		},
		"others are signed out, but for a third": func(m *merging) {
			third := m.save("", "user", "ada")
			_, err := m.store.DestroySessionsOf(m.ctx, "ada", third)
			m.check(err)
			m.holds(third, "map[user:ada]")
			m.holds(m.other, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			m := &merging{scene: s, other: s.save("", "user", "ada"), mine: s.save("", "n", 1)}
			m.ctx = s.one.load(s.tracked(), m.mine)
			s.check(s.one.MergeSession(m.ctx, m.other))
			f(m)
		})
	}
}

// TestMergeItself: a session that is merged with itself goes on.
func TestMergeItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine := s.save("", "user", "ada")
	ctx := s.one.load(s.tracked(), mine)
	for session, err := range s.store.SessionsOf(ctx, "ada") {
		s.check(err)
		s.check(s.one.MergeSession(ctx, session.Key))
	}
	s.one.put(ctx, "n", 1)
	s.holds(mine, "map[n:1 user:ada]")

	ctx = s.one.load(s.tracked(), mine)
	s.check(s.one.RenewToken(ctx))
	s.check(s.one.MergeSession(ctx, mine))
	renewed := s.one.put(ctx, "n", 2)
	s.holds(renewed, "map[n:2 user:ada]")
	s.one.put(ctx, "n", 1)
	s.holds(renewed, "map[n:1 user:ada]")
}

// TestMergeTwo: of two sessions that were merged and hold the same key, one that is destroyed does
// not take the other's with it.
func TestMergeTwo(t *testing.T) {
	t.Parallel()
	for _, theme := range []string{"dark", "light"} {
		s := newScene(t)
		kept, lost, mine := s.save("", "theme", "dark"), s.save("", "theme", theme), s.save("", "n", 1)
		ctx := s.one.load(s.tracked(), mine)
		s.check(errors.Join(s.one.MergeSession(ctx, kept), s.one.MergeSession(ctx, lost)))
		s.destroy(lost)
		s.one.put(ctx)
		s.holds(mine, "map[n:1 theme:dark]")
		s.holds(kept, "")
	}
}

// TestMergeTriedAgain: a loop in one tracker that loads anew after a failure merges.
func TestMergeTriedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	cart, mine := s.save("", "cart", 7), s.save("", "n", 1)
	c := s.tracked()
	for try := range 2 {
		s.d.before = func(string, string) error {
			if try == 0 {
				return errLost
			}
			return nil
		}
		ctx := s.one.load(c, mine)
		s.check(s.one.MergeSession(ctx, cart))
		if _, _, err := s.one.Commit(ctx); (err != nil) != (try == 0) {
			t.Errorf("try %d: error %v", try, err)
		}
	}
	s.holds(mine, "map[cart:7 n:1]")
	s.holds(cart, "")
}

// TestMergeIntoUntracked: what a commit has not created it does not remove when it fails.
func TestMergeIntoUntracked(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	cart, mine := s.save("", "cart", 7), s.save("", "n", 1)
	ctx := scskit.WithTracker(s.one.load(t.Context(), mine))
	s.check(s.one.MergeSession(ctx, cart))
	m := &merging{scene: s, ctx: ctx}
	m.fail(cart, 1)
	m.fails()
	if _, found, err := s.store.Find(mine); !found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
	s.holds(cart, "map[cart:7]")
}

// TestRenewedAndDestroyedBetween: a new session that is destroyed with all of the user's before its
// renewal is complete is gone.
func TestRenewedAndDestroyedBetween(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine := s.save("", "user", "ada")
	m := &merging{scene: s, ctx: s.one.load(s.tracked(), mine)}
	s.check(s.one.RenewToken(m.ctx))
	renewed := s.one.Token(m.ctx)
	s.save(mine, "x", 1)
	m.then(renewed, 2, func() { m.signOut() })
	if got := s.one.put(m.ctx); got != renewed {
		t.Error("the token has changed")
	}
	s.state(m.ctx, renewed, scskit.CommitGone)
	s.holds(renewed, "")
	s.holds(mine, "")
}
