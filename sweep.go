package scskit

import (
	"context"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// sweepBatch is how many records a sweep removes at a time. It is small, so that other queries do
// not wait long, and large enough that round trips do not matter. If a batch takes longer than
// Options.Timeout, the next one is a tenth as large.
const sweepBatch = 1000

// maxPause limits the pause after a batch. A slow batch may itself have been waiting for others.
const maxPause = time.Second

// Sweep removes the expired records in batches, and returns how many it removed, even if it fails
// or ctx ends. The next sweep removes the rest. Any number of sweeps may run at the same time.
//
// After each batch Sweep pauses for as long as the batch took, at most a second, to leave the
// backend time for other work. After a batch that exceeds Options.Timeout it uses smaller ones. It
// fails only if even a single record takes longer.
//
// A sweep only frees space: expired sessions are never found, swept or not. If the backend removes
// them itself, Sweep does nothing and returns 0.
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
		if err = bound.Sleep(ctx, min(took, maxPause)); err != nil {
			break
		}
	}
	e := Event{Kind: KindSweep, Outcome: OutcomeOK, Duration: time.Since(start), Count: removed}
	if err != nil {
		err = failed("sweep", err)
		e.Outcome, e.Err = OutcomeFailed, err
	}
	s.report(ctx, e)
	return removed, err
}

// sweepBatch removes one batch. timedOut says whether it exceeded Options.Timeout.
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

// StartSweep calls Sweep at every interval, on a new goroutine, until stop is called. stop cancels
// a running sweep and waits for the goroutine to return. It may be called more than once, and
// concurrently. Errors are reported to the Observer. StartSweep panics if the interval is not
// positive, like time.NewTicker.
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
