// Package poll waits for conditions that no event announces. Only tests and their servers use it.
package poll

import (
	"context"
	"testing"
	"time"
)

const interval = 10 * time.Millisecond

// Until calls done at once and then every 10 milliseconds, until it returns true. It returns
// ctx.Err() if ctx ends first.
func Until(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// patience is long enough for a slow machine: only a failure takes it all.
const patience = 5 * time.Minute

// Wait is Until for a test, which fails with the description of the condition after five minutes.
func Wait(tb testing.TB, condition string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := Until(ctx, done); err != nil {
		tb.Fatalf("still waiting after %s: %s: %v", patience, condition, err)
	}
}
