package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

// tapped is a driver that tells of saves and deletes before they are carried out, and after.
type tapped struct {
	driver.Driver
	before, after func(op, id string) error
}

func (d *tapped) pass(op, id string, f func() error) error {
	if d.before != nil {
		if err := d.before(op, id); err != nil {
			return err
		}
	}
	if err := f(); err != nil || d.after == nil {
		return err
	}
	return d.after(op, id)
}

func (d *tapped) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return d.pass("save", rec.ID, func() error { return d.Driver.Save(ctx, rec, cond) })
}

func (d *tapped) Delete(ctx context.Context, id string) error {
	return d.pass("delete", id, func() error { return d.Driver.Delete(ctx, id) })
}

func (d *tapped) Unwrap() driver.Driver { return d.Driver }

// scene is a store with two managers, and what tests do with them.
type scene struct {
	t        *testing.T
	d        *tapped
	store    *scskit.Store
	one, two *actor
}

// actor is a manager, and what tests have it do.
type actor struct {
	*scs.SessionManager
	s *scene
}

func newScene(t *testing.T) *scene {
	t.Helper()
	mem, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, d: &tapped{Driver: mem.Driver()}}
	if s.store, err = scskit.NewStore(s.d, &scskit.Options{UserKey: "user"}); err != nil {
		t.Fatal(err)
	}
	s.one, s.two = &actor{scskit.New(s.store), s}, &actor{scskit.New(s.store), s}
	return s
}

func (s *scene) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) tracked() context.Context { return scskit.WithTracker(s.t.Context()) }

func (a *actor) load(ctx context.Context, token string) context.Context {
	a.s.t.Helper()
	ctx, err := a.Load(ctx, token)
	a.s.check(err)
	return ctx
}

// put puts keys and values, and commits.
func (a *actor) put(ctx context.Context, pairs ...any) string {
	a.s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		a.Put(ctx, pairs[i].(string), pairs[i+1])
	}
	token, _, err := a.Commit(ctx)
	a.s.check(err)
	return token
}

// save does so in a request of its own.
func (s *scene) save(token string, pairs ...any) string {
	s.t.Helper()
	return s.one.put(s.one.load(s.tracked(), token), pairs...)
}

func (s *scene) destroy(token string) {
	s.t.Helper()
	s.check(s.one.Destroy(s.one.load(s.tracked(), token)))
}

// holds checks what a session holds; "" is none.
func (s *scene) holds(token, want string) {
	s.t.Helper()
	data, found, err := s.store.Find(token)
	s.check(err)
	got := ""
	if found {
		_, values, err := s.store.Codec().Decode(data)
		s.check(err)
		got = fmt.Sprint(values)
	}
	if got != want {
		s.t.Errorf("the session holds %q, want %q", got, want)
	}
}

func (s *scene) state(ctx context.Context, token string, want scskit.CommitState) {
	s.t.Helper()
	if c, _ := scskit.LastCommit(ctx, token); c.State != want {
		s.t.Errorf("state %d, want %d", c.State, want)
	}
}

// TestLoadsAreToldApart: of several loads of one token in a tracker each commit is merged with what
// its own returned.
func TestLoadsAreToldApart(t *testing.T) {
	t.Parallel()
	type loads func(s *scene, c, c1 context.Context, token string) (*actor, context.Context)
	for name, second := range map[string]loads{
		"by one manager": func(s *scene, c, _ context.Context, token string) (*actor, context.Context) {
			return s.one, s.one.load(c, token)
		},
		"by two managers": func(s *scene, c, _ context.Context, token string) (*actor, context.Context) {
			return s.two, s.two.load(c, token)
		},
		"by two, nested": func(s *scene, _, c1 context.Context, token string) (*actor, context.Context) {
			return s.two, s.two.load(c1, token)
		},
	} {
		for round := range 8 {
			swapped, others, again := round&1 != 0, round&2 != 0, round&4 != 0
			s := newScene(t)
			token := s.save("", "a", 0, "b", 0, "c", 0)
			c := s.tracked()
			c1 := s.one.load(c, token)
			if others {
				s.save(token, "c", 1)
			}
			sm, c2 := second(s, c, c1, token)
			first := func(n int) { s.one.put(c1, "a", n) }
			last := func(n int) { sm.put(c2, "b", n) }
			if swapped {
				first, last = last, first
			}
			want := 1
			first(1)
			last(1)
			if again {
				s.save(token, "c", 1)
				first(2)
				last(2)
				want = 2
			}
			n := 0
			if others || again {
				n = 1
			}
			s.holds(token, fmt.Sprintf("map[a:%d b:%d c:%d]", want, want, n))
			if t.Failed() {
				t.Fatalf("%s: swapped %v, others %v, again %v", name, swapped, others, again)
			}
		}
	}
}

// TestReadThenPutBack: a load that only reads is not what a later commit is based on.
func TestReadThenPutBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "unread", false)
	c := s.tracked()
	s.one.load(c, token)
	s.save(token, "unread", true)
	s.one.put(s.one.load(c, token), "unread", false)
	s.holds(token, "map[unread:false]")
	for range 2 { // and so for what Iterate loads
		s.save(token, "unread", true)
		s.check(s.one.Iterate(c, func(ctx context.Context) error {
			s.save(token, "n", 1)
			s.one.put(ctx, "unread", false)
			return nil
		}))
		s.holds(token, "map[n:1 unread:false]")
	}
}

// TestDeadlineOfLaterLoads: by the deadline loads are told apart; that does not change it.
func TestDeadlineOfLaterLoads(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "n", 0)
	before, _, err := s.store.Find(token)
	s.check(err)
	deadline, _, err := s.store.Codec().Decode(before)
	s.check(err)
	c := s.tracked()
	for i := range 20 {
		s.one.put(s.one.load(c, token), "n", i+1)
	}
	after, _, err := s.store.Find(token)
	s.check(err)
	if got, _, err := s.store.Codec().Decode(after); !got.Equal(deadline) || err != nil {
		t.Errorf("the deadline is %v later, error %v", got.Sub(deadline), err)
	}
	moved := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	ctx := s.one.load(c, token)
	s.one.SetDeadline(ctx, moved)
	s.one.put(ctx)
	if rec, err := s.d.Load(t.Context(), scskit.HashToken(token)); err != nil ||
		!rec.Expiry.Equal(moved) {
		t.Errorf("the record expires at %v, error %v, want %v", rec.Expiry, err, moved)
	}
}

// seconds is a codec that keeps deadlines to the second.
type seconds struct{ scs.GobCodec }

func (c seconds) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return c.GobCodec.Encode(deadline.Truncate(time.Second), values)
}

// TestLoadsOfACoarseCodec: where the deadline cannot tell, the data does, and the deadline stays.
func TestLoadsOfACoarseCodec(t *testing.T) {
	t.Parallel()
	mem, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, d: &tapped{Driver: mem.Driver()}}
	s.store, err = scskit.NewStore(s.d, &scskit.Options{Codec: seconds{}})
	s.check(err)
	s.one = &actor{scskit.New(s.store), s}
	token := s.save("", "a", 0, "c", 0)
	c := s.tracked()
	c1 := s.one.load(c, token)
	s.save(token, "c", 1)
	s.one.load(c, token)
	s.one.put(c1, "a", 1)
	s.holds(token, "map[a:1 c:1]")
}

// TestRenewalsAreToldApart: a new token carries on the session of the load that was renewed, and no
// other.
func TestRenewalsAreToldApart(t *testing.T) {
	t.Parallel()
	t.Run("of another manager", func(t *testing.T) {
		s := newScene(t)
		token := s.save("", "a", 1)
		c := s.tracked()
		c1 := s.one.load(c, token)
		s.check(s.one.RenewToken(c1))
		fresh := s.two.put(s.two.load(c, ""), "b", 1)
		s.holds(token, "map[a:1]")
		s.two.load(c, token)
		renewed := s.one.put(c1)
		s.holds(token, "")
		s.holds(renewed, "map[a:1]")
		s.holds(fresh, "map[b:1]")
	})
	for _, destroyed := range []bool{false, true} {
		t.Run(fmt.Sprintf("twice, destroyed %v", destroyed), func(t *testing.T) {
			s := newScene(t)
			token := s.save("", "a", 1)
			c := s.tracked()
			c1, c2 := s.one.load(c, token), s.one.load(c, token)
			s.check(errors.Join(s.one.RenewToken(c1), s.one.RenewToken(c2)))
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
		t.Run(fmt.Sprintf("destroyed by another load, renewed first %v", first), func(t *testing.T) {
			s := newScene(t)
			token := s.save("", "a", 1)
			c := s.tracked()
			c1, c2 := s.one.load(c, token), s.one.load(c, token)
			if first {
				s.check(s.one.RenewToken(c1))
			}
			s.check(s.one.Destroy(c2))
			if !first {
				s.check(s.one.RenewToken(c1))
			}
			renewed := s.one.put(c1)
			s.state(c1, renewed, scskit.CommitGone)
			s.holds(renewed, "")
			s.state(c2, s.one.put(c2, "new", 1), scskit.CommitStored)
		})
	}
	t.Run("given up", func(t *testing.T) {
		s := newScene(t)
		given, mine := s.save("", "user", "ada"), s.save("", "user", "ada")
		c := s.tracked()
		s.check(s.one.RenewToken(s.one.load(c, given)))
		fresh := s.one.load(c, "")
		s.check(errors.Join(s.one.RenewToken(fresh), s.one.Destroy(fresh)))
		s.holds(given, "map[user:ada]")
		ctx := s.one.load(c, mine)
		s.check(s.one.RenewToken(ctx))
		if n, err := s.store.DestroySessionsOf(ctx, "ada", s.one.Token(ctx)); n != 1 || err != nil {
			t.Errorf("destroyed %d, %v, want the one whose renewal was given up", n, err)
		}
		s.holds(given, "")
		s.holds(s.one.put(ctx), "map[user:ada]")
	})
	t.Run("during a commit", func(t *testing.T) {
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

// TestRenewalAnswersLost: the backend does what it is asked and the answer is lost, or it does not.
func TestRenewalAnswersLost(t *testing.T) {
	t.Parallel()
	lost := errors.New("the answer is lost")
	for _, nth := range []int{1, 2} {
		s := newScene(t)
		token := s.save("", "a", 1)
		ctx := s.one.load(s.tracked(), token)
		s.check(s.one.RenewToken(ctx))
		n := 0
		s.d.after = func(op, _ string) error {
			if n++; n == nth {
				return lost
			}
			return nil
		}
		renewed, _, err := s.one.Commit(ctx)
		s.d.after = nil
		if nth == 1 { // of the new session
			if !errors.Is(err, lost) {
				t.Errorf("got error %v", err)
			}
			s.holds(renewed, "")
			s.holds(token, "map[a:1]")
			continue
		}
		s.check(err)
		s.holds(renewed, "map[a:1]")
		s.holds(token, "")
	}

	s := newScene(t)
	token := s.save("", "a", 1, "k", 1)
	ctx := s.one.load(s.tracked(), token)
	s.check(s.one.RenewToken(ctx))
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

// TestMergedWhileRenewed: a session that is renewed while it is merged goes its own way, and what
// was destroyed leaves nothing in the one that it was merged into, nor takes anything from others.
func TestMergedWhileRenewed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other, mine := s.save("", "user", "ada"), s.save("", "n", 1)
	c := s.tracked()
	ctx := s.one.load(c, mine)
	s.d.before = func(string, string) error {
		s.d.before = nil
		renewing := s.one.load(s.tracked(), other)
		s.check(s.one.RenewToken(renewing))
		s.destroy(s.one.put(renewing))
		return nil
	}
	s.check(s.one.MergeSession(ctx, other))
	s.one.put(ctx)
	s.holds(mine, "map[n:1]")
	s.holds(s.one.put(s.one.load(c, ""), "user", "ada"), "map[user:ada]")
}

// TestLoadsWithOneDeadline: a deadline that both loads set does not tell them apart; what they
// loaded does.
func TestLoadsWithOneDeadline(t *testing.T) {
	t.Parallel()
	for _, swapped := range []bool{false, true} {
		s := newScene(t)
		token := s.save("", "a", 0, "b", 0)
		c := s.tracked()
		c1, c2 := s.one.load(c, token), s.one.load(c, token)
		if swapped {
			c1, c2 = c2, c1
		}
		moved := time.Now().Add(time.Hour).Truncate(time.Hour)
		for n := range 3 {
			s.one.SetDeadline(c1, moved)
			s.one.put(c1, "a", n)
			s.one.SetDeadline(c2, moved)
			s.one.put(c2, "b", n)
			s.holds(token, fmt.Sprintf("map[a:%d b:%d]", n, n))
		}
	}
}

// TestManyLoads: a load that is older than those that are kept overwrites nothing.
func TestManyLoads(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "c", 0)
	c := s.tracked()
	first := s.one.load(c, token)
	s.save(token, "c", 1)
	var loads []context.Context
	for range 40 {
		loads = append(loads, s.one.load(c, token))
	}
	for i, ctx := range loads {
		s.one.Put(ctx, fmt.Sprint("k", i), i)
		_, _, err := s.one.Commit(ctx)
		if dropped := errors.Is(err, driver.ErrConflict); dropped != (i < 9) || !dropped && err != nil {
			t.Fatalf("the commit of load %d: error %v", i, err)
		}
	}
	s.one.put(first, "first", 1)
	data, _, err := s.store.Find(token)
	s.check(err)
	if _, values, err := s.store.Codec().Decode(data); err != nil || len(values) != 33 ||
		values["c"] != 1 {
		t.Errorf("the session holds %v, error %v", values, err)
	}
}

// TestRenewedTwiceAndDestroyed: of two renewals in one tracker the second does not bring back what
// was destroyed after the first.
func TestRenewedTwiceAndDestroyed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "user", "ada")
	c := s.tracked()
	c1, c2 := s.one.load(c, token), s.one.load(c, token)
	s.check(errors.Join(s.one.RenewToken(c1), s.one.RenewToken(c2)))
	first := s.one.put(c1)
	if n, err := s.store.DestroySessionsOf(s.tracked(), "ada"); n != 1 || err != nil {
		t.Errorf("destroyed %d, error %v", n, err)
	}
	second := s.one.put(c2)
	s.holds(first, "")
	s.holds(second, "")
	s.state(c2, second, scskit.CommitGone)
}

// TestAbsorbed: what becomes of a session that MergeSession has merged into another.
func TestAbsorbed(t *testing.T) {
	t.Parallel()
	lost := errors.New("the answer is lost")
	begin := func(t *testing.T) (s *scene, ctx context.Context, cart, mine string) {
		t.Helper()
		s = newScene(t)
		cart, mine = s.save("", "cart", 7), s.save("", "n", 1)
		ctx = s.one.load(s.tracked(), mine)
		s.check(s.one.MergeSession(ctx, cart))
		return s, ctx, cart, mine
	}
	t.Run("not found again", func(t *testing.T) {
		s, ctx, cart, mine := begin(t)
		s.one.Put(ctx, "cart", 8)
		s.check(s.one.MergeSession(ctx, cart))
		s.one.put(ctx)
		s.holds(mine, "map[cart:8 n:1]")
	})
	t.Run("the tombstone's answer is lost", func(t *testing.T) {
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
		t.Run(fmt.Sprintf("not retired, renewed %v", renews), func(t *testing.T) {
			s, ctx, cart, mine := begin(t)
			if renews {
				s.check(s.one.RenewToken(ctx))
			}
			s.d.before = func(_, id string) error {
				if id == scskit.HashToken(cart) {
					return lost
				}
				return nil
			}
			_, _, err := s.one.Commit(ctx)
			token := s.one.Token(ctx)
			if renews { // what is signed in already stays so
				s.check(err)
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
	t.Run("by a new session, and not retired", func(t *testing.T) {
		s := newScene(t)
		cart := s.save("", "cart", 7)
		ctx := s.one.load(s.tracked(), "")
		s.check(s.one.MergeSession(ctx, cart))
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
	t.Run("destroyed with a later deadline", func(t *testing.T) {
		s := newScene(t)
		cart := s.save("", "cart", 7)
		s.two.Lifetime = time.Hour
		mine := s.two.put(s.two.load(s.tracked(), ""), "n", 1)
		ctx := s.one.load(s.tracked(), mine)
		s.check(s.one.MergeSession(ctx, cart))
		s.destroy(cart)
		s.one.put(ctx, "n", 2)
		s.holds(mine, "map[n:2]")
		rec, err := s.d.Load(t.Context(), scskit.HashToken(mine))
		s.check(err)
		c, _ := scskit.LastCommit(ctx, mine)
		if until := time.Until(rec.Expiry); until > time.Hour+time.Second || !c.Expiry.Equal(rec.Expiry) {
			t.Errorf("the record expires in %v, the cookie in %v", until, time.Until(c.Expiry))
		}
	})
	t.Run("others go on", func(t *testing.T) {
		s, ctx, cart, mine := begin(t)
		late := s.one.load(s.tracked(), cart)
		s.one.put(late, "cart", 8)
		s.one.put(ctx)
		s.holds(mine, "map[cart:8 n:1]")
		s.one.put(late, "cart", 9)
		s.state(late, cart, scskit.CommitGone)
	})
}
