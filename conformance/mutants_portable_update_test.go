package conformance

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

type lockFunc = func(ctx context.Context, token string,
	o scskit.LockOptions) (*scskit.SessionLock, error)

func updateMutant(name, check, defect string, c change) mutant {
	m := portableMutant(name, check, defect, c)
	m.group = "update/"
	return m
}

func locking(lock func(k *fakePortable) lockFunc) change {
	return change{portable: func(k *fakePortable) { k.lock = lock(k) }}
}

func portableUpdateMutants() []mutant {
	revoking := userMutant("updates-nothing", "user/update-racing",
		"UpdateSessionsOf changes no session, and says that it has", func(k *userPortable) {
			k.update = func(context.Context, string, func(map[string]any) error) (int, error) {
				return 1, nil
			}
		})
	revoking.group = "user/update-racing"
	uncounted := userMutant("update-counts-all", "user/update",
		"UpdateSessionsOf counts sessions that it has not changed", func(k *userPortable) {
			k.update = func(ctx context.Context, user string,
				change func(map[string]any) error) (int, error) {
				n, err := k.Store.UpdateSessionsOf(ctx, user, change)
				if n == 1 {
					n = 2
				}
				return n, err
			}
		})
	return []mutant{
		updateMutant("overwrites", "update/increments",
			"a conditional save overwrites what others have saved", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := p.Driver.Save(ctx, rec, cond)
					if _, ok := cond.Match(); ok && errors.Is(err, driver.ErrConflict) {
						return p.Driver.Save(ctx, rec, driver.Always())
					}
					return err
				}
			}}),
		updateMutant("no-merge-functions", "update/uploads",
			"Options.Merge is ignored", change{options: func(o *scskit.Options) { o.Merge = nil }}),
		updateMutant("locks-nothing", "update/locks",
			"Lock does not lock", locking(func(*fakePortable) lockFunc {
				return func(context.Context, string, scskit.LockOptions) (*scskit.SessionLock, error) {
					return &scskit.SessionLock{}, nil
				}
			})),
		updateMutant("lock-unknown-to-commits", "update/stale-lock",
			"a commit does not know of the lock", locking(func(k *fakePortable) lockFunc {
				return func(_ context.Context, token string,
					o scskit.LockOptions) (*scskit.SessionLock, error) {
					return k.Store.Lock(context.Background(), token, o)
				}
			})),
		updateMutant("lock-is-session", "update/lock-hidden",
			"a lock is listed as a session", change{driver: func(p *patch) {
				empty, _ := scskit.Codec{}.Encode(time.Now().Add(time.Hour), nil)
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if bytes.Contains(rec.Data, []byte("scskit: lock")) {
						rec.Data = empty
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		revoking,
		uncounted,
	}
}
