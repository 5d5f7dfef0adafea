package conformance

import (
	"context"
	"fmt"

	"github.com/scskit/scskit/driver"
)

// driverRangeChecks cover driver.Ranger.
var driverRangeChecks = []check{
	{"driver/range-live", LevelDriver, rangeLive,
		"Ranger: yields every live record, whole, and no expired or deleted one"},
	{"driver/range-empty", LevelDriver, rangeEmpty,
		"Ranger: yields nothing if there are no records"},
	{"driver/range-many", LevelDriver, rangeMany,
		"Ranger: yields more records than one page of the backend holds"},
	{"driver/range-break", LevelDriver, rangeBreak,
		"Ranger: breaking off releases everything that the sequence holds"},
	{"driver/range-calls", LevelDriver, rangeCalls,
		"Ranger: the body may call the other methods of the driver"},
	{"driver/range-copies", LevelDriver, rangeCopies,
		"package driver: nothing returned is shared"},
	{"driver/range-context", LevelDriver, rangeContext,
		"Ranger: if the context ends midway, the sequence ends with one error"},
}

func (t *checkT) ranger() (driver.Driver, driver.Ranger) {
	t.Helper()
	d := t.newDriver()
	r, ok := driver.As[driver.Ranger](d)
	if !ok {
		t.notApplicable("the driver does not implement driver.Ranger")
	}
	return d, r
}

// populate saves n live records and returns them by id.
func (t *checkT) populate(d driver.Driver, n int) map[string]driver.Record {
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

// wantRange ends the check unless the sequence yields exactly the wanted records.
func (t *checkT) wantRange(r driver.Ranger, want map[string]driver.Record) {
	t.Helper()
	seen := make(map[string]bool)
	for rec, err := range r.Range(t.Context()) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		w, ok := want[rec.ID]
		if !ok {
			t.Fatalf("range: got a record with data %s that is not wanted", brief(rec.Data))
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

func rangeLive(t *checkT) {
	d, r := t.ranger()
	want := t.populate(d, 10)
	deleted := record(newID(), "deleted")
	t.save(d, deleted, driver.Always())
	if err := d.Delete(t.Context(), deleted.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	odd := record("'; DROP \x00 \xff * ", "odd id")
	t.save(d, odd, driver.Always())
	want[odd.ID] = odd
	t.saveExpiring(d)
	t.wantRange(r, want)
	t.wantRange(r, want)
}

func rangeEmpty(t *checkT) {
	_, r := t.ranger()
	t.wantRange(r, nil)
}

func rangeMany(t *checkT) {
	d, r := t.ranger()
	t.wantRange(r, t.populate(d, 1050))
}

func rangeBreak(t *checkT) {
	d, r := t.ranger()
	want := t.populate(d, 20)
	for range 100 { // more than the connections of a pool
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

func rangeCalls(t *checkT) {
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
		if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
			t.Fatalf("delete in the body: %v", err)
		}
		delete(want, rec.ID)
		if visited <= 5 {
			t.save(d, record(newID(), "new"), driver.Always())
		}
	}
	if len(want) != 0 {
		t.Errorf("range: %d records are missing", len(want))
	}
}

func rangeCopies(t *checkT) {
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

func rangeContext(t *checkT) {
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
			t.Error("range: got a record together with an error")
		}
	}
	// The driver may yield records that it has already read, and end without another read.
	if failures > 1 {
		t.Errorf("range: %d errors", failures)
	}
}
