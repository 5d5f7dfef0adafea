package scskit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// sweepBatch is how many records a sweep removes at a time: few enough that nobody waits
// long for it, enough that a round trip does not matter. After a batch that takes longer than
// Options.Timeout it is a tenth of that, so that slow backends get there too.
const sweepBatch = 1000

// maxRest bounds the pause after a batch: one that took long may have waited for others itself.
const maxPause = time.Second

// Sweep removes the expired records, batch by batch, and returns how many it removed, also when it
// fails or ctx ends midway; what is left is removed by the next sweep. Any number of sweeps may run
// at once. After each batch it rests as long as the batch took, a second at most, so that it takes
// no more than half of what the backend can do, and those whom it kept waiting come first. A batch
// that runs into Options.Timeout is followed by smaller ones; the sweep fails only if even one
// record takes longer. Expired sessions are never found, swept or not: a sweep only frees the room.
// Where the backend does so itself there is nothing to do, and the result is 0.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	sweeper, ok := driver.As[driver.Sweeper](s.driver)
	if !ok {
		return 0, nil
	}
	start := time.Now()
	for limit := sweepBatch; ; {
		var n int
		var took time.Duration
		var timedOut bool
		n, took, timedOut, err = s.sweepBatch(ctx, sweeper, limit)
		removed += n
		if timedOut && (n > 0 || limit > 1) {
			limit = max(limit/10, 1)
		} else if err != nil || n < limit {
			break
		}
		if err = pause(ctx, min(took, maxPause)); err != nil {
			break
		}
	}
	e := Event{Kind: KindSweep, Outcome: OutcomeOK, Duration: time.Since(start), Count: removed}
	if err != nil {
		err = fmt.Errorf("scskit: sweep: %w", err)
		e.Outcome, e.Err = OutcomeFailed, err
	}
	s.report(ctx, e)
	return removed, err
}

// sweepBatch also returns whether the batch failed because it took longer than Options.Timeout.
func (s *Store) sweepBatch(parent context.Context, sweeper driver.Sweeper,
	limit int) (n int, took time.Duration, timedOut bool, err error) {
	if err := parent.Err(); err != nil {
		return 0, 0, false, err
	}
	ctx := parent
	if s.opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.opts.Timeout)
		defer cancel()
	}
	start := time.Now()
	n, err = sweeper.Sweep(ctx, limit)
	return n, time.Since(start), err != nil && ctx.Err() != nil && parent.Err() == nil, err
}

// rest waits until d has passed, or ctx ends, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// StartSweep sweeps every interval, on a goroutine of its own, until stop is called. stop ends a
// sweep that is running, waits for the goroutine to return, and may be called more than once and at
// the same time. Errors go to the Observer. StartSweep panics if the interval is not positive, as
// time.NewTicker does.
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
