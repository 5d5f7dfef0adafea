package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func kitFaultMutants() []mutant {
	return []mutant{
		kitMutant("no-limit", `data/limit-exact data/too-large data/too-large-merged`,
			change{options: func(o *scskit.Options) { o.MaxSize = 0 }}),
		kitMutant("limit-off-by-one", `data/limit-exact data/too-large`,
			change{options: func(o *scskit.Options) {
				if o.MaxSize > 0 {
					o.MaxSize++
				}
			}}),
		kitMutant("ignores-backend-limit", `data/backend-limit`,
			change{driver: func(p *patch) { p.limit = 1 << 30 }}),
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
				if parts := strings.Split(token, "."); len(parts) == 5 && len(parts[4]) > 43 {
					token = parts[1]
					if rec, err := k.peek(token); err == nil {
						return rec.Data, true, nil
					}
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		kitMutant("corrupt-is-an-error", `
			concurrency/renew-beats-old faults/event-secrecy faults/events
			faults/panicking-observer hostile/corrupt-once hostile/corrupt-record
			hostile/length-bomb renewal/again renewal/given-up renewal/keeps-writes
			renewal/merge-failed renewal/two-at-once renewal/unlisted user/destroy-all-but-own`, change{kit: func(k *kit) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				_, before := k.peek(idOf(token))
				data, found, err := k.Store.FindCtx(ctx, token)
				if err == nil && before == nil && !found {
					err = errors.New("cannot decode")
				}
				return data, found, err
			}
		}}),
		kitMutant("corrupt-is-told-twice", `all/damaged faults/events hostile/corrupt-once`,
			observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindCorrupt {
					return 2
				}
				return 1
			})),
		kitMutant("panics-at-bombs", `hostile/length-bomb`,
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
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
		kitMutant("no-timeout", `cleanup/slow-batch faults/client-gone faults/slow`,
			change{options: func(o *scskit.Options) { o.Timeout = -1 }}),
		kitMutant("down-is-missing", `data/newer-format faults/down faults/error-secrecy`,
			change{kit: func(k *kit) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
						err = nil
					}
					return data, found, err
				}
			}}),
		kitMutant("failed-save-is-stored", `faults/down faults/failed-write`,
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if errors.Is(err, errDown) {
						_ = p.Driver.(*tap).Driver.Save(ctx, rec, cond)
					}
					return err
				}
			}}),
		kitMutant("failed-save-is-final", `
			faults/answer-lost faults/down faults/error-secrecy faults/event-failure
			faults/failed-write renewal/failed renewal/merge-failed`, change{driver: func(p *patch) {
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
		kitMutant("refuses-its-own-save", `faults/save-repeated`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := p.Driver.Save(ctx, rec, cond)
				if stored, _ := p.Driver.Load(ctx, rec.ID); errors.Is(err, driver.ErrConflict) &&
					stored.Version == rec.Version {
					return errors.New("there is a session of this id")
				}
				return err
			}
		}}),
		kitMutant("tells-of-no-merge", `faults/events`, observer(func(e *scskit.Event) int {
			if e.Kind == scskit.KindMerge {
				return 0
			}
			return 1
		})),
		kitMutant("tells-of-no-failure", `faults/event-failure faults/failed-touch`,
			observer(func(e *scskit.Event) int {
				if e.Outcome == scskit.OutcomeFailed && e.Kind != scskit.KindSweep {
					return 0
				}
				return 1
			})),
		kitMutant("tells-of-no-count", `cleanup/event`,
			observer(func(e *scskit.Event) int { e.Count = 0; return 1 })),
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
		kitMutant("observer-may-panic", `faults/event-secrecy faults/panicking-observer`,
			change{kit: func(k *kit) {
				k.delete = func(ctx context.Context, token string) error {
					err := k.Store.DeleteCtx(ctx, token)
					if k.opts.Observer != nil && err == nil {
						k.opts.Observer(ctx, scskit.Event{Kind: scskit.KindDelete, Outcome: scskit.OutcomeMissing})
					}
					return err
				}
			}}),
		kitMutant("sweeps-the-living", `cleanup/moved cleanup/only-expired`,
			change{driver: func(p *patch) {
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
		kitMutant("sweeps-count-twice", `cleanup/only-expired cleanup/two-at-once`,
			change{driver: func(p *patch) {
				var total atomic.Int64
				p.sweep = func(ctx context.Context, limit int) (int, error) {
					n, err := p.swept(ctx, limit)
					total.Add(int64(n))
					beat()
					if n == 0 && limit > 500 {
						n = int(total.Load())
					}
					return n, err
				}
			}}),
		kitMutant("sweeps-one-batch",
			`cleanup/batches cleanup/event cleanup/partial-failure cleanup/slow-batch faults/event-failure`,
			change{kit: func(k *kit) {
				k.sweep = func(ctx context.Context) (int, error) {
					ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
					defer cancel()
					return newPatch(k.inner).swept(ctx, 1000)
				}
			}}),
		kitMutant("sweeps-without-limit", `cleanup/batches cleanup/partial-failure cleanup/slow-batch`,
			change{driver: func(p *patch) {
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
				if _, ok := driver.As[driver.Sweeper](k.inner); !ok {
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
		kitMutant("sweeps-leave-goroutines", `cleanup/leaks-nothing`, change{driver: func(p *patch) {
			p.sweep = func(ctx context.Context, limit int) (int, error) {
				go func() { <-time.After(time.Minute) }()
				return p.swept(ctx, limit)
			}
		}}),
		kitMutant("stops-once", `cleanup/stop`, change{kit: func(k *kit) {
			k.start = func(interval time.Duration) func() {
				stop, stopped := k.Store.StartSweep(interval), make(chan struct{})
				return func() { close(stopped); stop() }
			}
		}}),
	}
}
