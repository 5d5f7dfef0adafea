package bound

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSleep(t *testing.T) {
	t.Parallel()
	start := time.Now()
	if err := Sleep(t.Context(), 10*time.Millisecond); err != nil {
		t.Errorf("got error %v", err)
	}
	if slept := time.Since(start); slept < 10*time.Millisecond {
		t.Errorf("slept %v, want at least 10ms", slept)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: got error %v", err)
	}
}
