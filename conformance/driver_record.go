package conformance

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverRecordChecks cover Load, Save, Touch and Delete, and the fields of a driver.Record.
var driverRecordChecks = []check{
	{"driver/load-missing", LevelDriver, driverLoadMissing,
		"Driver.Load: without a record the error is ErrNotFound"},
	{"driver/round-trip", LevelDriver, driverRoundTrip,
		"Driver.Save, Record: every field is stored, times to the millisecond"},
	{"driver/zones", LevelDriver, driverZones,
		"package driver: times carry no zone"},
	{"driver/far-future", LevelDriver, driverFarFuture,
		"package driver: dates after the year 2038 are stored like any other"},
	{"driver/versions", LevelDriver, driverVersions,
		"Record.Version: all 64 bits are stored"},
	{"driver/save-always", LevelDriver, driverSaveAlways,
		"Always: stores the record, whatever is there"},
	{"driver/save-if-absent", LevelDriver, driverSaveIfAbsent,
		"IfAbsent: stores the record only if there is no live one, and returns ErrConflict otherwise"},
	{"driver/save-if-version", LevelDriver, driverSaveIfVersion,
		"IfVersion: stores the record only over the given version, and returns ErrConflict otherwise"},
	{"driver/save-if-version-missing", LevelDriver, driverSaveIfVersionMissing,
		"IfVersion: creates no record if there is no live one"},
	{"driver/created-kept", LevelDriver, driverCreatedKept,
		"Record.Created: a save over a live record keeps the stored value"},
	{"driver/if-absent-race", LevelDriver, driverIfAbsentRace,
		"IfAbsent: of concurrent saves one stores its record and the others return ErrConflict"},
	{"driver/if-version-race", LevelDriver, driverIfVersionRace,
		"IfVersion: of concurrent saves one stores its record and the others return ErrConflict"},
	{"driver/touch", LevelDriver, driverTouch,
		"Driver.Touch: moves the expiry to an earlier or a later time, sets Seen, and nothing else"},
	{"driver/touch-version", LevelDriver, driverTouchVersion,
		"Driver.Touch: returns ErrConflict and changes nothing if the version differs"},
	{"driver/touch-missing", LevelDriver, driverTouchMissing,
		"Driver.Touch: never creates a record"},
	{"driver/delete", LevelDriver, driverDelete,
		"Driver.Delete: removes the record with the id, and no other"},
	{"driver/delete-missing", LevelDriver, driverDeleteMissing,
		"Driver.Delete: without a record the error is ErrNotFound"},
	{"driver/delete-version", LevelDriver, driverDeleteVersion,
		"Driver.Delete: with IfVersion, removes the record only at the given version"},
	{"driver/delete-race", LevelDriver, driverDeleteRace,
		"Driver.Delete: of a delete and saves of one version, one succeeds"},
}

func driverLoadMissing(t *checkT) {
	d := t.newDriver()
	t.wantNoRecord(d, newID())
	t.save(d, record(newID(), "another"), driver.Always())
	t.wantNoRecord(d, newID())
}

func driverRoundTrip(t *checkT) {
	d := t.newDriver()
	for i := range 5 { // with different fractions of a second
		rec := record(newID(), "data")
		rec.Expiry = rec.Expiry.Add(time.Duration(i*211) * time.Millisecond)
		rec.Created = rec.Created.Add(-time.Duration(i*123) * time.Millisecond)
		rec.Version = int64(i + 1)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
		t.wantRecord(d, rec)
	}
}

func driverZones(t *checkT) {
	d := t.newDriver()
	for _, hours := range []int{-12, 14} {
		zone := time.FixedZone("away", hours*60*60)
		rec := record(newID(), "data")
		rec.Expiry, rec.Created = rec.Expiry.In(zone), rec.Created.In(zone)
		rec.Updated, rec.Seen = rec.Updated.In(zone), rec.Seen.In(zone)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
		rec.Expiry = rec.Expiry.Add(time.Minute)
		if err := d.Touch(t.Context(), rec); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, rec)
	}
}

func driverFarFuture(t *checkT) {
	d := t.newDriver()
	for _, year := range []int{2039, 2107, 2200} {
		rec := record(newID(), "data")
		rec.Expiry = time.Date(year, 2, 28, 23, 59, 59, 987e6, time.UTC)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
	}
}

func driverVersions(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	cond := driver.IfAbsent()
	for _, v := range []int64{
		1, 1<<53 + 1, 1 << 62, math.MaxInt64 - 1, math.MaxInt64, -1, math.MinInt64 + 1, math.MinInt64,
	} {
		rec.Version = v
		t.save(d, rec, cond)
		t.wantRecord(d, rec)
		cond = driver.IfVersion(v)
	}
}

func driverSaveAlways(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "first")
	t.save(d, rec, driver.Always())
	rec.Data, rec.Version, rec.Updated, rec.Expiry = []byte("second"), 7, rec.Updated.Add(time.Second),
		rec.Expiry.Add(time.Minute)
	t.save(d, rec, driver.Always())
	t.wantRecord(d, rec)
}

func driverSaveIfAbsent(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "first")
	t.save(d, rec, driver.IfAbsent())
	t.wantRecord(d, rec)
	other := record(rec.ID, "second")
	other.Version = 2
	t.wantErr("save", d.Save(t.Context(), other, driver.IfAbsent()), driver.ErrConflict)
	t.wantRecord(d, rec)
	if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.save(d, other, driver.IfAbsent())
	t.wantRecord(d, other)
}

func driverSaveIfVersion(t *checkT) {
	d := t.newDriver()
	first := record(newID(), "first")
	t.save(d, first, driver.Always())
	second := first
	second.Data, second.Version, second.Expiry, second.Updated = []byte("second"), 2,
		first.Expiry.Add(time.Minute), first.Updated.Add(time.Second)
	t.save(d, second, driver.IfVersion(1))
	t.wantRecord(d, second)
	third := second
	third.Data, third.Version = []byte("third"), 3
	for _, v := range []int64{1, 3, 4} {
		t.wantErr("save over another version", d.Save(t.Context(), third, driver.IfVersion(v)),
			driver.ErrConflict, driver.ErrNotFound)
		t.wantRecord(d, second)
	}
}

func driverSaveIfVersionMissing(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	t.wantErr("save", d.Save(t.Context(), rec, driver.IfVersion(1)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
	t.save(d, rec, driver.Always())
	if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantErr("save", d.Save(t.Context(), rec, driver.IfVersion(1)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
}

func driverCreatedKept(t *checkT) {
	d := t.newDriver()
	for _, cond := range []driver.Condition{driver.Always(), driver.IfVersion(1)} {
		rec := record(newID(), "first")
		t.save(d, rec, driver.IfAbsent())
		again := rec
		again.Version, again.Created, again.Updated = 2, rec.Created.Add(time.Minute),
			rec.Updated.Add(time.Minute)
		t.save(d, again, cond)
		again.Created = rec.Created
		t.wantRecord(d, again)
	}
}

// race saves records of one id concurrently, and ends the check unless exactly one was stored.
func (t *checkT) race(d driver.Driver, id string, cond driver.Condition) {
	t.Helper()
	const writers = 16
	var won atomic.Int64
	t.each(writers, func(i int) {
		rec := record(id, fmt.Sprint(i))
		rec.Version = int64(1000 + i)
		err := d.Save(t.Context(), rec, cond)
		if err == nil {
			if won.Add(1) > 1 {
				t.Error("save: more than one succeeded")
			}
		} else {
			t.wantErr("save", err, driver.ErrConflict, driver.ErrNotFound)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("save: %d of %d succeeded, want 1", won.Load(), writers)
	}
	rec, err := d.Load(t.Context(), id)
	if err != nil || fmt.Sprint(rec.Version-1000) != string(rec.Data) {
		t.Fatalf("load: got error %v, version %d and data %s, which no save has stored", err, rec.Version,
			brief(rec.Data))
	}
}

func driverIfAbsentRace(t *checkT) {
	d := t.newDriver()
	for range 10 {
		t.race(d, newID(), driver.IfAbsent())
	}
}

func driverIfVersionRace(t *checkT) {
	d := t.newDriver()
	for range 10 {
		rec := record(newID(), "base")
		t.save(d, rec, driver.Always())
		t.race(d, rec.ID, driver.IfVersion(1))
	}
}

func driverTouch(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	rec.Version = 1<<60 + 3
	t.save(d, rec, driver.Always())
	for _, by := range []time.Duration{time.Minute + 3*time.Millisecond, -20 * time.Minute} {
		rec.Expiry, rec.Seen = rec.Expiry.Add(by), rec.Seen.Add(17*time.Second+7*time.Millisecond)
		touched := rec
		touched.Data, touched.Created, touched.Updated = nil, time.Time{}, time.Time{}
		if err := d.Touch(t.Context(), touched); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, rec)
	}
}

func driverTouchVersion(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	rec.Version = 2
	t.save(d, rec, driver.Always())
	for _, v := range []int64{1, 3} {
		t.wantErr("touch", d.Touch(t.Context(), touchTo(rec.ID, v, in(2*lifetime))), driver.ErrConflict,
			driver.ErrNotFound)
		t.wantRecord(d, rec)
	}
}

func driverTouchMissing(t *checkT) {
	d := t.newDriver()
	id := newID()
	t.wantErr("touch", d.Touch(t.Context(), touchTo(id, 1, in(lifetime))), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, id)
}

func driverDelete(t *checkT) {
	d := t.newDriver()
	rec, other := record(newID(), "data"), record(newID(), "other")
	t.save(d, rec, driver.Always())
	t.save(d, other, driver.Always())
	if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantNoRecord(d, rec.ID)
	t.wantRecord(d, other)
}

func driverDeleteMissing(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	t.wantErr("delete", d.Delete(t.Context(), rec.ID, driver.Always()), driver.ErrNotFound)
	t.save(d, rec, driver.Always())
	if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantErr("delete again", d.Delete(t.Context(), rec.ID, driver.Always()), driver.ErrNotFound)
}

func driverDeleteVersion(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	rec.Version = 1<<60 + 3
	t.wantErr("delete", d.Delete(t.Context(), rec.ID, driver.IfVersion(rec.Version)),
		driver.ErrNotFound, driver.ErrConflict)
	t.save(d, rec, driver.Always())
	for _, v := range []int64{1, 1<<60 + 2, 1<<60 + 4} {
		t.wantErr("delete at another version", d.Delete(t.Context(), rec.ID, driver.IfVersion(v)),
			driver.ErrConflict)
		t.wantRecord(d, rec)
	}
	rec.Expiry = rec.Expiry.Add(time.Minute)
	if err := d.Touch(t.Context(), touchTo(rec.ID, rec.Version, rec.Expiry)); err != nil {
		t.Fatalf("touch: %v", err)
	}
	if err := d.Delete(t.Context(), rec.ID, driver.IfVersion(rec.Version)); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantNoRecord(d, rec.ID)
}

func driverDeleteRace(t *checkT) {
	d := t.newDriver()
	const writers = 8
	for round := range 10 {
		rec := record(newID(), "base")
		rec.Version = 1
		t.save(d, rec, driver.Always())
		var deleted, saved atomic.Int32
		t.each(writers, func(i int) {
			if i%2 == round%2 { // so that each kind is first at times
				err := d.Delete(t.Context(), rec.ID, driver.IfVersion(1))
				if err == nil {
					deleted.Add(1)
				} else {
					t.wantErr("delete", err, driver.ErrConflict, driver.ErrNotFound)
				}
				return
			}
			next := record(rec.ID, "next")
			next.Version = int64(i + 2)
			err := d.Save(t.Context(), next, driver.IfVersion(1))
			if err == nil {
				saved.Add(1)
			} else {
				t.wantErr("save", err, driver.ErrConflict, driver.ErrNotFound)
			}
		})
		if n := deleted.Load() + saved.Load(); n != 1 {
			t.Fatalf("%d deletes and %d saves of one version succeeded, want one in all",
				deleted.Load(), saved.Load())
		}
		if saved.Load() == 0 {
			t.wantNoRecord(d, rec.ID)
		} else if _, err := d.Load(t.Context(), rec.ID); err != nil {
			t.Fatalf("load of what was saved: %v", err)
		}
	}
}
