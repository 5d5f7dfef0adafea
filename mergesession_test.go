package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit"
)

// merging is a scene in which a request has called MergeSession and not committed yet.
type merging struct {
	*scene
	ctx         context.Context
	other, mine string
}

// failNth makes the nth save or delete of the session fail.
func (m *merging) failNth(token string, nth int) {
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

// beforeNth calls f before the nth save or delete of the session.
func (m *merging) beforeNth(token string, nth int, f func()) {
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

func (m *merging) commitFails() {
	m.t.Helper()
	if _, _, err := m.one.Commit(m.ctx); !errors.Is(err, errLost) {
		m.t.Errorf("got error %v", err)
	}
	m.d.before = nil
}

func (m *merging) signOut(except ...string) {
	m.t.Helper()
	_, err := m.store.DestroySessionsOf(m.tracked(), "ada", except...)
	m.must(err)
}

var errLost = errors.New("the reply is lost")

// TestMergeSessionAndChanges checks MergeSession while other requests change both sessions, and
// when saves fail.
func TestMergeSessionAndChanges(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(m *merging){
		"both are changed meanwhile": func(m *merging) {
			m.save(m.mine, "x", 1)
			m.save(m.other, "coupon", 1)
			m.one.put(m.ctx)
			m.holds(m.mine, "map[coupon:1 n:1 user:ada x:1]")
		},
		"the target is changed, and the source destroyed": func(m *merging) {
			m.save(m.mine, "x", 1)
			m.signOut()
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1 x:1]")
			m.one.put(m.ctx, "y", 1)
			m.holds(m.mine, "map[n:1 x:1 y:1]")
		},
		"the source is changed, and then destroyed": func(m *merging) {
			m.save(m.other, "secret", 1)
			m.beforeNth(m.other, 2, func() { m.destroy(m.other) })
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"the target is destroyed": func(m *merging) {
			m.save(m.other, "coupon", 1)
			m.beforeNth(m.mine, 2, func() { m.destroy(m.mine) })
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
		"the first commit fails, and the handler removes the value": func(m *merging) {
			m.failNth(m.other, 1)
			m.commitFails()
			m.one.Remove(m.ctx, "user")
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"the source is destroyed, and removing its values fails once": func(m *merging) {
			m.destroy(m.other)
			m.failNth(m.mine, 2)
			m.commitFails()
			m.one.put(m.ctx)
			m.holds(m.mine, "map[n:1]")
		},
		"the source gets an earlier deadline": func(m *merging) {
			m.one.SetDeadline(m.ctx, time.Now().Add(time.Hour))
			m.one.put(m.ctx)
			other := m.save("", "cart", 7)
			m.must(m.one.MergeSession(m.ctx, other))
			late := m.one.load(m.tracked(), other)
			m.one.SetDeadline(late, time.Now().Add(2*time.Minute))
			m.one.put(late)
			m.one.put(m.ctx)
			rec, err := m.d.Load(m.t.Context(), scskit.HashToken(m.mine))
			m.must(err)
			if c, _ := scskit.LastCommit(m.ctx, m.mine); time.Until(rec.Expiry) > 3*time.Minute ||
				!c.Expiry.Equal(rec.Expiry) {
				m.t.Errorf("the record expires in %v, and the cookie in %v", time.Until(rec.Expiry),
					time.Until(c.Expiry))
			}
		},
		"the user is signed out except in a third session": func(m *merging) {
			third := m.save("", "user", "ada")
			_, err := m.store.DestroySessionsOf(m.ctx, "ada", third)
			m.must(err)
			m.holds(third, "map[user:ada]")
			m.holds(m.other, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			m := &merging{scene: s, other: s.save("", "user", "ada"), mine: s.save("", "n", 1)}
			m.ctx = s.one.load(s.tracked(), m.mine)
			s.must(s.one.MergeSession(m.ctx, m.other))
			f(m)
		})
	}
}

// TestMergeSessionWithItself checks that a session that is merged with itself stays.
func TestMergeSessionWithItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine := s.save("", "user", "ada")
	ctx := s.one.load(s.tracked(), mine)
	for session, err := range s.store.SessionsOf(ctx, "ada") {
		s.must(err)
		s.must(s.one.MergeSession(ctx, session.Key))
	}
	s.one.put(ctx, "n", 1)
	s.holds(mine, "map[n:1 user:ada]")

	ctx = s.one.load(s.tracked(), mine)
	s.must(s.one.RenewToken(ctx))
	s.must(s.one.MergeSession(ctx, mine))
	renewed := s.one.put(ctx, "n", 2)
	s.holds(renewed, "map[n:2 user:ada]")
	s.one.put(ctx, "n", 1)
	s.holds(renewed, "map[n:1 user:ada]")
}

// TestMergeSessionTwice merges two sessions with the same key. When one of them is destroyed, the
// value of the other stays.
func TestMergeSessionTwice(t *testing.T) {
	t.Parallel()
	for _, theme := range []string{"dark", "light"} {
		s := newScene(t)
		kept, lost, mine := s.save("", "theme", "dark"), s.save("", "theme", theme), s.save("", "n", 1)
		ctx := s.one.load(s.tracked(), mine)
		s.must(errors.Join(s.one.MergeSession(ctx, kept), s.one.MergeSession(ctx, lost)))
		s.destroy(lost)
		s.one.put(ctx)
		s.holds(mine, "map[n:1 theme:dark]")
		s.holds(kept, "")
	}
}

// TestMergeSessionRetry loads again in the same tracker after a failed commit.
func TestMergeSessionRetry(t *testing.T) {
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
		s.must(s.one.MergeSession(ctx, cart))
		if _, _, err := s.one.Commit(ctx); (err != nil) != (try == 0) {
			t.Errorf("try %d: error %v", try, err)
		}
	}
	s.holds(mine, "map[cart:7 n:1]")
	s.holds(cart, "")
}

// TestMergeSessionIntoUntracked checks that a failed commit does not remove a session that it has
// not created.
func TestMergeSessionIntoUntracked(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	cart, mine := s.save("", "cart", 7), s.save("", "n", 1)
	ctx := scskit.WithTracker(s.one.load(t.Context(), mine))
	s.must(s.one.MergeSession(ctx, cart))
	m := &merging{scene: s, ctx: ctx}
	m.failNth(cart, 1)
	m.commitFails()
	if _, found, err := s.store.Find(mine); !found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
	s.holds(cart, "map[cart:7]")
}

// TestMergeSessionDuringRenewal renews the source while it is merged, and destroys it. The target
// must not keep its values, and other sessions must keep theirs.
func TestMergeSessionDuringRenewal(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other, mine := s.save("", "user", "ada"), s.save("", "n", 1)
	c := s.tracked()
	ctx := s.one.load(c, mine)
	s.d.before = func(string, string) error {
		s.d.before = nil
		renewing := s.one.load(s.tracked(), other)
		s.must(s.one.RenewToken(renewing))
		s.destroy(s.one.put(renewing))
		return nil
	}
	s.must(s.one.MergeSession(ctx, other))
	s.one.put(ctx)
	s.holds(mine, "map[n:1]")
	s.holds(s.one.put(s.one.load(c, ""), "user", "ada"), "map[user:ada]")
}

// TestMergeSessionCommit checks both sessions after the commit.
func TestMergeSessionCommit(t *testing.T) {
	t.Parallel()
	lost := errors.New("the reply is lost")
	begin := func(t *testing.T) (s *scene, ctx context.Context, cart, mine string) {
		t.Helper()
		s = newScene(t)
		cart, mine = s.save("", "cart", 7), s.save("", "n", 1)
		ctx = s.one.load(s.tracked(), mine)
		s.must(s.one.MergeSession(ctx, cart))
		return s, ctx, cart, mine
	}
	t.Run("a merged session is not merged again", func(t *testing.T) {
		s, ctx, cart, mine := begin(t)
		s.one.Put(ctx, "cart", 8)
		s.must(s.one.MergeSession(ctx, cart))
		s.one.put(ctx)
		s.holds(mine, "map[cart:8 n:1]")
	})
	t.Run("the reply to the tombstone is lost", func(t *testing.T) {
		s, ctx, cart, mine := begin(t)
		s.d.after = func(_, id string) error {
			if id == scskit.HashToken(cart) {
				return lost
			}
			return nil
		}
		s.one.put(ctx)
		s.holds(mine, "map[cart:7 n:1]")
		s.holds(cart, "")
	})
	for _, renews := range []bool{false, true} {
		t.Run(fmt.Sprintf("retiring the source fails, target renewed %v", renews), func(t *testing.T) {
			s, ctx, cart, mine := begin(t)
			if renews {
				s.must(s.one.RenewToken(ctx))
			}
			s.d.before = func(_, id string) error {
				if id == scskit.HashToken(cart) {
					return lost
				}
				return nil
			}
			_, _, err := s.one.Commit(ctx)
			token := s.one.Token(ctx)
			if renews { // the renewal is done, so the user stays signed in
				s.must(err)
				s.holds(mine, "")
			} else if !errors.Is(err, lost) {
				t.Errorf("got error %v", err)
			}
			s.holds(token, "map[n:1]")
			s.holds(cart, "map[cart:7]")
			s.d.before = nil
			s.one.put(ctx)
			s.holds(token, "map[cart:7 n:1]")
			s.holds(cart, "")
		})
	}
	t.Run("the target is new, and retiring the source fails", func(t *testing.T) {
		s := newScene(t)
		cart := s.save("", "cart", 7)
		ctx := s.one.load(s.tracked(), "")
		s.must(s.one.MergeSession(ctx, cart))
		s.d.before = func(op, id string) error {
			if op == "save" && id == scskit.HashToken(cart) {
				return lost
			}
			return nil
		}
		token, _, err := s.one.Commit(ctx)
		if !errors.Is(err, lost) {
			t.Errorf("got error %v", err)
		}
		s.holds(token, "")
		s.holds(cart, "map[cart:7]")
	})
	t.Run("the source had a later deadline, and is destroyed", func(t *testing.T) {
		s := newScene(t)
		cart := s.save("", "cart", 7)
		s.two.Lifetime = time.Hour
		mine := s.two.put(s.two.load(s.tracked(), ""), "n", 1)
		ctx := s.one.load(s.tracked(), mine)
		s.must(s.one.MergeSession(ctx, cart))
		s.destroy(cart)
		s.one.put(ctx, "n", 2)
		s.holds(mine, "map[n:2]")
		rec, err := s.d.Load(t.Context(), scskit.HashToken(mine))
		s.must(err)
		c, _ := scskit.LastCommit(ctx, mine)
		if until := time.Until(rec.Expiry); until > time.Hour+time.Second || !c.Expiry.Equal(rec.Expiry) {
			t.Errorf("the record expires in %v, and the cookie in %v", until, time.Until(c.Expiry))
		}
	})
	t.Run("another request still uses the source", func(t *testing.T) {
		s, ctx, cart, mine := begin(t)
		late := s.one.load(s.tracked(), cart)
		s.one.put(late, "cart", 8)
		s.one.put(ctx)
		s.holds(mine, "map[cart:8 n:1]")
		s.one.put(late, "cart", 9)
		s.state(late, cart, scskit.CommitGone)
	})
}
