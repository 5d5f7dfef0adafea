package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/scskit/scskit"
)

// TestRenewalsOfSeveralLoads checks that a new token replaces the session of the load that was
// renewed, and no other.
func TestRenewalsOfSeveralLoads(t *testing.T) {
	t.Parallel()
	t.Run("by one of two managers", func(t *testing.T) {
		s := newScene(t)
		token := s.save("", "a", 1)
		c := s.tracked()
		c1 := s.one.load(c, token)
		s.must(s.one.RenewToken(c1))
		fresh := s.two.put(s.two.load(c, ""), "b", 1)
		s.holds(token, "map[a:1]")
		s.two.load(c, token)
		renewed := s.one.put(c1)
		s.holds(token, "")
		s.holds(renewed, "map[a:1]")
		s.holds(fresh, "map[b:1]")
	})
	for _, destroyed := range []bool{false, true} {
		t.Run(fmt.Sprintf("twice in one tracker, destroyed %v", destroyed), func(t *testing.T) {
			s := newScene(t)
			token := s.save("", "a", 1)
			c := s.tracked()
			c1, c2 := s.one.load(c, token), s.one.load(c, token)
			s.must(errors.Join(s.one.RenewToken(c1), s.one.RenewToken(c2)))
			if destroyed {
				s.destroy(token)
			}
			for _, ctx := range []context.Context{c1, c2} {
				renewed := s.one.put(ctx)
				if destroyed {
					s.state(ctx, renewed, scskit.CommitGone)
					s.holds(renewed, "")
				} else {
					s.holds(renewed, "map[a:1]")
				}
				s.holds(token, "")
			}
		})
	}
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprintf("destroyed through another load, renewed first %v", first), func(t *testing.T) {
			s := newScene(t)
			token := s.save("", "a", 1)
			c := s.tracked()
			c1, c2 := s.one.load(c, token), s.one.load(c, token)
			if first {
				s.must(s.one.RenewToken(c1))
			}
			s.must(s.one.Destroy(c2))
			if !first {
				s.must(s.one.RenewToken(c1))
			}
			renewed := s.one.put(c1)
			s.state(c1, renewed, scskit.CommitGone)
			s.holds(renewed, "")
			s.state(c2, s.one.put(c2, "new", 1), scskit.CommitStored)
		})
	}
	t.Run("never committed", func(t *testing.T) {
		s := newScene(t)
		other, mine := s.save("", "user", "ada"), s.save("", "user", "ada")
		c := s.tracked()
		s.must(s.one.RenewToken(s.one.load(c, other)))
		fresh := s.one.load(c, "")
		s.must(errors.Join(s.one.RenewToken(fresh), s.one.Destroy(fresh)))
		s.holds(other, "map[user:ada]")
		ctx := s.one.load(c, mine)
		s.must(s.one.RenewToken(ctx))
		if n, err := s.store.DestroySessionsOf(ctx, "ada", s.one.Token(ctx)); n != 1 || err != nil {
			t.Errorf("destroyed %d, %v, want 1, the session whose renewal was not committed", n, err)
		}
		s.holds(other, "")
		s.holds(s.one.put(ctx), "map[user:ada]")
	})
	t.Run("during the commit of another load", func(t *testing.T) {
		s := newScene(t)
		token := s.save("", "a", 1)
		c := s.tracked()
		c1, c2 := s.one.load(c, token), s.one.load(c, token)
		s.d.before = func(string, string) error {
			s.d.before = nil
			return s.one.RenewToken(c1)
		}
		s.one.put(c2, "b", 1)
		renewed := s.one.put(c1)
		s.holds(token, "")
		s.holds(renewed, "map[a:1 b:1]")
	})
}

// TestRenewalReplyLost loses the backend's reply, once after the operation is done and once before.
func TestRenewalReplyLost(t *testing.T) {
	t.Parallel()
	lost := errors.New("the reply is lost")
	for _, nth := range []int{1, 2} {
		s := newScene(t)
		token := s.save("", "a", 1)
		ctx := s.one.load(s.tracked(), token)
		s.must(s.one.RenewToken(ctx))
		n := 0
		s.d.after = func(op, _ string) error {
			if n++; n == nth {
				return lost
			}
			return nil
		}
		renewed, _, err := s.one.Commit(ctx)
		s.d.after = nil
		if nth == 1 { // the save of the new session
			if !errors.Is(err, lost) {
				t.Errorf("got error %v", err)
			}
			s.holds(renewed, "")
			s.holds(token, "map[a:1]")
			continue
		}
		s.must(err)
		s.holds(renewed, "map[a:1]")
		s.holds(token, "")
	}

	s := newScene(t)
	token := s.save("", "a", 1, "k", 1)
	ctx := s.one.load(s.tracked(), token)
	s.must(s.one.RenewToken(ctx))
	saves := 0
	s.d.before = func(op, _ string) error {
		if op == "save" {
			saves++
		}
		if op == "delete" || saves == 2 {
			return lost
		}
		return nil
	}
	if _, _, err := s.one.Commit(ctx); !errors.Is(err, lost) {
		t.Errorf("got error %v", err)
	}
	s.d.before = nil
	s.one.Remove(ctx, "k")
	s.save(token, "b", 2)
	s.holds(s.one.put(ctx), "map[a:1 b:2]")
	s.holds(token, "")
}

// TestRenewedTwiceAndDestroyed renews a session twice in one tracker and destroys it after the
// first renewal. The second renewal must not bring it back.
func TestRenewedTwiceAndDestroyed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "user", "ada")
	c := s.tracked()
	c1, c2 := s.one.load(c, token), s.one.load(c, token)
	s.must(errors.Join(s.one.RenewToken(c1), s.one.RenewToken(c2)))
	first := s.one.put(c1)
	if n, err := s.store.DestroySessionsOf(s.tracked(), "ada"); n != 1 || err != nil {
		t.Errorf("destroyed %d, error %v, want 1", n, err)
	}
	second := s.one.put(c2)
	s.holds(first, "")
	s.holds(second, "")
	s.state(c2, second, scskit.CommitGone)
}

// TestDestroyDuringRenewal destroys the user's sessions, including the new one, before the renewal
// is complete.
func TestDestroyDuringRenewal(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine := s.save("", "user", "ada")
	m := &merging{scene: s, ctx: s.one.load(s.tracked(), mine)}
	s.must(s.one.RenewToken(m.ctx))
	renewed := s.one.Token(m.ctx)
	s.save(mine, "x", 1)
	m.beforeNth(renewed, 2, func() { m.signOut() })
	if got := s.one.put(m.ctx); got != renewed {
		t.Error("the token has changed")
	}
	s.state(m.ctx, renewed, scskit.CommitGone)
	s.holds(renewed, "")
	s.holds(mine, "")
}
