package scskit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// sweepBatch is how many records one statement of a sweep removes: few enough that
// nobody waits for it, enough that a round trip does not matter.
const sweepBatch = 1000

// Sweep removes the expired records, batch by batch, and returns how many it
// removed, also when it fails or ctx ends midway; what is left is removed by the next
// sweep. Any number of sweeps may run at once. Expired sessions are never found,
// swept or not: a sweep only frees the room. Where the backend does so itself there
// is nothing to do, and the result is 0.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	sweeper, ok := s.driver.(driver.Sweeper)
	if !ok {
		return 0, nil
	}
	start := time.Now()
	for n := sweepBatch; n == sweepBatch && err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		op := s.begin(ctx)
		n, err = sweeper.Sweep(op.ctx, sweepBatch)
		if op.cancel != nil {
			op.cancel()
		}
		removed += n
	}
	e := Event{Kind: KindSweep, Outcome: OK, Duration: time.Since(start), Count: removed}
	if err != nil {
		err = fmt.Errorf("scskit: sweep: %w", err)
		e.Outcome, e.Err = Failed, err
	}
	s.report(ctx, e)
	return removed, err
}

// StartSweep sweeps every interval, on a goroutine of its own, until stop is called. stop ends a sweep
// that is running, waits for the goroutine to return, and may be called
// more than once and at the same time. Errors go to the Observer. StartSweep panics if
// the interval is not positive, as time.NewTicker does.
func (s *Store) StartSweep(interval time.Duration) (stop func()) {
	ticker := time.NewTicker(interval)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_, _ = s.Sweep(ctx)
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
