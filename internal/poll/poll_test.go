package poll_test

import (
	"context"
	"errors"
	"testing"

	"github.com/scskit/scskit/internal/poll"
)

func TestUntil(t *testing.T) {
	calls := 0
	err := poll.Until(t.Context(), func() bool { calls++; return calls == 3 })
	if calls != 3 || err != nil {
		t.Errorf("%d calls, error %v; want 3 and nil", calls, err)
	}
}

func TestUntilContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := poll.Until(ctx, func() bool { cancel(); return false })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestWait(t *testing.T) {
	done := make(chan struct{})
	go close(done)
	poll.Wait(t, "the channel is closed", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}
