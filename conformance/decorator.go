package conformance

import (
	"context"
	"sync/atomic"

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
