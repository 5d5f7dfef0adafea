package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverSweepChecks cover driver.Sweeper.
var driverSweepChecks = []check{
	{"driver/sweep-expired", LevelDriver, sweepExpired,
		"Sweeper: removes expired records, and never a live one"},
	{"driver/sweep-limit", LevelDriver, sweepLimit,
		"Sweeper: removes at most limit records, and fewer only if there are no more"},
	{"driver/sweep-at-once", LevelDriver, sweepAtOnce,
		"Sweeper: concurrent sweeps succeed, and count each record once"},
	{"driver/sweep-renewed", LevelDriver, sweepRenewed,
		"Sweeper: never removes a record that is saved again during the sweep"},
}

func (t *checkT) sweepingDriver() (driver.Driver, driver.Sweeper) {
	t.Helper()
	d := t.newDriver()
	s, ok := driver.As[driver.Sweeper](d)
	if !ok {
		t.notApplicable("the driver does not implement driver.Sweeper")
	}
	return d, s
}

// populateExpired saves n records and returns after their expiry has passed, before they are
// removed.
func (t *checkT) populateExpired(d driver.Driver, n int) {
	t.Helper()
	for span := t.short(); ; span *= 4 {
		expiry := in(span).Truncate(time.Millisecond)
		for i := range n {
			rec := record(newID(), fmt.Sprint(i))
			rec.Expiry = expiry
			t.save(d, rec, driver.Always())
		}
		if time.Now().Before(expiry) {
			t.pause(time.Until(expiry.Add(patience / 2)))
			return
		}
		// This took too long: a save may have removed expired records.
		sweeper, _ := driver.As[driver.Sweeper](d)
		t.sweepRecords(sweeper, 10*n)
	}
}

func (t *checkT) sweepRecords(s driver.Sweeper, limit int) int {
	t.Helper()
	n, err := s.Sweep(t.Context(), limit)
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if n < 0 || n > limit {
		t.Fatalf("sweep: removed %d, with a limit of %d", n, limit)
	}
	return n
}

func sweepExpired(t *checkT) {
	t.wantRemoved(10, func() int {
		d, s := t.sweepingDriver()
		live := t.populate(d, 10)
		if n := t.sweepRecords(s, 100); n != 0 {
			t.Errorf("sweep: removed %d, want 0: all records are live", n)
		}
		t.populateExpired(d, 10)
		removed := t.sweepRecords(s, 100)
		if n := t.sweepRecords(s, 100); n != 0 {
			t.Errorf("sweep again: removed %d, want 0", n)
		}
		for _, rec := range live {
			t.wantRecord(d, rec)
		}
		return removed
	})
}

func sweepLimit(t *checkT) {
	t.wantRemoved(25, func() (removed int) {
		d, s := t.sweepingDriver()
		t.populateExpired(d, 25)
		for _, want := range []int{10, 10, 5, 0} {
			n := t.sweepRecords(s, 10)
			removed += n
			if n != want {
				break
			}
		}
		return removed
	})
}

func sweepAtOnce(t *checkT) {
	t.wantRemoved(40, func() int {
		d, s := t.sweepingDriver()
		t.populateExpired(d, 40)
		var removed atomic.Int64
		t.each(4, func(int) {
			for {
				n := t.sweepRecords(s, 5)
				removed.Add(int64(n))
				if n == 0 {
					return
				}
			}
		})
		for rest := 1; rest > 0; { // a concurrent sweep may have stopped early
			rest = t.sweepRecords(s, 100)
			removed.Add(int64(rest))
		}
		return int(removed.Load())
	})
}

// sweepRenewed lets records expire while sweeps run without pause, and saves them again.
func sweepRenewed(t *checkT) {
	d, s := t.sweepingDriver()
	const rounds, each = 6, 20
	var done atomic.Bool
	var ids []string
	t.each(2, func(i int) {
		if i == 0 {
			for !done.Load() && !t.Failed() {
				t.sweepRecords(s, 1000)
				t.pause(100 * time.Microsecond)
			}
			return
		}
		defer done.Store(true)
		for range rounds {
			expiry := in(20 * time.Millisecond)
			for range each {
				rec := record(newID(), "before")
				rec.Expiry = expiry
				t.save(d, rec, driver.Always())
				ids = append(ids, rec.ID)
			}
			t.pause(time.Until(expiry))
			for _, id := range ids[len(ids)-each:] {
				t.pause(time.Millisecond) // so that some sweeps come before the save and others after it
				t.save(d, record(id, "after"), driver.Always())
			}
		}
	})
	for _, id := range ids {
		if _, err := d.Load(t.Context(), id); err != nil {
			t.Fatalf("load of a record that was saved during a sweep: %v", err)
		}
	}
}
