package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableBatchChecks cover Store.Sweep over drivers whose sweeps the checks control.
var portableBatchChecks = []check{
	{"cleanup/batches", LevelPortable, cleanupBatches,
		"a sweep goes on until nothing is left, in batches of limited size"},
	{"cleanup/slow-batch", LevelPortable, cleanupSlowBatch,
		"if a batch takes longer than Options.Timeout, a sweep goes on with smaller ones"},
	{"cleanup/partial-failure", LevelPortable, cleanupPartialFailure,
		"a sweep that fails midway returns how many it has removed, and the next one goes on"},
	{"cleanup/unsupported", LevelPortable, cleanupUnsupported,
		"if the backend itself removes expired sessions, Sweep succeeds"},
	{"cleanup/decorated", LevelPortable, cleanupDecorated,
		"a driver that wraps another one and has Unwrap hides no interface of the inner one"},
	{"cleanup/event", LevelPortable, cleanupEvent,
		"Options.Observer gets an event for each sweep, with its count, duration and error"},
}

// scripted is a driver whose sweeps return the counts of the script; -1 stands for a failure after
// 5.
type scripted struct {
	driver.Driver
	script []int
	limits []int
}

func (d *scripted) Sweep(_ context.Context, limit int) (int, error) {
	d.limits = append(d.limits, limit)
	if len(d.script) == 0 {
		return 0, nil
	}
	n := d.script[0]
	d.script = d.script[1:]
	if n < 0 {
		return 5, errDown
	}
	return min(n, limit), nil
}

func cleanupBatches(t *checkT) {
	_, d := t.newPortable(nil)
	const most = 10000
	sweeps := &scripted{Driver: d.Driver, script: []int{most, most, most, 7}}
	s := t.portableOver(sweeps, nil)
	removed := t.sweep(s)
	if len(sweeps.limits) != 4 {
		t.Fatalf("sweep: %d batches, want 4: three full ones and one that is not", len(sweeps.limits))
	}
	want := 7
	for i, limit := range sweeps.limits {
		if limit <= 0 || limit > most {
			t.Errorf("batch %d: limit %d, want 1 to 10000", i, limit)
		}
		if i < 3 {
			want += limit
		}
	}
	if removed != want {
		t.Errorf("sweep: removed %d, want %d", removed, want)
	}
}

func cleanupPartialFailure(t *checkT) {
	_, d := t.newPortable(nil)
	const most = 10000
	sweeps := &scripted{Driver: d.Driver, script: []int{most, -1, most, 3}}
	s := t.portableOver(sweeps, nil)
	removed, err := s.Sweep(t.Context())
	if !errors.Is(err, errDown) {
		t.Fatalf("sweep: got error %v, want the backend's", err)
	}
	if want := sweeps.limits[0] + 5; removed != want {
		t.Errorf("failed sweep: removed %d, want %d", removed, want)
	}
	if removed, want := t.sweep(s), sweeps.limits[0]+3; removed != want {
		t.Errorf("next sweep: removed %d, want %d", removed, want)
	}
}

func cleanupUnsupported(t *checkT) {
	_, d := t.newPortable(nil)
	s := t.portableOver(struct{ driver.Driver }{d.Driver}, nil)
	if removed := t.sweep(s); removed != 0 {
		t.Errorf("sweep: removed %d, want 0: the driver cannot sweep", removed)
	}
	s.StartSweep(time.Hour)()
}

func cleanupEvent(t *checkT) {
	_, d := t.newPortable(nil)
	var log eventLog
	sweeps := &scripted{Driver: d.Driver, script: []int{4, -1}}
	s := t.portableOver(sweeps, &scskit.Options{Observer: log.observe})
	_, _ = s.Sweep(t.Context())
	_, _ = s.Sweep(t.Context())
	events := log.of(scskit.KindSweep)
	if len(events) != 2 {
		t.Fatalf("%d events for two sweeps, want 2", len(events))
	}
	if e := events[0]; e.Outcome != scskit.OutcomeOK || e.Count != 4 || e.Duration <= 0 || e.ID != "" {
		t.Errorf("event of a sweep of 4: outcome %v, count %d, duration %v, id %q", e.Outcome, e.Count,
			e.Duration, e.ID)
	}
	if e := events[1]; e.Outcome != scskit.OutcomeFailed || e.Count != 5 ||
		!errors.Is(e.Err, errDown) {
		t.Errorf("event of a sweep that failed after 5: outcome %v, count %d, error %v", e.Outcome,
			e.Count, e.Err)
	}
}

// metered is a driver that counts the calls of another, as programs wrap them.
type metered struct {
	driver.Driver
	loads atomic.Int64
}

func (m *metered) Load(ctx context.Context, id string) (driver.Record, error) {
	m.loads.Add(1)
	return m.Driver.Load(ctx, id)
}

func (m *metered) Unwrap() driver.Driver { return m.Driver }

func cleanupDecorated(t *checkT) {
	_, d := t.newPortable(nil)
	m := &metered{Driver: d}
	s := t.portableOver(m, nil)
	token := t.begin(manager(s), "k", 1)
	t.values(s, token)
	if m.loads.Load() == 0 {
		t.Error("find: the outer driver was not called")
	}
	t.sweep(s)
	if d.count("sweep") == 0 {
		t.Error("sweep: the inner driver was not called")
	}
	if _, ok := driver.As[driver.Ranger](d.Driver); !ok {
		return
	}
	if n := len(t.all(s)); n != 1 {
		t.Errorf("all: %d sessions, want 1", n)
	}
}

// tired is a driver with a slow backend: a sweep of more than a few records exceeds the timeout. If
// keeps is set it has then removed these few, otherwise none.
type tired struct {
	driver.Driver
	most  int
	keeps bool
}

func (d *tired) Sweep(ctx context.Context, limit int) (n int, err error) {
	inner, _ := driver.As[driver.Sweeper](d.Driver)
	if limit <= d.most || d.keeps {
		// Without the timeout, so that a slow machine does not matter.
		n, err = inner.Sweep(context.WithoutCancel(ctx), min(limit, d.most))
	}
	if limit > d.most && err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return n, err
}

func (d *tired) Unwrap() driver.Driver { return d.Driver }

func cleanupSlowBatch(t *checkT) {
	const n = 25
	for _, keeps := range []bool{true, false} {
		t.wantRemoved(n, func() int {
			s, d := t.sweeper(nil)
			t.expired(s, n)
			return t.sweep(t.portableOver(&tired{Driver: d, most: 5, keeps: keeps},
				&scskit.Options{Timeout: 20 * time.Millisecond}))
		})
	}
}
