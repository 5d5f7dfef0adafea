package conformance

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// metered is a driver as a program makes one, to count what goes to its backend.
type metered struct {
	driver.Driver
	loads atomic.Int64
}

func (m *metered) Load(ctx context.Context, id string) (driver.Record, error) {
	m.loads.Add(1)
	return m.Driver.Load(ctx, id)
}

func (m *metered) Unwrap() driver.Driver { return m.Driver }

func cleanupDecorated(t *T) {
	_, d := t.newKit(nil)
	m := &metered{Driver: d}
	s := t.kitOver(m, nil)
	token := t.begin(manager(s), "k", 1)
	t.values(s, token)
	if m.loads.Load() == 0 {
		t.Error("find: the driver outside was passed over")
	}
	t.sweep(s)
	if d.count("sweep") == 0 {
		t.Error("sweep: the driver inside was not asked")
	}
	if _, ok := driver.As[driver.Ranger](d.Driver); !ok {
		return
	}
	if n := len(t.all(s)); n != 1 {
		t.Errorf("all: %d sessions, want 1", n)
	}
}

// tired is a driver whose backend is slow: a sweep of more than a few records takes too long. It
// then has removed these few, or none.
type tired struct {
	driver.Driver
	most  int
	keeps bool
}

func (d *tired) Sweep(ctx context.Context, limit int) (n int, err error) {
	inner, _ := driver.As[driver.Sweeper](d.Driver)
	if limit <= d.most || d.keeps {
		// Whether it is in time is not left to the machine.
		n, err = inner.Sweep(context.WithoutCancel(ctx), min(limit, d.most))
	}
	if limit > d.most && err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return n, err
}

func (d *tired) Unwrap() driver.Driver { return d.Driver }

func cleanupSlowBatch(t *T) {
	const n = 25
	for _, keeps := range []bool{true, false} {
		t.removes(n, func() int {
			s, d := t.sweeper(nil)
			t.expired(s, n)
			return t.sweep(t.kitOver(&tired{Driver: d, most: 5, keeps: keeps},
				&scskit.Options{Timeout: 20 * time.Millisecond}))
		})
	}
}
