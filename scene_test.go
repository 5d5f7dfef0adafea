package scskit_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

// hookDriver is a driver that calls functions before and after Save and Delete.
type hookDriver struct {
	driver.Driver
	before, after func(op, id string) error
}

func (d *hookDriver) pass(op, id string, f func() error) error {
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

func (d *hookDriver) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return d.pass("save", rec.ID, func() error { return d.Driver.Save(ctx, rec, cond) })
}

func (d *hookDriver) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return d.pass("delete", id, func() error { return d.Driver.Delete(ctx, id, cond) })
}

func (d *hookDriver) Unwrap() driver.Driver { return d.Driver }

// scene is a store with two managers, and helpers for tests.
type scene struct {
	t        *testing.T
	d        *hookDriver
	store    *scskit.Store
	one, two *actor
}

// actor is a manager with helpers for tests.
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
	s := &scene{t: t, d: &hookDriver{Driver: mem.Driver()}}
	if s.store, err = scskit.NewStore(s.d, &scskit.Options{UserKey: "user"}); err != nil {
		t.Fatal(err)
	}
	s.one, s.two = &actor{scskit.New(s.store), s}, &actor{scskit.New(s.store), s}
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) tracked() context.Context { return scskit.WithTracker(s.t.Context()) }

func (a *actor) load(ctx context.Context, token string) context.Context {
	a.s.t.Helper()
	ctx, err := a.Load(ctx, token)
	a.s.must(err)
	return ctx
}

// put puts keys and values and commits.
func (a *actor) put(ctx context.Context, pairs ...any) string {
	a.s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		a.Put(ctx, pairs[i].(string), pairs[i+1])
	}
	token, _, err := a.Commit(ctx)
	a.s.must(err)
	return token
}

// save puts keys and values and commits, in a request of its own.
func (s *scene) save(token string, pairs ...any) string {
	s.t.Helper()
	return s.one.put(s.one.load(s.tracked(), token), pairs...)
}

func (s *scene) destroy(token string) {
	s.t.Helper()
	s.must(s.one.Destroy(s.one.load(s.tracked(), token)))
}

// holds checks the values of a session. "" means that there is no session.
func (s *scene) holds(token, want string) {
	s.t.Helper()
	data, found, err := s.store.Find(token)
	s.must(err)
	got := ""
	if found {
		_, values, err := s.store.Codec().Decode(data)
		s.must(err)
		got = fmt.Sprint(values)
	}
	if got != want {
		s.t.Errorf("the session holds %q, want %q", got, want)
	}
}

func (s *scene) state(ctx context.Context, token string, want scskit.CommitState) {
	s.t.Helper()
	if c, _ := scskit.LastCommit(ctx, token); c.State != want {
		s.t.Errorf("commit state %d, want %d", c.State, want)
	}
}
