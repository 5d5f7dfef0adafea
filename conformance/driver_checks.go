package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverChecks hold a driver to the comments in package driver.
var driverChecks = []check{
	{"driver/load-missing", "Driver.Load: without a record the error is " +
		"ErrNotFound", LevelDriver, driverLoadMissing},
	{"driver/round-trip", "Driver.Save, Record: every field comes back, times to the " +
		"millisecond", LevelDriver, driverRoundTrip},
	{"driver/zones", "package driver: times carry no zone", LevelDriver, driverZones},
	{"driver/far-future", "package driver: dates beyond the year 2038 are stored like any " +
		"other", LevelDriver, driverFarFuture},
	{"driver/versions", "Record.Version: all 63 bits are kept", LevelDriver, driverVersions},
	{"driver/save-always", "Always: stores the record whatever is " +
		"there", LevelDriver, driverSaveAlways},
	{"driver/save-if-absent", "IfAbsent: stores the record only if there is no live one, and " +
		"says ErrConflict otherwise", LevelDriver, driverSaveIfAbsent},
	{"driver/save-if-version", "IfVersion: stores the record only over the version named, and " +
		"says ErrConflict otherwise", LevelDriver, driverSaveIfVersion},
	{"driver/save-if-version-missing", "IfVersion: creates nothing where there is no live " +
		"record", LevelDriver, driverSaveIfVersionMissing},
	{"driver/created-kept", "Record.Created: a save over a live record keeps the one that is " +
		"stored", LevelDriver, driverCreatedKept},
	{"driver/if-absent-race", "IfAbsent: of many at once, one stores its record and the others " +
		"are told of the conflict", LevelDriver, driverIfAbsentRace},
	{"driver/if-version-race", "IfVersion: of many at once, one stores its record and the " +
		"others are told of the conflict", LevelDriver, driverIfVersionRace},
	{"driver/touch", "Driver.Touch: moves the expiry, earlier or later, and changes nothing " +
		"else", LevelDriver, driverTouch},
	{"driver/touch-version", "Driver.Touch: does nothing if the version is another, and says " +
		"ErrConflict", LevelDriver, driverTouchVersion},
	{"driver/touch-missing", "Driver.Touch: never creates a " +
		"record", LevelDriver, driverTouchMissing},
	{"driver/delete", "Driver.Delete: removes the record with the id, and no " +
		"other", LevelDriver, driverDelete},
	{"driver/delete-missing", "Driver.Delete: without a record the error is " +
		"ErrNotFound", LevelDriver, driverDeleteMissing},
	{"driver/expired-load", "package driver: a record whose expiry has passed does not exist to " +
		"Load", LevelDriver, driverExpiredLoad},
	{"driver/expired-touch", "package driver: a record whose expiry has passed does not exist " +
		"to Touch", LevelDriver, driverExpiredTouch},
	{"driver/expired-if-absent", "Driver.Save: an expired record is absent to IfAbsent, and its " +
		"Created is no more", LevelDriver, driverExpiredIfAbsent},
	{"driver/expired-if-version", "Driver.Save: an expired record is gone to " +
		"IfVersion", LevelDriver, driverExpiredIfVersion},
	{"driver/expiry-precision", "package driver: times keep at least millisecond precision, " +
		"also when they pass", LevelDriver, driverExpiryPrecision},
	{"driver/ids", "package driver: ids hold any byte, up to 512 of them, compared byte for " +
		"byte", LevelDriver, driverIDs},
	{"driver/data", "package driver: data may be empty and holds any " +
		"byte", LevelDriver, driverData},
	{"driver/data-sizes", "package driver: data is whole or refused, whatever its " +
		"size", LevelDriver, driverDataSizes},
	{"driver/aliasing", "package driver: nothing that is passed in is kept, and nothing " +
		"returned is shared", LevelDriver, driverAliasing},
	{"driver/data-stays", "package driver: nothing that is returned is shared: data stays readable " +
		"and unchanged, whatever comes after it", LevelDriver, driverDataStays},
	{"driver/context", "package driver: when the context has ended, so does the method, with " +
		"its error, and nothing is changed", LevelDriver, driverContext},
	{"driver/concurrent", "package driver: every method is safe for concurrent " +
		"use", LevelDriver, driverConcurrent},
	{"driver/second-instance", "package driver: many processes on one backend see the same " +
		"records", LevelDriver, driverSecondInstance},
	{"driver/separate", "Driver.New: two drivers on one backend (prefixes, tables, collections) " +
		"share nothing", LevelDriver, driverSeparate},
}

func (t *T) newDriver() driver.Driver {
	t.Helper()
	d := t.driver.New(t)
	if d == nil {
		t.Fatal("Driver.New returned nil")
	}
	return d
}

// newID returns an id like those that a store uses.
func newID() string { return idOf(newToken()) }

// record returns a record that lives, at version 1.
func record(id, data string) driver.Record {
	now := time.Now().Truncate(time.Millisecond)
	return driver.Record{
		ID: id, Data: []byte(data), Expiry: now.Add(lifetime),
		Created: now.Add(-2 * time.Minute), Updated: now.Add(-time.Minute), Version: 1,
	}
}

func (t *T) save(d driver.Driver, rec driver.Record, cond driver.Condition) {
	t.Helper()
	if err := d.Save(t.Context(), rec, cond); err != nil {
		t.Fatalf("save: %v", err)
	}
}

// wantRecord ends the check unless want is what is stored under its id.
func (t *T) wantRecord(d driver.Driver, want driver.Record) {
	t.Helper()
	got, err := d.Load(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if diff := difference(got, want); diff != "" {
		t.Fatalf("load: %s", diff)
	}
}

// difference says in what two records differ. Times are compared to the millisecond.
func difference(got, want driver.Record) string {
	same := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }
	switch {
	case got.ID != want.ID:
		return fmt.Sprintf("got id %q, want %q", got.ID, want.ID)
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Sprintf("got data %s, want %s", brief(got.Data), brief(want.Data))
	case got.Version != want.Version:
		return fmt.Sprintf("got version %d, want %d", got.Version, want.Version)
	case !same(got.Expiry, want.Expiry):
		return fmt.Sprintf("got expiry %v, want %v", got.Expiry, want.Expiry)
	case !same(got.Created, want.Created):
		return fmt.Sprintf("got created %v, want %v", got.Created, want.Created)
	case !same(got.Updated, want.Updated):
		return fmt.Sprintf("got updated %v, want %v", got.Updated, want.Updated)
	}
	return ""
}

// wantErr fails the check unless err is one of those wanted, ErrConflict or ErrNotFound.
func (t *T) wantErr(op string, err error, want ...error) {
	t.Helper()
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Errorf("%s: got error %v, want %v", op, err, want)
	}
}

func (t *T) wantNoRecord(d driver.Driver, id string) {
	t.Helper()
	rec, err := d.Load(t.Context(), id)
	if err == nil {
		t.Fatalf("load: got a record with data %s, want ErrNotFound", brief(rec.Data))
	}
	t.wantErr("load", err, driver.ErrNotFound)
}

// saveExpiring stores a record, and returns it when it has expired.
func (t *T) saveExpiring(d driver.Driver) driver.Record {
	t.Helper()
	rec := record(newID(), "data")
	rec.Expiry = in(t.short()).Truncate(time.Millisecond)
	t.save(d, rec, driver.Always())
	t.pause(time.Until(rec.Expiry.Add(patience / 2)))
	return rec
}

func driverLoadMissing(t *T) {
	d := t.newDriver()
	t.wantNoRecord(d, newID())
	t.save(d, record(newID(), "another"), driver.Always())
	t.wantNoRecord(d, newID())
}

func driverRoundTrip(t *T) {
	d := t.newDriver()
	for i := range 5 { // several fractions of a second
		rec := record(newID(), "data")
		rec.Expiry = rec.Expiry.Add(time.Duration(i*211) * time.Millisecond)
		rec.Created = rec.Created.Add(-time.Duration(i*123) * time.Millisecond)
		rec.Version = int64(i + 1)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
		t.wantRecord(d, rec)
	}
}

func driverZones(t *T) {
	d := t.newDriver()
	for _, hours := range []int{-12, 14} {
		zone := time.FixedZone("away", hours*60*60)
		rec := record(newID(), "data")
		rec.Expiry, rec.Created, rec.Updated = rec.Expiry.In(zone), rec.Created.In(zone),
			rec.Updated.In(zone)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
		rec.Expiry = rec.Expiry.Add(time.Minute)
		if err := d.Touch(t.Context(), rec.ID, rec.Version, rec.Expiry); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, rec)
	}
}

func driverFarFuture(t *T) {
	d := t.newDriver()
	for _, year := range []int{2039, 2107, 2200} {
		rec := record(newID(), "data")
		rec.Expiry = time.Date(year, 2, 28, 23, 59, 59, 987e6, time.UTC)
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
	}
}

func driverVersions(t *T) {
	d := t.newDriver()
	rec := record(newID(), "data")
	cond := driver.IfAbsent()
	for _, v := range []int64{1, 1<<53 + 1, 1 << 62, math.MaxInt64 - 1, math.MaxInt64} {
		rec.Version = v
		t.save(d, rec, cond)
		t.wantRecord(d, rec)
		cond = driver.IfVersion(v)
	}
}

func driverSaveAlways(t *T) {
	d := t.newDriver()
	rec := record(newID(), "first")
	t.save(d, rec, driver.Always())
	rec.Data, rec.Version, rec.Updated, rec.Expiry = []byte("second"), 7, rec.Updated.Add(time.Second),
		rec.Expiry.Add(time.Minute)
	t.save(d, rec, driver.Always())
	t.wantRecord(d, rec)
}

func driverSaveIfAbsent(t *T) {
	d := t.newDriver()
	rec := record(newID(), "first")
	t.save(d, rec, driver.IfAbsent())
	t.wantRecord(d, rec)
	other := record(rec.ID, "second")
	other.Version = 2
	t.wantErr("save", d.Save(t.Context(), other, driver.IfAbsent()), driver.ErrConflict)
	t.wantRecord(d, rec)
	if err := d.Delete(t.Context(), rec.ID); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.save(d, other, driver.IfAbsent())
	t.wantRecord(d, other)
}

func driverSaveIfVersion(t *T) {
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

func driverSaveIfVersionMissing(t *T) {
	d := t.newDriver()
	rec := record(newID(), "data")
	t.wantErr("save", d.Save(t.Context(), rec, driver.IfVersion(1)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
	t.save(d, rec, driver.Always())
	if err := d.Delete(t.Context(), rec.ID); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantErr("save", d.Save(t.Context(), rec, driver.IfVersion(1)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
}

func driverCreatedKept(t *T) {
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

// race saves many records of one id at once, and ends the check unless one was stored.
func (t *T) race(d driver.Driver, id string, cond driver.Condition) {
	t.Helper()
	const writers = 16
	var won atomic.Int64
	t.each(writers, func(i int) {
		rec := record(id, fmt.Sprint(i))
		rec.Version = int64(1000 + i)
		err := d.Save(t.Context(), rec, cond)
		if err == nil {
			if won.Add(1) > 1 {
				t.Error("save: more than one won")
			}
		} else {
			t.wantErr("save", err, driver.ErrConflict, driver.ErrNotFound)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("save: %d of %d won, want 1", won.Load(), writers)
	}
	rec, err := d.Load(t.Context(), id)
	if err != nil || fmt.Sprint(rec.Version-1000) != string(rec.Data) {
		t.Fatalf("load: error %v, version %d, data %s: not what one of them saved", err, rec.Version,
			brief(rec.Data))
	}
}

func driverIfAbsentRace(t *T) {
	d := t.newDriver()
	for range 10 {
		t.race(d, newID(), driver.IfAbsent())
	}
}

func driverIfVersionRace(t *T) {
	d := t.newDriver()
	for range 10 {
		rec := record(newID(), "base")
		t.save(d, rec, driver.Always())
		t.race(d, rec.ID, driver.IfVersion(1))
	}
}

func driverTouch(t *T) {
	d := t.newDriver()
	rec := record(newID(), "data")
	rec.Version = 1<<60 + 3
	t.save(d, rec, driver.Always())
	for _, by := range []time.Duration{time.Minute + 3*time.Millisecond, -20 * time.Minute} {
		rec.Expiry = rec.Expiry.Add(by)
		if err := d.Touch(t.Context(), rec.ID, rec.Version, rec.Expiry); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, rec)
	}
}

func driverTouchVersion(t *T) {
	d := t.newDriver()
	rec := record(newID(), "data")
	rec.Version = 2
	t.save(d, rec, driver.Always())
	for _, v := range []int64{1, 3} {
		t.wantErr("touch", d.Touch(t.Context(), rec.ID, v, in(2*lifetime)), driver.ErrConflict,
			driver.ErrNotFound)
		t.wantRecord(d, rec)
	}
}

func driverTouchMissing(t *T) {
	d := t.newDriver()
	id := newID()
	t.wantErr("touch", d.Touch(t.Context(), id, 1, in(lifetime)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, id)
}

func driverDelete(t *T) {
	d := t.newDriver()
	rec, other := record(newID(), "data"), record(newID(), "other")
	t.save(d, rec, driver.Always())
	t.save(d, other, driver.Always())
	if err := d.Delete(t.Context(), rec.ID); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantNoRecord(d, rec.ID)
	t.wantRecord(d, other)
}

func driverDeleteMissing(t *T) {
	d := t.newDriver()
	rec := record(newID(), "data")
	t.wantErr("delete", d.Delete(t.Context(), rec.ID), driver.ErrNotFound)
	t.save(d, rec, driver.Always())
	if err := d.Delete(t.Context(), rec.ID); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantErr("delete again", d.Delete(t.Context(), rec.ID), driver.ErrNotFound)
}
