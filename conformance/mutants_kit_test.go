package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// kit is a *scskit.Store of which a mutant replaces functions. The driver under it and its
// options are the mutant's to change as well, before build.
type kit struct {
	*scskit.Store
	inner  driver.Driver // as the check gave it
	opts   scskit.Options
	find   func(ctx context.Context, token string) ([]byte, bool, error)
	commit func(ctx context.Context, token string, data []byte, e time.Time) error
	delete func(ctx context.Context, token string) error
	sweep  func(ctx context.Context) (int, error)
	start  func(interval time.Duration) (stop func())
}

func (k *kit) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return k.find(ctx, token)
}
func (k *kit) DeleteCtx(ctx context.Context, token string) error { return k.delete(ctx, token) }
func (k *kit) Sweep(ctx context.Context) (int, error)            { return k.sweep(ctx) }
func (k *kit) StartSweep(interval time.Duration) (stop func())   { return k.start(interval) }
func (k *kit) CommitCtx(ctx context.Context, token string, data []byte, e time.Time) error {
	return k.commit(ctx, token, data, e)
}

// peek returns the record with an id, past everything that a check has put in between.
func (k *kit) peek(id string) (driver.Record, error) {
	d := k.inner
	for {
		switch w := d.(type) {
		case *tap:
			d = w.Driver
		case *scripted:
			d = w.Driver
		default:
			return d.Load(context.Background(), id)
		}
	}
}

// change says how a mutant differs. Each part may be nil.
type change struct {
	options func(o *scskit.Options)
	driver  func(d *patch)
	kit     func(k *kit)
}

func kitMutant(name, fails string, c change) mutant {
	s := reference()
	s.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		k := &kit{inner: d}
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
		k.find, k.commit, k.delete, k.sweep, k.start = k.Store.FindCtx, k.Store.CommitCtx, k.Store.DeleteCtx, k.Store.Sweep, k.Store.StartSweep
		if c.kit != nil {
			c.kit(k)
		}
		return k, nil
	}
	return mutant{name: "kit/" + name, levels: []Level{LevelKit}, fails: strings.Fields(fails), store: &s}
}

// patch is a driver of which a mutant replaces functions.
type patch struct {
	driver.Driver
	load   func(ctx context.Context, id string) (driver.Record, error)
	save   func(ctx context.Context, rec driver.Record, cond driver.Condition) error
	touch  func(ctx context.Context, id string, version int64, e time.Time) error
	delete func(ctx context.Context, id string) error
	sweep  func(ctx context.Context, limit int) (int, error)
	limit  int
}

func newPatch(d driver.Driver) *patch {
	p := &patch{Driver: d, load: d.Load, save: d.Save, touch: d.Touch, delete: d.Delete, limit: 1 << 30}
	p.sweep = p.swept
	if l, ok := d.(driver.Limiter); ok {
		p.limit = l.MaxData()
	}
	return p
}

// swept sweeps the driver underneath, if it can be.
func (p *patch) swept(ctx context.Context, limit int) (int, error) {
	if s, ok := p.Driver.(driver.Sweeper); ok {
		return s.Sweep(ctx, limit)
	}
	return 0, nil
}

func (p *patch) Load(ctx context.Context, id string) (driver.Record, error) { return p.load(ctx, id) }
func (p *patch) Delete(ctx context.Context, id string) error                { return p.delete(ctx, id) }
func (p *patch) Sweep(ctx context.Context, limit int) (int, error)          { return p.sweep(ctx, limit) }
func (p *patch) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return p.save(ctx, rec, cond)
}
func (p *patch) Touch(ctx context.Context, id string, version int64, e time.Time) error {
	return p.touch(ctx, id, version, e)
}
func (p *patch) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return p.Driver.(driver.Ranger).Range(ctx)
}
func (p *patch) MaxData() int { return p.limit }

func lostRace(err error) bool {
	return errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrNotFound)
}

// observer wraps the Observer of the options, where there is one.
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

// codec is scskit.Codec, of which a mutant replaces functions. Its type hides the
// methods that a Store looks for in scskit.Codec.
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

// eachValue returns a codec that changes values before it encodes them.
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

func kitMutants() []mutant {
	return []mutant{
		kitMutant("correct", ``, change{driver: func(*patch) {}, kit: func(*kit) {}}),
		kitMutant("delete-takes-no-keys", `all/iterate-destroy`, change{kit: func(k *kit) {
			k.delete = func(ctx context.Context, token string) error {
				if strings.HasPrefix(token, "id.") {
					return nil
				}
				return k.Store.DeleteCtx(ctx, token)
			}
		}}),
		kitMutant("commit-takes-no-keys", `all/iterate-commit all/key-never-creates`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				return k.Store.CommitCtx(ctx, strings.Replace(token, "id.", "id:", 1), data, e)
			}
		}}),
		kitMutant("keys-create", `all/key-never-creates`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				err := k.Store.CommitCtx(ctx, token, data, e)
				if errors.Is(err, scskit.ErrGone) {
					id := strings.Split(token, ".")[1]
					return k.inner.Save(ctx, driver.Record{ID: id, Data: data, Expiry: e, Version: 1}, driver.Always())
				}
				return err
			}
		}}),
		kitMutant("past-lives-on", `expiry/tracked-past`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if expired(e) {
					e = in(lifetime)
				}
				return k.Store.CommitCtx(ctx, token, data, e)
			}
		}}),
		kitMutant("outlives-deadline", `cleanup/only-expired cleanup/two-at-once expiry/absolute expiry/deadline-moved`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				rec.Expiry = rec.Expiry.Add(time.Minute)
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("touches-always", `expiry/touch-throttled`, change{options: func(o *scskit.Options) { o.TouchInterval = -1 }}),
		kitMutant("touches-never", `
			concurrency/logout-beats-reader concurrency/renew-beats-old expiry/absolute expiry/touch-never-early`, change{driver: func(p *patch) {
			p.touch = func(context.Context, string, int64, time.Time) error { return nil }
		}}),
		kitMutant("expiry-only-grows", `expiry/deadline-moved`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if old, err := p.Driver.Load(ctx, rec.ID); err == nil && old.Expiry.After(rec.Expiry) {
					rec.Expiry = old.Expiry
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("touch-writes-data", `
			concurrency/logout-beats-reader concurrency/reader-keeps-writes concurrency/renew-beats-old`, change{driver: func(p *patch) {
			var saved sync.Map
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				saved.Store(rec.Version, rec)
				return p.Driver.Save(ctx, rec, cond)
			}
			p.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if rec, ok := saved.Load(version); ok {
					rec := rec.(driver.Record)
					rec.Expiry = e
					return p.Driver.Save(ctx, rec, driver.Always())
				}
				return p.Driver.Touch(ctx, id, version, e)
			}
		}}),
		kitMutant("save-resurrects", `concurrency/logout-beats-writer concurrency/renew-beats-old faults/events`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := p.Driver.Save(ctx, rec, cond)
				if _, ok := cond.Match(); ok && lostRace(err) {
					return p.Driver.Save(ctx, rec, driver.IfAbsent())
				}
				return err
			}
		}}),
		kitMutant("delete-is-always-ok", `concurrency/renew-twice`, change{driver: func(p *patch) {
			p.delete = func(ctx context.Context, id string) error {
				if err := p.Driver.Delete(ctx, id); !errors.Is(err, driver.ErrNotFound) {
					return err
				}
				return nil
			}
		}}),
		kitMutant("logout-is-final", `concurrency/fresh-after-logout concurrency/renew-twice`, change{driver: func(p *patch) {
			var lost atomic.Bool
			p.delete = func(ctx context.Context, id string) error {
				err := p.Driver.Delete(ctx, id)
				if errors.Is(err, driver.ErrNotFound) {
					lost.Store(true)
				}
				return err
			}
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if cond.Absent() && lost.Load() {
					return driver.ErrConflict
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("never-gives-up", `concurrency/storm-ends`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				for {
					err := k.Store.CommitCtx(ctx, token, data, e)
					if !errors.Is(err, driver.ErrConflict) || ctx.Err() != nil {
						return err
					}
				}
			}
		}}),
		kitMutant("last-writer-wins", `
			concurrency/commit-twice concurrency/different-keys concurrency/removed-by-other
			concurrency/removed-by-us data/too-large-merged expiry/merged faults/events`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if _, ok := cond.Match(); ok {
					old, err := p.Driver.Load(ctx, rec.ID)
					if err != nil {
						return err
					}
					cond = driver.IfVersion(old.Version)
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("keeps-all-keys", `concurrency/commit-twice concurrency/removed-by-other concurrency/removed-by-us`, change{kit: func(k *kit) {
			k.commit = merging(k, func(ours, stored map[string]any) { // union
				for key, v := range stored {
					if _, ok := ours[key]; !ok {
						ours[key] = v
					}
				}
			})
		}}),
		kitMutant("removal-wins", `concurrency/changed-and-removed concurrency/same-key`, change{kit: func(k *kit) {
			k.commit = merging(k, func(ours, stored map[string]any) {
				for key := range ours {
					if _, ok := stored[key]; !ok && len(key) == 1 { // those that meet begins with
						delete(ours, key)
					}
				}
			})
		}}),
		kitMutant("cuts-strings", `concurrency/same-key`, eachValue(func(v any) any {
			if s, ok := v.(string); ok {
				return s[:min(len(s), 900)]
			}
			return v
		})),
		kitMutant("writes-what-is-there", `concurrency/unchanged-writes-nothing expiry/touch-throttled ~concurrency/same-key ~concurrency/different-keys`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if err := k.Store.CommitCtx(ctx, token, data, e); err != nil || !tracked(ctx) {
					return err
				}
				rec, err := k.inner.Load(ctx, idOf(token))
				if err != nil {
					return nil
				}
				return k.inner.Touch(ctx, rec.ID, rec.Version, rec.Expiry)
			}
		}}),
		kitMutant("untracked-keeps", `
			concurrency/untracked-overwrites data/backend-limit data/too-large faults/cancelled faults/down`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if _, err := k.peek(idOf(token)); err == nil && !tracked(ctx) {
					return nil
				}
				return k.Store.CommitCtx(ctx, token, data, e)
			}
		}}),
		kitMutant("decodes-in-place", `data/changed-in-place`, coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
			deadline, values, err := scskit.Codec{}.Decode(data)
			for key, v := range values {
				if b, ok := v.([]byte); ok && len(b) > 0 {
					i := bytes.Index(data, b)
					values[key] = data[i : i+len(b)]
				}
			}
			return deadline, values, err
		}})),
		kitMutant("last-expiry-wins", `expiry/deadline-moved expiry/merged`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if _, ok := cond.Match(); ok {
					rec.Expiry = rec.Expiry.Add(-time.Minute)
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("int64-is-int", `data/types`, eachValue(func(v any) any {
			if n, ok := v.(int64); ok {
				return int(n)
			}
			return v
		})),
		kitMutant("structs-are-maps", `data/registered-struct`, eachValue(func(v any) any {
			if reflect.ValueOf(v).Kind() == reflect.Struct {
				if _, ok := v.(time.Time); !ok {
					return map[string]any{"struct": fmt.Sprint(v)}
				}
			}
			return v
		})),
		kitMutant("reads-no-gob", `data/legacy-gob`, coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
			if _, _, err := (scs.GobCodec{}).Decode(data); err == nil {
				return time.Time{}, nil, errors.New("unknown format")
			}
			return scskit.Codec{}.Decode(data)
		}})),
		kitMutant("no-limit", `data/limit-exact data/too-large data/too-large-merged`, change{options: func(o *scskit.Options) { o.MaxSize = 0 }}),
		kitMutant("limit-off-by-one", `data/limit-exact data/too-large`, change{options: func(o *scskit.Options) {
			if o.MaxSize > 0 {
				o.MaxSize++
			}
		}}),
		kitMutant("ignores-backend-limit", `data/backend-limit`, change{driver: func(p *patch) { p.limit = 1 << 30 }}),
		kitMutant("asks-for-nothing", `hostile/no-call`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				if token == "" {
					_, _ = k.inner.Load(ctx, token)
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		kitMutant("takes-ids", `faults/event-secrecy hostile/stored-id`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				if rec, err := k.peek(token); err == nil {
					return rec.Data, true, nil
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		kitMutant("takes-forged-keys", `hostile/forged-key`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				if parts := strings.Split(token, "."); len(parts) == 3 && len(parts[2]) > 43 {
					token = parts[1]
					if rec, err := k.peek(token); err == nil {
						return rec.Data, true, nil
					}
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		kitMutant("corrupt-is-an-error", `
			faults/event-secrecy faults/events faults/panicking-observer hostile/corrupt-once hostile/corrupt-record
			hostile/length-bomb`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				_, before := k.peek(idOf(token))
				data, found, err := k.Store.FindCtx(ctx, token)
				if err == nil && before == nil && !found {
					err = errors.New("cannot decode")
				}
				return data, found, err
			}
		}}),
		kitMutant("corrupt-is-told-twice", `faults/events hostile/corrupt-once`, observer(func(e *scskit.Event) int {
			if e.Kind == scskit.KindCorrupt {
				return 2
			}
			return 1
		})),
		kitMutant("panics-at-bombs", `hostile/length-bomb`, coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
			if bytes.Contains(data, []byte("\xdd\xff\xff\xff\xff")) {
				panic("runtime error: makeslice: len out of range")
			}
			return scskit.Codec{}.Decode(data)
		}})),
		kitMutant("ignores-cancel", `faults/cancelled faults/cancelled-midway`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				return k.Store.FindCtx(context.WithoutCancel(ctx), token)
			}
		}}),
		kitMutant("ignores-cancel-midway", `faults/cancelled-midway`, change{kit: func(k *kit) {
			k.delete = func(ctx context.Context, token string) error {
				if ctx.Err() == nil {
					ctx = context.WithoutCancel(ctx)
				}
				return k.Store.DeleteCtx(ctx, token)
			}
		}}),
		kitMutant("no-timeout", `faults/slow`, change{options: func(o *scskit.Options) { o.Timeout = -1 }}),
		kitMutant("down-is-missing", `faults/down faults/error-secrecy`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				data, found, err := k.Store.FindCtx(ctx, token)
				if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
					err = nil
				}
				return data, found, err
			}
		}}),
		kitMutant("failed-save-is-stored", `faults/down faults/failed-write`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := p.Driver.Save(ctx, rec, cond)
				if errors.Is(err, errDown) {
					_ = p.Driver.(*tap).Driver.Save(ctx, rec, cond)
				}
				return err
			}
		}}),
		kitMutant("failed-save-is-final", `
			faults/answer-lost faults/down faults/error-secrecy faults/event-failure faults/failed-write`, change{driver: func(p *patch) {
			var failed atomic.Bool
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if failed.Load() {
					return errors.New("transaction is aborted")
				}
				err := p.Driver.Save(ctx, rec, cond)
				failed.Store(errors.Is(err, errDown))
				return err
			}
		}}),
		kitMutant("tells-of-no-merge", `faults/events`, observer(func(e *scskit.Event) int {
			if e.Kind == scskit.KindMerge {
				return 0
			}
			return 1
		})),
		kitMutant("tells-of-no-failure", `faults/event-failure`, observer(func(e *scskit.Event) int {
			if e.Outcome == scskit.Failed && e.Kind != scskit.KindSweep {
				return 0
			}
			return 1
		})),
		kitMutant("tells-of-no-count", `cleanup/event`, observer(func(e *scskit.Event) int { e.Count = 0; return 1 })),
		kitMutant("tells-data", `faults/event-secrecy`, change{options: func(o *scskit.Options) {
			tell := o.Observer
			if tell == nil {
				return
			}
			o.Observer = func(ctx context.Context, e scskit.Event) {
				if e.Err != nil {
					e.Err = fmt.Errorf("%w: %s", e.Err, secret)
				}
				tell(ctx, e)
			}
		}}),
		kitMutant("error-holds-token", `faults/error-secrecy`, change{kit: func(k *kit) {
			k.delete = func(ctx context.Context, token string) error {
				if err := k.Store.DeleteCtx(ctx, token); err != nil {
					return fmt.Errorf("delete %s: %w", token, err)
				}
				return nil
			}
		}}),
		kitMutant("observer-may-panic", `faults/event-secrecy faults/panicking-observer`, change{kit: func(k *kit) {
			k.delete = func(ctx context.Context, token string) error {
				err := k.Store.DeleteCtx(ctx, token)
				if k.opts.Observer != nil && err == nil {
					k.opts.Observer(ctx, scskit.Event{Kind: scskit.KindDelete, Outcome: scskit.Missing})
				}
				return err
			}
		}}),
		kitMutant("sweeps-the-living", `cleanup/only-expired`, change{driver: func(p *patch) {
			p.sweep = func(ctx context.Context, limit int) (int, error) {
				n, err := p.swept(ctx, limit)
				if r, ok := p.Driver.(driver.Ranger); ok {
					for rec := range r.Range(ctx) {
						_ = p.Driver.Delete(ctx, rec.ID)
					}
				}
				return n, err
			}
		}}),
		kitMutant("sweeps-count-twice", `cleanup/only-expired cleanup/two-at-once`, change{driver: func(p *patch) {
			var total atomic.Int64
			p.sweep = func(ctx context.Context, limit int) (int, error) {
				n, err := p.swept(ctx, limit)
				total.Add(int64(n))
				beat()
				if n == 0 {
					n = int(total.Load())
				}
				return n, err
			}
		}}),
		kitMutant("sweeps-one-batch", `cleanup/batches cleanup/event cleanup/partial-failure faults/event-failure`, change{kit: func(k *kit) {
			k.sweep = func(ctx context.Context) (int, error) {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
				return newPatch(k.inner).swept(ctx, 1000)
			}
		}}),
		kitMutant("sweeps-without-limit", `cleanup/batches cleanup/partial-failure`, change{driver: func(p *patch) {
			p.sweep = func(ctx context.Context, _ int) (int, error) { return p.swept(ctx, 1<<30) }
		}}),
		kitMutant("sweep-forgets-what-it-did", `cleanup/partial-failure`, change{kit: func(k *kit) {
			k.sweep = func(ctx context.Context) (int, error) {
				n, err := k.Store.Sweep(ctx)
				if err != nil {
					n = 0
				}
				return n, err
			}
		}}),
		kitMutant("sweep-needs-a-sweeper", `cleanup/unsupported`, change{kit: func(k *kit) {
			k.sweep = func(ctx context.Context) (int, error) {
				if _, ok := k.inner.(driver.Sweeper); !ok {
					return 0, errors.ErrUnsupported
				}
				return k.Store.Sweep(ctx)
			}
		}}),
		kitMutant("sweeps-until-a-failure", `cleanup/ticks`, ticking(true, true)),
		kitMutant("stop-does-not-wait", `cleanup/stop`, ticking(false, false)),
		kitMutant("stop-stops-nothing", `cleanup/leaks-nothing cleanup/stop`, change{kit: func(k *kit) {
			k.start = func(interval time.Duration) func() { k.Store.StartSweep(interval); return func() {} }
		}}),
		kitMutant("stops-once", `cleanup/stop`, change{kit: func(k *kit) {
			k.start = func(interval time.Duration) func() {
				stop, stopped := k.Store.StartSweep(interval), make(chan struct{})
				return func() { close(stopped); stop() }
			}
		}}),
	}
}

// merging makes a commit merge what is stored into what it is given, whatever was loaded.
func merging(k *kit, merge func(ours, stored map[string]any)) func(context.Context, string, []byte, time.Time) error {
	return func(ctx context.Context, token string, data []byte, e time.Time) error {
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

// ticking is a StartSweep of its own.
func ticking(untilFailure, wait bool) change {
	return change{kit: func(k *kit) {
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
