package migrate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
	"github.com/scskit/scskit/stores/memstore"
)

// backend is a driver in memory that can fail, and list its records in their order.
type backend struct {
	driver.Driver
	ordered bool
	hook    func(op, id string) error // before an operation
	after   func(op string) error     // after a save
	mu      sync.Mutex
	calls   map[string]int
}

func (b *backend) Unwrap() driver.Driver { return b.Driver }

func (b *backend) call(op, id string) error {
	b.mu.Lock()
	b.calls[op]++
	hook := b.hook
	b.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(op, id)
}

func (b *backend) count(op string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[op]
}

func (b *backend) Load(ctx context.Context, id string) (driver.Record, error) {
	if err := b.call("load", id); err != nil {
		return driver.Record{}, err
	}
	return b.Driver.Load(ctx, id)
}

func (b *backend) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if err := b.call("save", rec.ID); err != nil {
		return err
	}
	if err := b.Driver.Save(ctx, rec, cond); err != nil || b.after == nil {
		return err
	}
	return b.after("save")
}

func (b *backend) Delete(ctx context.Context, id string, cond driver.Condition) error {
	if err := b.call("delete", id); err != nil {
		return err
	}
	return b.Driver.Delete(ctx, id, cond)
}

func (b *backend) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		var all []driver.Record
		for rec, err := range b.Driver.(driver.Ranger).Range(ctx) {
			if err != nil {
				yield(rec, err)
				return
			}
			all = append(all, rec)
		}
		if b.ordered {
			slices.SortFunc(all, func(a, b driver.Record) int { return cmp.Compare(a.ID, b.ID) })
		}
		for _, rec := range all {
			if err := b.call("range", rec.ID); err != nil {
				yield(driver.Record{}, err)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// clock is the time of both sides.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// side is one of two stores.
type side struct {
	*scskit.Store
	d *backend
	t *testing.T
}

func newSide(t *testing.T, c *clock, opts scskit.Options) *side {
	t.Helper()
	opts.Now = c.Now
	mem, err := memstore.New(&memstore.Options{Options: opts})
	must(t, err)
	s := &side{t: t, d: &backend{Driver: mem.Driver(), calls: make(map[string]int)}}
	s.Store, err = scskit.NewStore(s.d, &opts)
	must(t, err)
	return s
}

// newClock returns a clock that begins now, since scs goes by the time of the machine.
func newClock() *clock { return &clock{now: time.Now()} }

// scene is a source and a target.
type scene struct {
	*testing.T
	*clock
	from, to *side
}

func newScene(t *testing.T, from, to scskit.Options) *scene {
	t.Helper()
	c := newClock()
	return &scene{t, c, newSide(t, c, from), newSide(t, c, to)}
}

// sessions saves n sessions of users, a second after each other, and returns their tokens.
func (s *scene) sessions(n int) (tokens []string) {
	s.Helper()
	for i := range n {
		tokens = append(tokens, s.from.save("", "user", fmt.Sprint("u", i), "n", i))
		s.advance(time.Millisecond)
	}
	return tokens
}

func (s *side) save(token string, pairs ...any) string {
	s.t.Helper()
	sm := scskit.New(s.Store)
	ctx, err := sm.Load(scskit.WithTracker(s.t.Context()), token)
	must(s.t, err)
	for i := 0; i < len(pairs); i += 2 {
		sm.Put(ctx, pairs[i].(string), pairs[i+1])
	}
	token, _, err = sm.Commit(ctx)
	must(s.t, err)
	return token
}

func (s *side) renew(token string) string {
	s.t.Helper()
	sm := scskit.New(s.Store)
	ctx, err := sm.Load(scskit.WithTracker(s.t.Context()), token)
	must(s.t, err)
	must(s.t, sm.RenewToken(ctx))
	token, _, err = sm.Commit(ctx)
	must(s.t, err)
	return token
}

func (s *side) destroy(token string) {
	s.t.Helper()
	must(s.t, s.Delete(token))
}

func (s *side) value(token, key string) any {
	s.t.Helper()
	sm := scskit.New(s.Store)
	ctx, err := sm.Load(s.t.Context(), token)
	must(s.t, err)
	return sm.Get(ctx, key)
}

func (s *side) records() map[string]driver.Record {
	s.t.Helper()
	all := make(map[string]driver.Record)
	for rec, err := range s.d.Driver.(driver.Ranger).Range(s.t.Context()) {
		must(s.t, err)
		all[rec.ID] = rec
	}
	return all
}

func (s *scene) copy(opts *migrate.Options) migrate.Report {
	s.Helper()
	r, err := migrate.Copy(s.Context(), s.from.Store, s.to.Store, opts)
	must(s.T, err)
	return r
}

func (s *scene) compare() migrate.Comparison {
	s.Helper()
	c, err := migrate.Compare(s.Context(), s.from.Store, s.to.Store)
	must(s.T, err)
	return c
}

// equal checks that both sides hold the same.
func (s *scene) equal() {
	s.Helper()
	if c := s.compare(); !c.Equal() {
		s.Errorf("not equal: %+v", c)
	}
}

// want compares the line of a report.
func want(t *testing.T, r migrate.Report, line string) {
	t.Helper()
	if r.String() != line {
		t.Errorf("got %q, want %q; problems %v", r, line, r.Problems)
	}
	if r.Done() != r.Listed {
		t.Errorf("%d records listed, %d counted", r.Listed, r.Done())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errDown = errors.New("the backend is down")

// repeating lists every record twice.
type repeating struct{ *backend }

func (r *repeating) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range r.backend.Range(ctx) {
			for range 2 {
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}
