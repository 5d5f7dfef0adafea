package conformance

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/tracking"
)

// isTombstone reports whether data is the record that a renewal leaves behind.
func isTombstone(data []byte) bool { return bytes.HasPrefix(data, []byte("\x00scskit: renewed")) }

// portableRenewalMutants mishandle renewals and concurrent requests.
func portableRenewalMutants() []mutant {
	return []mutant{
		portableMutant("deletes-at-once", "renewal/keeps-writes",
			"Delete removes the record when a renewal begins, as with any other store",
			change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					err := k.inner.Delete(ctx, idOf(token), driver.Always())
					if errors.Is(err, driver.ErrNotFound) {
						return nil
					}
					return err
				}
			}}),
		portableMutant("dies-with-the-client", "faults/client-gone",
			"Delete fails if its context ends while it runs", change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					err := k.Store.DeleteCtx(ctx, token)
					if tracked(ctx) && ctx.Err() != nil {
						return ctx.Err()
					}
					return err
				}
			}}),
		portableMutant("equal-puts-lose", "concurrency/overwritten",
			"a merge ignores a put of the value that was loaded", change{portable: takesEqualPutsForNone}),
		portableMutant("keeps-quiet", "faults/stock-middleware",
			"there is no event for a commit without a tracker", observer(func(e *scskit.Event) int {
				if e.Kind == scskit.KindUntracked {
					return 0
				}
				return 1
			})),
		portableMutant("one-renewal-wins", "renewal/two-at-once",
			"of two renewals of one session, the second finds nothing", change{driver: func(p *patch) {
				p.load = func(ctx context.Context, id string) (driver.Record, error) {
					rec, err := p.Driver.Load(ctx, id)
					if err == nil && isTombstone(rec.Data) {
						return driver.Record{}, driver.ErrNotFound
					}
					return rec, err
				}
			}}),
		portableMutant("renews-once", "renewal/again",
			"a second renewal leaves the old session alive", change{driver: func(p *patch) {
				var renewed atomic.Bool
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if isTombstone(rec.Data) && renewed.Load() {
						return nil
					}
					err := p.Driver.Save(ctx, rec, cond)
					if err == nil && isTombstone(rec.Data) {
						renewed.Store(true)
					}
					return err
				}
			}}),
		portableMutant("logout-misses-renewal", "renewal/before-logout",
			"Delete ignores a session that was renewed since it was loaded",
			change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if rec, err := k.peek(idOf(token)); err == nil && isTombstone(rec.Data) {
						return nil
					}
					return k.Store.DeleteCtx(ctx, token)
				}
			}}),
		portableMutant("forgets-what-was-renewed", "renewal/after-logout",
			"Delete ignores a session that is gone, so a sign-out before a renewal is lost",
			change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if _, err := k.peek(idOf(token)); errors.Is(err, driver.ErrNotFound) && token != "" {
						return nil
					}
					return k.Store.DeleteCtx(ctx, token)
				}
			}}),
		portableMutant("one-manager", "renewal/two-managers",
			"every commit takes the first token that was loaded for its own",
			change{portable: func(k *fakePortable) {
				var first atomic.Pointer[string]
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					first.CompareAndSwap(nil, &token)
					return k.Store.FindCtx(ctx, token)
				}
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if loaded := first.Load(); loaded != nil {
						ctx = tracking.WithCommitter(ctx, "another manager", *loaded)
					}
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
		portableMutant("finds-tombstones", "renewal/unlisted",
			"Find returns an empty session for what a renewal leaves behind",
			change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					if rec, err := k.peek(idOf(token)); err == nil && isTombstone(rec.Data) {
						data, err := k.Codec().Encode(in(lifetime), map[string]any{})
						return data, true, err
					}
					return k.Store.FindCtx(ctx, token)
				}
			}}),
		portableMutant("one-at-a-time", "concurrency/no-stranger-waits",
			"commits wait for those of other sessions", change{portable: func(k *fakePortable) {
				var mu sync.Mutex
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					mu.Lock()
					defer mu.Unlock()
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
		portableMutant("touch-only-extends", "expiry/idle-shortened",
			"a touch moves the expiry only to a later one", change{driver: func(p *patch) {
				p.touch = func(ctx context.Context, rec driver.Record) error {
					if old, err := p.Driver.Load(ctx, rec.ID); err == nil && old.Version == rec.Version &&
						old.Expiry.After(rec.Expiry) {
						return nil
					}
					return p.Driver.Touch(ctx, rec)
				}
			}}),
		portableMutant("needs-its-touch", "faults/failed-touch",
			"a commit fails if the touch of an unchanged session fails", func() change {
				var failed sync.Map // errors by id
				return change{
					options: func(o *scskit.Options) {
						tell := o.Observer
						o.Observer = func(ctx context.Context, e scskit.Event) {
							if e.Kind == scskit.KindTouch && e.Outcome == scskit.OutcomeFailed {
								failed.Store(e.ID, e.Err)
							}
							if tell != nil {
								tell(ctx, e)
							}
						}
					},
					portable: func(k *fakePortable) {
						k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
							err := k.Store.CommitCtx(ctx, token, data, e)
							if touch, ok := failed.LoadAndDelete(idOf(token)); ok && err == nil {
								return touch.(error)
							}
							return err
						}
					},
				}
			}()),
		portableMutant("renewal-leads-nowhere", "user/destroy-renewing",
			"what a renewal leaves behind does not have the id of the renewed session",
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if isTombstone(rec.Data) {
						rec.Data = rec.Data[:bytes.LastIndexByte(rec.Data, 0)+1]
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("destroys-until-none", "user/destroy-signing-in",
			"DestroySessionsOf begins again as long as it finds sessions",
			change{portable: func(k *fakePortable) {
				k.destroyOf = func(ctx context.Context, user string, except ...string) (total int, err error) {
					for n := 1; n > 0 && err == nil; total += n {
						n, err = k.Store.DestroySessionsOf(ctx, user, except...)
					}
					return total, err
				}
			}}),
		portableMutant("destroys-its-own", "user/destroy-all-but-own",
			"DestroySessionsOf destroys the session that the request is renewing",
			change{portable: func(k *fakePortable) {
				k.destroyOf = func(_ context.Context, user string, except ...string) (int, error) {
					return k.Store.DestroySessionsOf(context.Background(), user, except...)
				}
			}}),
		portableMutant("iterates-blindly", "all/iterate-overwrites-nothing",
			"a commit under a key of All overwrites what others have saved",
			change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					id, isKey := strings.CutPrefix(token, "id.")
					if !isKey || tracked(ctx) {
						return k.Store.CommitCtx(ctx, token, data, e)
					}
					id, _, _ = strings.Cut(id, ".")
					now := time.Now()
					return k.inner.Save(ctx, driver.Record{
						ID: id, Data: data, Expiry: e, Created: now, Updated: now, Version: now.UnixNano(),
					}, driver.Always())
				}
			}}),
		portableMutant("ends-at-damage", "all/damaged",
			"All returns records that do not decode", change{portable: func(k *fakePortable) {
				k.all = func(ctx context.Context) (map[string][]byte, error) {
					all, err := k.Store.AllCtx(ctx)
					r, ok := driver.As[driver.Ranger](k.inner)
					if !ok {
						return all, err
					}
					for rec, rangeErr := range r.Range(ctx) {
						if rangeErr == nil && bytes.HasPrefix(rec.Data, []byte("not a session")) {
							all[newToken()] = rec.Data
						}
					}
					return all, err
				}
			}}),
	}
}

// takesEqualPutsForNone makes every commit take the stored value of a key whose own value equals
// the loaded one.
func takesEqualPutsForNone(k *fakePortable) {
	codec := scskit.Codec{}
	var loaded sync.Map
	k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
		data, found, err := k.Store.FindCtx(ctx, token)
		if found {
			loaded.Store(token, data)
		}
		return data, found, err
	}
	k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
		rec, err := k.peek(idOf(token))
		base, ok := loaded.Load(token)
		if err != nil || !ok || !tracked(ctx) || isTombstone(rec.Data) {
			return k.Store.CommitCtx(ctx, token, data, e)
		}
		deadline, ours, err := codec.Decode(data)
		_, theirs, theirErr := codec.Decode(rec.Data)
		_, was, baseErr := codec.Decode(base.([]byte))
		if err != nil || theirErr != nil || baseErr != nil {
			return k.Store.CommitCtx(ctx, token, data, e)
		}
		for key := range was {
			their, have := theirs[key]
			if reflect.DeepEqual(ours[key], was[key]) && have && !reflect.DeepEqual(their, was[key]) {
				ours[key] = their
			}
		}
		if data, err = codec.Encode(deadline, ours); err != nil {
			return err
		}
		return k.Store.CommitCtx(ctx, token, data, e)
	}
}
