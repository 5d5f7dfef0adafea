package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

func portableCleanupMutants() []mutant {
	return []mutant{
		portableMutant("sweeps-the-living", "cleanup/only-expired",
			"a sweep removes live sessions",
			change{driver: func(p *patch) {
				p.sweep = func(ctx context.Context, limit int) (int, error) {
					n, err := p.swept(ctx, limit)
					if r, ok := p.Driver.(driver.Ranger); ok {
						for rec := range r.Range(ctx) {
							_ = p.Driver.Delete(ctx, rec.ID, driver.Always())
						}
					}
					return n, err
				}
			}}),
		portableMutant("sweeps-count-twice", "cleanup/two-at-once",
			"concurrent sweeps count the same session",
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
		portableMutant("sweeps-one-batch", "cleanup/batches",
			"a sweep ends after one batch",
			change{portable: func(k *fakePortable) {
				k.sweep = func(ctx context.Context) (int, error) {
					ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
					defer cancel()
					return newPatch(k.inner).swept(ctx, 1000)
				}
			}}),
		portableMutant("sweeps-without-limit", "cleanup/partial-failure",
			"a sweep has one batch without a limit",
			change{driver: func(p *patch) {
				p.sweep = func(ctx context.Context, _ int) (int, error) { return p.swept(ctx, 1<<30) }
			}}),
		portableMutant("sweep-forgets-what-it-did", "cleanup/partial-failure",
			"a sweep that fails returns a count of 0", change{portable: func(k *fakePortable) {
				k.sweep = func(ctx context.Context) (int, error) {
					n, err := k.Store.Sweep(ctx)
					if err != nil {
						n = 0
					}
					return n, err
				}
			}}),
		portableMutant("sweep-needs-a-sweeper", "cleanup/unsupported",
			"Sweep returns an error if the driver cannot sweep", change{portable: func(k *fakePortable) {
				k.sweep = func(ctx context.Context) (int, error) {
					if _, ok := driver.As[driver.Sweeper](k.inner); !ok {
						return 0, errors.ErrUnsupported
					}
					return k.Store.Sweep(ctx)
				}
			}}),
		portableMutant("sweeps-until-a-failure", "cleanup/ticks",
			"StartSweep ends after a sweep that failed", ticking(true, true)),
		portableMutant("stop-does-not-wait", "cleanup/stop",
			"stop returns while a sweep runs", ticking(false, false)),
		portableMutant("stop-stops-nothing", "cleanup/leaks-nothing",
			"stop does nothing", change{portable: func(k *fakePortable) {
				k.start = func(interval time.Duration) func() { k.Store.StartSweep(interval); return func() {} }
			}}),
		portableMutant("sweeps-leave-goroutines", "cleanup/leaks-nothing",
			"each sweep leaves a goroutine behind", change{driver: func(p *patch) {
				p.sweep = func(ctx context.Context, limit int) (int, error) {
					go func() { <-time.After(time.Minute) }()
					return p.swept(ctx, limit)
				}
			}}),
		portableMutant("stops-once", "cleanup/stop",
			"stop panics when it is called again", change{portable: func(k *fakePortable) {
				k.start = func(interval time.Duration) func() {
					stop, stopped := k.Store.StartSweep(interval), make(chan struct{})
					return func() { close(stopped); stop() }
				}
			}}),
	}
}
