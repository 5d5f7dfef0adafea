package scskit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scskit/scskit/driver"
)

// slowSweeper is a driver whose batches take a given time.
type slowSweeper struct {
	driver.Driver
	start  time.Time
	took   []time.Duration // by each batch
	left   int
	begins []time.Duration // start of each batch
}

func (d *slowSweeper) Sweep(ctx context.Context, limit int) (int, error) {
	d.begins = append(d.begins, time.Since(d.start))
	select {
	case <-time.After(d.took[len(d.begins)-1]):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	n := min(limit, d.left)
	d.left -= n
	return n, nil
}

func newSlowSweeper(t *testing.T, left int, took ...time.Duration) (*slowSweeper, *Store) {
	t.Helper()
	d := &slowSweeper{start: time.Now(), took: took, left: left}
	s, err := NewStore(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

// The bubble's clock only advances while all goroutines wait, so the times are exact.
func TestSweepPauses(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		d, s := newSlowSweeper(t, 3*sweepBatch+7, 20*ms, 0, 3000*ms, 5*ms)
		n, err := s.Sweep(t.Context())
		if n != 3*sweepBatch+7 || err != nil {
			t.Errorf("removed %d, error %v", n, err)
		}
		// Each pause is as long as the batch before, but at most a second. There is no pause at the end.
		if want := []time.Duration{0, 40 * ms, 40 * ms, 4040 * ms}; !slices.Equal(d.begins, want) {
			t.Errorf("batches began at %v, want %v", d.begins, want)
		}
		if end, want := time.Since(d.start), 4045*ms; end != want {
			t.Errorf("the sweep took %v, want %v", end, want)
		}
	})
}

func TestSweepPauseEndsWithContext(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		d, s := newSlowSweeper(t, 3*sweepBatch, 20*ms, 20*ms)
		ctx, cancel := context.WithTimeout(t.Context(), 30*ms)
		defer cancel()
		n, err := s.Sweep(ctx)
		if n != sweepBatch || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("removed %d, error %v", n, err)
		}
		if end := time.Since(d.start); end != 30*ms || len(d.begins) != 1 {
			t.Errorf("the sweep ended after %v and %d batches, want 30ms and 1", end, len(d.begins))
		}
	})
}

func TestStopEndsPause(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		d, s := newSlowSweeper(t, 3*sweepBatch, 900*ms, 900*ms)
		stop := s.StartSweep(100 * ms)
		time.Sleep(1200 * ms) // during the first pause
		stop()
		if end := time.Since(d.start); end != 1200*ms || len(d.begins) != 1 {
			t.Errorf("stopped after %v and %d batches, want 1.2s and 1", end, len(d.begins))
		}
	})
}

// tiringSweeper removes a small batch at once. A larger batch times out after it has removed some
// records, or none, like a database that rolls back.
type tiringSweeper struct {
	driver.Driver
	left   int
	able   int // largest batch that does not time out
	keeps  int // records that a larger batch removes
	limits []int
}

func (d *tiringSweeper) Sweep(ctx context.Context, limit int) (int, error) {
	d.limits = append(d.limits, limit)
	if limit > d.able {
		<-ctx.Done()
		n := min(d.keeps, d.left)
		d.left -= n
		return n, ctx.Err()
	}
	n := min(limit, d.left)
	d.left -= n
	return n, nil
}

func TestSweepTakesSmallerBatches(t *testing.T) {
	for _, c := range []struct {
		name              string
		left, able, keeps int
		removed           int
		fails             bool
		limits            []int
	}{
		{"fast enough", 1500, 1000, 0, 1500, false, []int{1000, 1000}},
		{"rolled back", 150, 100, 0, 150, false, []int{1000, 100, 100}},
		{"rolled back twice", 15, 99, 0, 15, false, []int{1000, 100, 10, 10}},
		{"removed in part", 160, 100, 50, 160, false, []int{1000, 100, 100}},
		{"always times out, but removes records", 5, 0, 1, 5, true, []int{1000, 100, 10, 1, 1, 1}},
		{"never removes a record", 5, 0, 0, 0, true, []int{1000, 100, 10, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &tiringSweeper{left: c.left, able: c.able, keeps: c.keeps}
			s, err := NewStore(d, nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := s.Sweep(t.Context())
			if n != c.removed || errors.Is(err, context.DeadlineExceeded) != c.fails ||
				!slices.Equal(d.limits, c.limits) {
				t.Errorf("%s: removed %d, error %v, batches %v", c.name, n, err, d.limits)
			}
		})
	}
}
