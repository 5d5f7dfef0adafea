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

// TestCommitUsesItsOwnLoad loads a token more than once in a tracker. Each commit must be merged
// with what its own load returned.
func TestCommitUsesItsOwnLoad(t *testing.T) {
	t.Parallel()
	// c is the tracked context, c1 the context of the first load
	type loadFunc = func(s *scene, c, c1 context.Context, token string) (*actor, context.Context)
	for name, second := range map[string]loadFunc{
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

// TestReadThenPutBack checks that a commit is not based on another load of the token, which only
// read.
func TestReadThenPutBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "unread", false)
	c := s.tracked()
	s.one.load(c, token)
	s.save(token, "unread", true)
	s.one.put(s.one.load(c, token), "unread", false)
	s.holds(token, "map[unread:false]")
	for range 2 { // the same for sessions that Iterate loads
		s.save(token, "unread", true)
		s.must(s.one.Iterate(c, func(ctx context.Context) error {
			s.save(token, "n", 1)
			s.one.put(ctx, "unread", false)
			return nil
		}))
		s.holds(token, "map[n:1 unread:false]")
	}
}

// TestReloadKeepsDeadline checks that the deadline offset of a load is not stored.
func TestReloadKeepsDeadline(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.save("", "n", 0)
	before, _, err := s.store.Find(token)
	s.must(err)
	deadline, _, err := s.store.Codec().Decode(before)
	s.must(err)
	c := s.tracked()
	for i := range 20 {
		s.one.put(s.one.load(c, token), "n", i+1)
	}
	after, _, err := s.store.Find(token)
	s.must(err)
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

// seconds is a codec that truncates deadlines to seconds.
type seconds struct{ scs.GobCodec }

func (c seconds) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return c.GobCodec.Encode(deadline.Truncate(time.Second), values)
}

// TestReloadWithCoarseCodec uses a codec that loses the deadline offset, so the base is found by
// the data. The deadline must not change.
func TestReloadWithCoarseCodec(t *testing.T) {
	t.Parallel()
	mem, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, d: &hookDriver{Driver: mem.Driver()}}
	s.store, err = scskit.NewStore(s.d, &scskit.Options{Codec: seconds{}})
	s.must(err)
	s.one = &actor{scskit.New(s.store), s}
	token := s.save("", "a", 0, "c", 0)
	c := s.tracked()
	c1 := s.one.load(c, token)
	s.save(token, "c", 1)
	s.one.load(c, token)
	s.one.put(c1, "a", 1)
	s.holds(token, "map[a:1 c:1]")
}

// TestLoadsWithOneDeadline sets the same deadline in two loads, so that the base is found by the
// data.
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

// TestManyLoads checks that the commit of a load that the tracker has dropped overwrites nothing.
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
	s.must(err)
	if _, values, err := s.store.Codec().Decode(data); err != nil || len(values) != 33 ||
		values["c"] != 1 {
		t.Errorf("the session holds %v, error %v", values, err)
	}
}
