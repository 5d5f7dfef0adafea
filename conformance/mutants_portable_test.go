package conformance

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// fakePortable is a *scskit.Store whose methods a mutant can replace, with a driver and options
// that it can change before.
type fakePortable struct {
	*scskit.Store
	inner  driver.Driver // the driver of the check
	opts   scskit.Options
	find   func(ctx context.Context, token string) ([]byte, bool, error)
	commit func(ctx context.Context, token string, data []byte, e time.Time) error
	delete func(ctx context.Context, token string) error
	sweep  func(ctx context.Context) (int, error)
	start  func(interval time.Duration) (stop func())

	all       func(ctx context.Context) (map[string][]byte, error)
	destroyOf func(ctx context.Context, user string, except ...string) (int, error)
	reseal    func(ctx context.Context) (scskit.Resealed, error)

	destroyOne func(ctx context.Context, user, id string) (bool, error)
	lock       lockFunc
}

func (k *fakePortable) Lock(
	ctx context.Context, token string, o scskit.LockOptions,
) (*scskit.SessionLock, error) {
	return k.lock(ctx, token, o)
}

func (k *fakePortable) AllCtx(ctx context.Context) (map[string][]byte, error) { return k.all(ctx) }

func (k *fakePortable) DestroySessionsOf(
	ctx context.Context, user string, except ...string,
) (int, error) {
	return k.destroyOf(ctx, user, except...)
}

func (k *fakePortable) DestroySessionOf(ctx context.Context, user, id string) (bool, error) {
	return k.destroyOne(ctx, user, id)
}

func (k *fakePortable) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return k.find(ctx, token)
}

func (k *fakePortable) DeleteCtx(ctx context.Context, token string) error {
	return k.delete(ctx, token)
}

func (k *fakePortable) Reseal(ctx context.Context) (scskit.Resealed, error) {
	return k.reseal(ctx)
}

func (k *fakePortable) Sweep(ctx context.Context) (int, error) { return k.sweep(ctx) }

func (k *fakePortable) StartSweep(interval time.Duration) (stop func()) { return k.start(interval) }

func (k *fakePortable) CommitCtx(
	ctx context.Context, token string, data []byte, e time.Time,
) error {
	return k.commit(ctx, token, data, e)
}

// peek returns the record with the id from the innermost driver.
func (k *fakePortable) peek(id string) (driver.Record, error) {
	return k.innermost().Load(context.Background(), id)
}

// change has the changes of a mutant. Each may be nil.
type change struct {
	options  func(o *scskit.Options)
	driver   func(d *patch)
	portable func(k *fakePortable)
}

func portableMutant(name, check, defect string, c change) mutant {
	s := reference()
	s.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		k := &fakePortable{inner: d}
		if opts != nil {
			k.opts = *opts
		}
		if c.options != nil {
			c.options(&k.opts)
		}
		if c.driver != nil {
			p := newPatch(d)
			c.driver(p)
			d = p
		}
		var err error
		if k.Store, err = scskit.NewStore(d, &k.opts); err != nil {
			return nil, err
		}
		k.find, k.commit, k.delete, k.sweep, k.start = k.Store.FindCtx, k.Store.CommitCtx,
			k.Store.DeleteCtx, k.Store.Sweep, k.Store.StartSweep
		k.all, k.destroyOf, k.reseal = k.Store.AllCtx, k.Store.DestroySessionsOf, k.Store.Reseal
		k.lock, k.destroyOne = k.Store.Lock, k.Store.DestroySessionOf
		if c.portable != nil {
			c.portable(k)
		}
		return k, nil
	}
	return mutant{
		Mutant: mutants.Mutant{Name: "portable/" + name, Check: check, Defect: defect},
		levels: []Level{LevelPortable},
		store:  &s}
}

// patch is a driver whose methods a mutant can replace.
type patch struct {
	driver.Driver
	load   func(ctx context.Context, id string) (driver.Record, error)
	save   func(ctx context.Context, rec driver.Record, cond driver.Condition) error
	touch  func(ctx context.Context, rec driver.Record) error
	delete func(ctx context.Context, id string, cond driver.Condition) error
	sweep  func(ctx context.Context, limit int) (int, error)
	limit  int
}

func newPatch(d driver.Driver) *patch {
	p := &patch{Driver: d, load: d.Load, save: d.Save, touch: d.Touch, delete: d.Delete,
		limit: 1 << 30}
	p.sweep = p.swept
	if l, ok := driver.As[driver.SizeLimiter](d); ok {
		p.limit = l.MaxData()
	}
	return p
}

// swept sweeps the inner driver if it is a driver.Sweeper.
func (p *patch) swept(ctx context.Context, limit int) (int, error) {
	if s, ok := driver.As[driver.Sweeper](p.Driver); ok {
		return s.Sweep(ctx, limit)
	}
	return 0, nil
}

func (p *patch) Load(ctx context.Context, id string) (driver.Record, error) {
	return p.load(ctx, id)
}

func (p *patch) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return p.delete(ctx, id, cond)
}

func (p *patch) Sweep(ctx context.Context, limit int) (int, error) {
	return p.sweep(ctx, limit)
}

func (p *patch) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return p.save(ctx, rec, cond)
}

func (p *patch) Touch(ctx context.Context, rec driver.Record) error {
	return p.touch(ctx, rec)
}

func (p *patch) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	r, _ := driver.As[driver.Ranger](p.Driver)
	return r.Range(ctx)
}

func (p *patch) MaxData() int { return p.limit }

func lostRace(err error) bool {
	return errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrNotFound)
}

// observer wraps Options.Observer unless it is nil. alter returns how often the event is passed on.
func observer(alter func(e *scskit.Event) (times int)) change {
	return change{options: func(o *scskit.Options) {
		tell := o.Observer
		if tell == nil {
			return
		}
		o.Observer = func(ctx context.Context, e scskit.Event) {
			for range alter(&e) {
				tell(ctx, e)
			}
		}
	}}
}

// codec is scskit.Codec with replaceable methods. It hides the optional methods that a Store uses.
type codec struct {
	encode func(time.Time, map[string]any) ([]byte, error)
	decode func([]byte) (time.Time, map[string]any, error)
}

func (c codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	if c.encode != nil {
		return c.encode(deadline, values)
	}
	return scskit.Codec{}.Encode(deadline, values)
}

func (c codec) Decode(data []byte) (time.Time, map[string]any, error) {
	if c.decode != nil {
		return c.decode(data)
	}
	return scskit.Codec{}.Decode(data)
}

func coded(c codec) change {
	return change{options: func(o *scskit.Options) { o.Codec = c }}
}

// eachValue encodes changed values.
func eachValue(alter func(v any) any) change {
	return coded(codec{encode: func(deadline time.Time, values map[string]any) ([]byte, error) {
		changed := make(map[string]any)
		for key, v := range values {
			changed[key] = alter(v)
		}
		return scskit.Codec{}.Encode(deadline, changed)
	}})
}

func tracked(ctx context.Context) bool { return scskit.WithTracker(ctx) == ctx }

func expired(e time.Time) bool { return !e.After(time.Now()) }

// merging makes a commit merge the stored values into its own, whatever was loaded.
func (k *fakePortable) merging(merge func(ours, stored map[string]any)) {
	k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
		rec, err := k.peek(idOf(token))
		if err == nil && tracked(ctx) {
			deadline, ours, err1 := k.Codec().Decode(data)
			_, stored, err2 := k.Codec().Decode(rec.Data)
			if err1 == nil && err2 == nil {
				ours = maps.Clone(ours)
				merge(ours, stored)
				data, _ = k.Codec().Encode(deadline, ours)
			}
		}
		return k.Store.CommitCtx(ctx, token, data, e)
	}
}

// ticking replaces StartSweep.
func ticking(untilFailure, wait bool) change {
	return change{portable: func(k *fakePortable) {
		k.start = func(interval time.Duration) func() {
			ctx, cancel := context.WithCancel(context.Background())
			var done sync.WaitGroup
			done.Go(func() {
				for ctx.Err() == nil {
					time.Sleep(min(interval, 5*time.Millisecond))
					if _, err := k.Store.Sweep(ctx); err != nil && untilFailure {
						return
					}
					if !wait {
						time.Sleep(5 * time.Millisecond)
					}
				}
			})
			return func() {
				cancel()
				if wait {
					done.Wait()
				}
			}
		}
	}}
}
