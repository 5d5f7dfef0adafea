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

func portableFaultsMutants() []mutant {
	return []mutant{
		portableMutant("asks-for-nothing", `hostile/no-call`, change{portable: func(k *bentPortable) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				if token == "" {
					_, _ = k.inner.Load(ctx, token)
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		portableMutant("takes-ids", `faults/event-secrecy hostile/stored-id`, change{portable: func(k *bentPortable) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				if rec, err := k.peek(token); err == nil {
					return rec.Data, true, nil
				}
				return k.Store.FindCtx(ctx, token)
			}
		}}),
		portableMutant("takes-forged-keys", `hostile/forged-key`, change{portable: func(k *bentPortable) {
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
		portableMutant("corrupt-is-an-error", `
			concurrency/renew-beats-old faults/event-secrecy faults/events
			faults/panicking-observer hostile/corrupt-once hostile/corrupt-record
			hostile/length-bomb renewal/again renewal/given-up renewal/keeps-writes
			renewal/merge-failed renewal/two-at-once renewal/unlisted user/destroy-all-but-own`, change{portable: func(k *bentPortable) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				_, before := k.peek(idOf(token))
				data, found, err := k.Store.FindCtx(ctx, token)
				if err == nil && before == nil && !found {
					err = errors.New("cannot decode")
				}
				return data, found, err
			}
		}}),
		portableMutant("corrupt-is-told-twice", `all/damaged faults/events hostile/corrupt-once`,
			observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindCorrupt {
					return 2
				}
				return 1
			})),
		portableMutant("panics-at-bombs", `hostile/length-bomb`,
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				if bytes.Contains(data, []byte("\xdd\xff\xff\xff\xff")) {
					panic("runtime error: makeslice: len out of range")
				}
				return scskit.Codec{}.Decode(data)
			}})),
		portableMutant("ignores-cancel", `faults/cancelled faults/cancelled-midway`, change{portable: func(k *bentPortable) {
			k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				return k.Store.FindCtx(context.WithoutCancel(ctx), token)
			}
		}}),
		portableMutant("ignores-cancel-midway", `faults/cancelled-midway`, change{portable: func(k *bentPortable) {
			k.delete = func(ctx context.Context, token string) error {
				if ctx.Err() == nil {
					ctx = context.WithoutCancel(ctx)
				}
				return k.Store.DeleteCtx(ctx, token)
			}
		}}),
		portableMutant("no-timeout", `cleanup/slow-batch faults/client-gone faults/slow`,
			change{options: func(o *scskit.Options) { o.Timeout = -1 }}),
		portableMutant("down-is-missing", `data/newer-format faults/down faults/error-secrecy`,
			change{portable: func(k *bentPortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
						err = nil
					}
					return data, found, err
				}
			}}),
		portableMutant("failed-save-is-stored", `faults/down faults/failed-write`,
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if errors.Is(err, errDown) {
						_ = p.Driver.(*tap).Driver.Save(ctx, rec, cond)
					}
					return err
				}
			}}),
		portableMutant("failed-save-is-final", `
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
		portableMutant("refuses-its-own-save", `faults/save-repeated`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := p.Driver.Save(ctx, rec, cond)
				if stored, _ := p.Driver.Load(ctx, rec.ID); errors.Is(err, driver.ErrConflict) &&
					stored.Version == rec.Version {
					return errors.New("there is a session of this id")
				}
				return err
			}
		}}),
		portableMutant("tells-of-no-merge", `faults/events`, observer(func(e *scskit.Event) int {
			if e.Kind == scskit.KindMerge {
				return 0
			}
			return 1
		})),
		portableMutant("tells-of-no-failure", `faults/event-failure faults/failed-touch`,
			observer(func(e *scskit.Event) int {
				if e.Outcome == scskit.OutcomeFailed && e.Kind != scskit.KindSweep {
					return 0
				}
				return 1
			})),
		portableMutant("tells-of-no-count", `cleanup/event`,
			observer(func(e *scskit.Event) int { e.Count = 0; return 1 })),
		portableMutant("tells-data", `faults/event-secrecy`, change{options: func(o *scskit.Options) {
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
		portableMutant("error-holds-token", `faults/error-secrecy`, change{portable: func(k *bentPortable) {
			k.delete = func(ctx context.Context, token string) error {
				if err := k.Store.DeleteCtx(ctx, token); err != nil {
					return fmt.Errorf("delete %s: %w", token, err)
				}
				return nil
			}
		}}),
		portableMutant("observer-may-panic", `faults/event-secrecy faults/panicking-observer`,
			change{portable: func(k *bentPortable) {
				k.delete = func(ctx context.Context, token string) error {
					err := k.Store.DeleteCtx(ctx, token)
					if k.opts.Observer != nil && err == nil {
						k.opts.Observer(ctx, scskit.Event{Kind: scskit.KindDelete, Outcome: scskit.OutcomeMissing})
					}
					return err
				}
			}}),
	}
}
