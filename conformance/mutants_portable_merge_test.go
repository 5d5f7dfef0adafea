package conformance

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

func portableMergeMutants() []mutant {
	return []mutant{
		portableMutant("touch-writes-data", "concurrency/reader-keeps-writes",
			"a touch writes the data as well", change{driver: func(p *patch) {
				var saved sync.Map
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					saved.Store(rec.Version, rec)
					return p.Driver.Save(ctx, rec, cond)
				}
				p.touch = func(ctx context.Context, rec driver.Record) error {
					if last, ok := saved.Load(rec.Version); ok {
						last := last.(driver.Record)
						last.Expiry = rec.Expiry
						return p.Driver.Save(ctx, last, driver.Always())
					}
					return p.Driver.Touch(ctx, rec)
				}
			}}),
		portableMutant("save-resurrects", "concurrency/logout-beats-writer",
			"a save creates the session again if it was destroyed", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if _, ok := cond.Match(); ok && lostRace(err) {
						return p.Driver.Save(ctx, rec, driver.IfAbsent())
					}
					return err
				}
			}}),
		portableMutant("logout-is-final", "renewal/fresh-after-logout",
			"after a Destroy that came second no session can be created",
			change{driver: func(p *patch) {
				var lost atomic.Bool
				p.delete = func(ctx context.Context, id string, cond driver.Condition) error {
					err := p.Driver.Delete(ctx, id, cond)
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
		portableMutant("never-gives-up", "concurrency/storm-ends",
			"a commit that loses the race is tried again for ever", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					for {
						err := k.Store.CommitCtx(ctx, token, data, e)
						if !errors.Is(err, driver.ErrConflict) || ctx.Err() != nil {
							return err
						}
					}
				}
			}}),
		portableMutant("last-writer-wins", "concurrency/different-keys",
			"a commit overwrites what others have saved", change{driver: func(p *patch) {
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
		portableMutant("keeps-all-keys", "concurrency/removed-by-us",
			"a merge keeps every key that is stored", change{portable: func(k *fakePortable) {
				k.merging(func(ours, stored map[string]any) { // union
					for key, v := range stored {
						if _, ok := ours[key]; !ok {
							ours[key] = v
						}
					}
				})
			}}),
		portableMutant("removal-wins", "concurrency/changed-and-removed",
			"a merge drops a changed key that another request has removed",
			change{portable: func(k *fakePortable) {
				k.merging(func(ours, stored map[string]any) {
					for key := range ours {
						if _, ok := stored[key]; !ok && len(key) == 1 { // the keys of commitBoth
							delete(ours, key)
						}
					}
				})
			}}),
		portableMutant("cuts-strings", "concurrency/same-key",
			"the codec cuts strings to 900 bytes", eachValue(func(v any) any {
				if s, ok := v.(string); ok {
					return s[:min(len(s), 900)]
				}
				return v
			})),
		portableMutant("writes-what-is-there", "concurrency/unchanged-writes-nothing",
			"a commit without changes writes the expiry", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if err := k.Store.CommitCtx(ctx, token, data, e); err != nil || !tracked(ctx) {
						return err
					}
					rec, err := k.inner.Load(ctx, idOf(token))
					if err != nil {
						return nil //nolint:nilerr // the session is gone, but the commit has succeeded
					}
					return k.inner.Touch(ctx, rec)
				}
			}}),
		portableMutant("untracked-keeps", "concurrency/untracked-overwrites",
			"a commit without a tracker keeps the stored session", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if _, err := k.peek(idOf(token)); err == nil && !tracked(ctx) {
						return nil
					}
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
	}
}
