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
		portableMutant("asks-for-nothing", "hostile/no-call",
			"Find calls the driver for an empty token", change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					if token == "" {
						_, _ = k.inner.Load(ctx, token)
					}
					return k.Store.FindCtx(ctx, token)
				}
			}}),
		portableMutant("takes-ids", "hostile/stored-id",
			"Find takes the id of a record for a token", change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					if rec, err := k.peek(token); err == nil {
						return rec.Data, true, nil
					}
					return k.Store.FindCtx(ctx, token)
				}
			}}),
		portableMutant("takes-forged-keys", "hostile/forged-key",
			"Find takes a key of All with characters added", change{portable: func(k *fakePortable) {
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
		portableMutant("corrupt-is-an-error", "hostile/corrupt-record",
			"Find returns an error for a record that does not decode",
			change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					_, before := k.peek(idOf(token))
					data, found, err := k.Store.FindCtx(ctx, token)
					if err == nil && before == nil && !found {
						err = errors.New("cannot decode")
					}
					return data, found, err
				}
			}}),
		portableMutant("corrupt-is-told-twice", "hostile/corrupt-once",
			"the event of a corrupt record comes twice",
			observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindCorrupt {
					return 2
				}
				return 1
			})),
		portableMutant("panics-at-bombs", "hostile/length-bomb",
			"the codec panics at a length that the record does not have",
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				if bytes.Contains(data, []byte("\xdd\xff\xff\xff\xff")) {
					panic("runtime error: makeslice: len out of range")
				}
				return scskit.Codec{}.Decode(data)
			}})),
		portableMutant("ignores-cancel", "faults/cancelled",
			"Find ignores the end of its context", change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					return k.Store.FindCtx(context.WithoutCancel(ctx), token)
				}
			}}),
		portableMutant("ignores-cancel-midway", "faults/cancelled-midway",
			"Delete ignores a context that ends while it runs", change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if ctx.Err() == nil {
						ctx = context.WithoutCancel(ctx)
					}
					return k.Store.DeleteCtx(ctx, token)
				}
			}}),
		portableMutant("no-timeout", "faults/slow",
			"Options.Timeout is ignored",
			change{options: func(o *scskit.Options) { o.Timeout = -1 }}),
		portableMutant("down-is-missing", "faults/down",
			"Find takes a failure of the backend for a missing session",
			change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
						err = nil
					}
					return data, found, err
				}
			}}),
		portableMutant("failed-save-is-stored", "faults/failed-write",
			"a save that fails is stored",
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if errors.Is(err, errDown) {
						_ = p.Driver.(*tap).Driver.Save(ctx, rec, cond)
					}
					return err
				}
			}}),
		portableMutant("failed-save-is-final", "faults/answer-lost",
			"after a save that failed all others fail", change{driver: func(p *patch) {
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
		portableMutant("refuses-its-own-save", "faults/save-repeated",
			"a save that is sent twice fails", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if stored, _ := p.Driver.Load(ctx, rec.ID); errors.Is(err, driver.ErrConflict) &&
						stored.Version == rec.Version {
						return errors.New("there is a session of this id")
					}
					return err
				}
			}}),
		portableMutant("tells-of-no-merge", "faults/events",
			"there is no event for a merge", observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindMerge {
					return 0
				}
				return 1
			})),
		portableMutant("tells-of-no-failure", "faults/event-failure",
			"there is no event for a failure",
			observer(func(e *scskit.Event) int {
				if e.Outcome == scskit.OutcomeFailed && e.Kind != scskit.KindSweep {
					return 0
				}
				return 1
			})),
		portableMutant("tells-of-no-count", "cleanup/event",
			"the event of a sweep has no count",
			observer(func(e *scskit.Event) int { e.Count = 0; return 1 })),
		portableMutant("tells-data", "faults/event-secrecy",
			"the error of an event has session data in its text", change{options: func(o *scskit.Options) {
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
		portableMutant("error-holds-token", "faults/error-secrecy",
			"the error of Delete has the token in its text", change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if err := k.Store.DeleteCtx(ctx, token); err != nil {
						return fmt.Errorf("delete %s: %w", token, err)
					}
					return nil
				}
			}}),
		portableMutant("observer-may-panic", "faults/panicking-observer",
			"a panic of the Observer reaches the caller of Delete",
			change{portable: func(k *fakePortable) {
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
