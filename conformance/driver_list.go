package conformance

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverListChecks hold a driver to the interfaces that it may or may not implement.
var driverListChecks = []check{
	{"driver/range-live", "Ranger: yields every live record, whole, and no expired or deleted " +
		"one", LevelDriver, rangeLive},
	{"driver/range-empty", "Ranger: without records yields nothing", LevelDriver, rangeEmpty},
	{"driver/range-many", "Ranger: goes on beyond one page of the backend's " +
		"answer", LevelDriver, rangeMany},
	{"driver/range-break", "Ranger: breaking off releases everything that the sequence " +
		"held", LevelDriver, rangeBreak},
	{"driver/range-calls", "Ranger: the body may call the driver's other " +
		"methods", LevelDriver, rangeCalls},
	{"driver/range-copies", "package driver: nothing that is returned is " +
		"shared", LevelDriver, rangeCopies},
	{"driver/range-context", "Ranger: when the context ends midway the sequence ends, with one " +
		"error", LevelDriver, rangeContext},
	{"driver/sweep-expired", "Sweeper: removes expired records, and never one that is " +
		"live", LevelDriver, sweepExpired},
	{"driver/sweep-limit", "Sweeper: removes at most limit records, and fewer only if there are " +
		"no more", LevelDriver, sweepLimit},
	{"driver/sweep-at-once", "Sweeper: sweeps that meet do not fail, and count each record " +
		"once", LevelDriver, sweepAtOnce},
	{"driver/sweep-renewed", "Sweeper: never removes a record that was saved again during the " +
		"sweep", LevelDriver, sweepRenewed},
	{"driver/limit", "SizeLimiter: MaxData bytes are stored; one more is a *TooLargeError or " +
		"stored, and never cut", LevelDriver, limitExact},
	{"driver/schema-create", "SchemaManager: CreateSchema is nil when there is nothing to do, " +
		"and keeps the records", LevelDriver, schemaCreate},
	{"driver/schema-check", "SchemaManager: CheckSchema matches ErrNoSchema when something is " +
		"missing, and says how to create it", LevelDriver, schemaCheck},
	{"driver/schema-drop", "SchemaManager: DropSchema removes every session, and is nil when " +
		"nothing is there", LevelDriver, schemaDrop},
	{"driver/schema-missing", "a backend without its schema answers with an error that matches " +
		"ErrNoSchema, not with an empty session", LevelDriver, schemaMissing},
	{"driver/schema-text", "SchemaManager: Schema tells people what CreateSchema " +
		"runs", LevelDriver, schemaText},
}

func (t *T) ranger() (driver.Driver, driver.Ranger) {
	t.Helper()
	d := t.newDriver()
	r, ok := driver.As[driver.Ranger](d)
	if !ok {
		t.notApplicable("the driver is no driver.Ranger")
	}
	return d, r
}

func (t *T) sweepingDriver() (driver.Driver, driver.Sweeper) {
	t.Helper()
	d := t.newDriver()
	s, ok := driver.As[driver.Sweeper](d)
	if !ok {
		t.notApplicable("the driver is no driver.Sweeper")
	}
	return d, s
}

// populate saves n live records and returns them by id.
func (t *T) populate(d driver.Driver, n int) map[string]driver.Record {
	t.Helper()
	const writers = 8
	records := make([]driver.Record, n)
	t.each(min(n, writers), func(w int) {
		for i := w; i < n; i += writers {
			rec := record(newID(), fmt.Sprintf("data of record %d", i))
			rec.Version = int64(i + 1)
			t.save(d, rec, driver.Always())
			records[i] = rec
		}
	})
	byID := make(map[string]driver.Record, n)
	for _, rec := range records {
		byID[rec.ID] = rec
	}
	return byID
}

// wantRange ends the check unless the sequence yields the wanted records.
func (t *T) wantRange(r driver.Ranger, want map[string]driver.Record) {
	t.Helper()
	seen := make(map[string]bool)
	for rec, err := range r.Range(t.Context()) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		w, ok := want[rec.ID]
		if !ok {
			t.Fatalf("range: a record with data %s that must not be there", brief(rec.Data))
		}
		if diff := difference(rec, w); diff != "" {
			t.Fatalf("range: %s", diff)
		}
		seen[rec.ID] = true
	}
	if len(seen) != len(want) {
		t.Fatalf("range: %d records, want %d", len(seen), len(want))
	}
}

func rangeLive(t *T) {
	d, r := t.ranger()
	want := t.populate(d, 10)
	deleted := record(newID(), "deleted")
	t.save(d, deleted, driver.Always())
	if err := d.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatalf("delete: %v", err)
	}
	odd := record("'; DROP \x00 \xff * ", "odd id")
	t.save(d, odd, driver.Always())
	want[odd.ID] = odd
	t.saveExpiring(d)
	t.wantRange(r, want)
	t.wantRange(r, want)
}

func rangeEmpty(t *T) {
	_, r := t.ranger()
	t.wantRange(r, nil)
}

func rangeMany(t *T) {
	d, r := t.ranger()
	t.wantRange(r, t.populate(d, 1050))
}

func rangeBreak(t *T) {
	d, r := t.ranger()
	want := t.populate(d, 20)
	for range 100 { // more than a pool of connections holds
		for _, err := range r.Range(t.Context()) {
			if err != nil {
				t.Fatalf("range: %v", err)
			}
			break
		}
	}
	t.wantRange(r, want)
	t.save(d, record(newID(), "after"), driver.Always())
}

func rangeCalls(t *T) {
	d, r := t.ranger()
	want := t.populate(d, 20)
	visited := 0
	for rec, err := range r.Range(t.Context()) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		if _, ok := want[rec.ID]; !ok {
			continue // saved by the body
		}
		visited++
		t.wantRecord(d, want[rec.ID])
		if err := d.Delete(t.Context(), rec.ID); err != nil {
			t.Fatalf("delete in the body: %v", err)
		}
		delete(want, rec.ID)
		if visited <= 5 {
			t.save(d, record(newID(), "new"), driver.Always())
		}
	}
	if len(want) != 0 {
		t.Errorf("range: %d records were left out", len(want))
	}
}

func rangeCopies(t *T) {
	d, r := t.ranger()
	want := t.populate(d, 3)
	for rec, err := range r.Range(t.Context()) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		copy(rec.Data, "XXXX")
	}
	t.wantRange(r, want)
}

func rangeContext(t *T) {
	d, r := t.ranger()
	t.populate(d, 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failures int
	for rec, err := range r.Range(ctx) {
		cancel()
		if err == nil {
			continue
		}
		failures++
		t.wantErr("range", err, context.Canceled)
		if rec.ID != "" || rec.Data != nil {
			t.Error("range: an error with a record")
		}
	}
	// What the driver holds already it may yield, and end without having asked again.
	if failures > 1 {
		t.Errorf("range: %d errors", failures)
	}
}

// populateExpired saves n records and returns when they have expired, but are still there.
func (t *T) populateExpired(d driver.Driver, n int) {
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
		t.sweepRecords(d.(driver.Sweeper), 10*n) // it took too long: a save may remove what has expired
	}
}

func (t *T) sweepRecords(s driver.Sweeper, limit int) int {
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

func sweepExpired(t *T) {
	t.removes(10, func() int {
		d, s := t.sweepingDriver()
		live := t.populate(d, 10)
		if n := t.sweepRecords(s, 100); n != 0 {
			t.Errorf("sweep: removed %d where all records live", n)
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

func sweepLimit(t *T) {
	t.removes(25, func() (removed int) {
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

func sweepAtOnce(t *T) {
	t.removes(40, func() int {
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
		for rest := 1; rest > 0; { // a sweep that met another may have stopped early
			rest = t.sweepRecords(s, 100)
			removed.Add(int64(rest))
		}
		return int(removed.Load())
	})
}

// sweepRenewed lets records expire under a sweep that does not pause, and saves them again.
func sweepRenewed(t *T) {
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
				t.pause(time.Millisecond) // so that sweeps meet some before and others after
				t.save(d, record(id, "after"), driver.Always())
			}
		}
	})
	for _, id := range ids {
		if _, err := d.Load(t.Context(), id); err != nil {
			t.Fatalf("load of a record that was saved again: %v", err)
		}
	}
}
