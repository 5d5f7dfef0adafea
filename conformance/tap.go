package conformance

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/scskit/scskit/driver"
)

// tap is a driver that counts its calls. A hook can make operations fail or wait.
type tap struct {
	driver.Driver
	t     *checkT
	plain bool // the store over it has Options.PlainIDs

	mu    sync.Mutex
	calls map[string]int
	hook  func(ctx context.Context, op, id string) error
	after func(op string) error // called after each success; its error replaces it
}

func (t *checkT) tap(d driver.Driver) *tap { return &tap{Driver: d, t: t} }

func (d *tap) id(token string) string {
	if d.plain {
		return token
	}
	return idOf(token)
}

// on sets the hook, or removes it if it is nil.
func (d *tap) on(hook func(ctx context.Context, op, id string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// refuse makes operations fail.
func (d *tap) refuse(err error, ops ...string) {
	d.on(func(_ context.Context, op, _ string) error {
		if slices.Contains(ops, op) {
			return err
		}
		return nil
	})
}

func (d *tap) count(ops ...string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for op, calls := range d.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

func (d *tap) pass(ctx context.Context, op, id string, f func() error) error {
	d.t.alive()
	defer d.t.alive()
	d.mu.Lock()
	if d.calls == nil {
		d.calls = make(map[string]int)
	}
	d.calls[op]++
	hook, after := d.hook, d.after
	d.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, op, id); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	if after != nil {
		return after(op)
	}
	return nil
}

func (d *tap) Load(ctx context.Context, id string) (rec driver.Record, err error) {
	err = d.pass(ctx, "load", id, func() error { rec, err = d.Driver.Load(ctx, id); return err })
	return rec, err
}

func (d *tap) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return d.pass(ctx, "save", rec.ID, func() error { return d.Driver.Save(ctx, rec, cond) })
}

func (d *tap) Touch(ctx context.Context, rec driver.Record) error {
	return d.pass(ctx, "touch", rec.ID, func() error { return d.Driver.Touch(ctx, rec) })
}

func (d *tap) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return d.pass(ctx, "delete", id, func() error { return d.Driver.Delete(ctx, id, cond) })
}

// Range implements driver.Ranger if the inner driver does.
func (d *tap) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	r, ok := driver.As[driver.Ranger](d.Driver)
	if !ok {
		return func(yield func(driver.Record, error) bool) {
			yield(driver.Record{}, errors.ErrUnsupported)
		}
	}
	return r.Range(ctx)
}

// Sweep implements driver.Sweeper. It removes nothing if the inner driver does not implement it.
func (d *tap) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = d.pass(ctx, "sweep", "", func() error {
		if s, ok := driver.As[driver.Sweeper](d.Driver); ok {
			n, err = s.Sweep(ctx, limit)
		}
		return err
	})
	return n, err
}

// MaxData implements driver.SizeLimiter.
func (d *tap) MaxData() int {
	if l, ok := driver.As[driver.SizeLimiter](d.Driver); ok {
		return l.MaxData()
	}
	return 1<<31 - 1
}
