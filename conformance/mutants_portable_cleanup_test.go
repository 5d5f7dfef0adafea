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
		portableMutant("sweeps-the-living", `cleanup/moved cleanup/only-expired`,
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
		portableMutant("sweeps-count-twice", `cleanup/only-expired cleanup/two-at-once`,
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
		portableMutant("sweeps-one-batch",
			`cleanup/batches cleanup/event cleanup/partial-failure cleanup/slow-batch faults/event-failure`,
			change{portable: func(k *bentPortable) {
				k.sweep = func(ctx context.Context) (int, error) {
					ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
					defer cancel()
					return newPatch(k.inner).swept(ctx, 1000)
				}
			}}),
		portableMutant("sweeps-without-limit", `cleanup/batches cleanup/partial-failure cleanup/slow-batch`,
			change{driver: func(p *patch) {
				p.sweep = func(ctx context.Context, _ int) (int, error) { return p.swept(ctx, 1<<30) }
			}}),
		portableMutant("sweep-forgets-what-it-did", `cleanup/partial-failure`, change{portable: func(k *bentPortable) {
			k.sweep = func(ctx context.Context) (int, error) {
				n, err := k.Store.Sweep(ctx)
				if err != nil {
					n = 0
				}
				return n, err
			}
		}}),
		portableMutant("sweep-needs-a-sweeper", `cleanup/unsupported`, change{portable: func(k *bentPortable) {
			k.sweep = func(ctx context.Context) (int, error) {
				if _, ok := driver.As[driver.Sweeper](k.inner); !ok {
					return 0, errors.ErrUnsupported
				}
				return k.Store.Sweep(ctx)
			}
		}}),
		portableMutant("sweeps-until-a-failure", `cleanup/ticks`, ticking(true, true)),
		portableMutant("stop-does-not-wait", `cleanup/stop`, ticking(false, false)),
		portableMutant("stop-stops-nothing", `cleanup/leaks-nothing cleanup/stop`, change{portable: func(k *bentPortable) {
			k.start = func(interval time.Duration) func() { k.Store.StartSweep(interval); return func() {} }
		}}),
		portableMutant("sweeps-leave-goroutines", `cleanup/leaks-nothing`, change{driver: func(p *patch) {
			p.sweep = func(ctx context.Context, limit int) (int, error) {
				go func() { <-time.After(time.Minute) }()
				return p.swept(ctx, limit)
			}
		}}),
		portableMutant("stops-once", `cleanup/stop`, change{portable: func(k *bentPortable) {
			k.start = func(interval time.Duration) func() {
				stop, stopped := k.Store.StartSweep(interval), make(chan struct{})
				return func() { close(stopped); stop() }
			}
		}}),
	}
}
