package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverMovedChecks hold a driver to the expiry that a record has. An index over expiries, or a
// TTL beside the record, must not go by an expiry that the record had before.
var driverMovedChecks = []check{
	{"driver/expiry-moved", "package driver: a record lives until the expiry that it was " +
		"moved to, and no longer", LevelDriver, expiryMoved},
	{"driver/range-moved", "Ranger: yields a record as it is, not as it was before its expiry " +
		"was moved", LevelDriver, rangeMoved},
	{"driver/user-moved", "UserIndex: yields a record as it is, not as it was before its expiry " +
		"was moved", LevelDriver, userMoved},
	{"driver/sweep-touched", "Sweeper: never removes or counts a live record: a touch had moved " +
		"its expiry to a later one", LevelDriver, sweepTouched},
	{"driver/sweep-saved-later", "Sweeper: never removes or counts a live record: a save had " +
		"moved its expiry to a later one", LevelDriver, sweepSavedLater},
	{"driver/sweep-recreated", "Sweeper: never removes or counts a live record: it was deleted, " +
		"and created again with a later expiry", LevelDriver, sweepRecreated},
	{"driver/sweep-deleted", "Sweeper: a record that was deleted before it expired is not " +
		"counted, and fails no sweep", LevelDriver, sweepDeleted},
	{"driver/sweep-shortened", "Sweeper: removes a record whose expiry was moved to an earlier " +
		"one", LevelDriver, sweepShortened},
	{"driver/sweep-extended", "Sweeper: removes a record whose expiry was moved to a later one, " +
		"when that has passed too", LevelDriver, sweepExtended},
	{"driver/sweep-limit-moved", "Sweeper: fewer than limit means that there were no more, also " +
		"where records with an earlier expiry were moved or deleted", LevelDriver, sweepLimitMoved},
	{"driver/sweep-dates", "Sweeper: a record is live or expired whatever the year and the zone " +
		"of its expiry", LevelDriver, sweepDates},
}

// move gives a record that is stored at version 1 another expiry, and returns it as it is then.
type move struct {
	how  string
	make func(ctx context.Context, d driver.Driver, rec driver.Record, to time.Time) (
		driver.Record, error)
}

var (
	byTouch = move{"touched", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry = to
		return rec, d.Touch(ctx, rec.ID, rec.Version, to)
	}}
	bySave = move{"saved over", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("saved over")
		return rec, d.Save(ctx, rec, driver.Always())
	}}
	bySaveIfVersion = move{"saved over its version", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("saved over its version")
		return rec, d.Save(ctx, rec, driver.IfVersion(1))
	}}
	byCreation = move{"deleted and created again", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		if err := d.Delete(ctx, rec.ID); err != nil {
			return rec, err
		}
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("created again")
		return rec, d.Save(ctx, rec, driver.IfAbsent())
	}}

	moves = []move{byTouch, bySave, bySaveIfVersion, byCreation}
)

// moved stores a record with one expiry and then moves it to another.
func (t *T) moved(d driver.Driver, m move, rec driver.Record, from, to time.Time) (
	driver.Record, error,
) {
	rec.Expiry = from
	if err := d.Save(t.Context(), rec, driver.IfAbsent()); err != nil {
		return rec, fmt.Errorf("save: %w", err)
	}
	rec, err := m.make(t.Context(), d, rec, to)
	if err != nil {
		err = fmt.Errorf("a record is %s: %w", m.how, err)
	}
	return rec, err
}

// aged has records arranged around an expiry that is near, and returns when it has passed. If the
// backend was so slow that it passed too early, all begins again, with one that is further away:
// arrange must begin with a driver of its own.
func (t *T) aged(arrange func(expiry time.Time) error) {
	t.Helper()
	for span := t.short(); ; span *= 4 {
		expiry := in(span).Truncate(time.Millisecond)
		err := arrange(expiry)
		if time.Now().Before(expiry) {
			if err != nil {
				t.Fatal(err)
			}
			t.pause(time.Until(expiry.Add(patience / 2)))
			return
		}
	}
}

// far is an expiry that does not pass during a check.
func far() time.Time { return in(lifetime).Truncate(time.Millisecond) }

// moveAll stores records with rec's properties in d: for each move some that were moved to a later
// expiry, which are returned by id, and others to one that is near.
func (t *T) moveAll(d driver.Driver, near time.Time, base func() driver.Record) (
	live map[string]driver.Record, ended []string, err error,
) {
	live = make(map[string]driver.Record)
	for _, m := range moves {
		for _, from := range []time.Time{near, far()} {
			rec, err := t.moved(d, m, base(), from, far().Add(time.Minute))
			if err != nil {
				return nil, nil, err
			}
			live[rec.ID] = rec
		}
		rec, err := t.moved(d, m, base(), far(), near)
		if err != nil {
			return nil, nil, err
		}
		ended = append(ended, rec.ID)
	}
	return live, ended, nil
}

func anyRecord() driver.Record { return record(newID(), "data") }

func expiryMoved(t *T) {
	var d driver.Driver
	var live map[string]driver.Record
	var ended []string
	t.aged(func(near time.Time) (err error) {
		d = t.newDriver()
		live, ended, err = t.moveAll(d, near, anyRecord)
		return err
	})
	for _, rec := range live {
		t.wantRecord(d, rec)
		t.wantErr("save over a live record", d.Save(t.Context(), rec, driver.IfAbsent()),
			driver.ErrConflict)
		again := rec
		again.Version, again.Expiry = 3, rec.Expiry.Add(time.Minute)
		t.save(d, again, driver.IfVersion(rec.Version))
		again.Expiry = rec.Expiry
		if err := d.Touch(t.Context(), again.ID, again.Version, again.Expiry); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, again)
	}
	for _, id := range ended {
		t.wantNoRecord(d, id)
	}
}

func rangeMoved(t *T) {
	var r driver.Ranger
	var live map[string]driver.Record
	t.aged(func(near time.Time) (err error) {
		var d driver.Driver
		d, r = t.ranger()
		live, _, err = t.moveAll(d, near, anyRecord)
		return err
	})
	t.wantRange(r, live)
}

func userMoved(t *T) {
	alice := idOf("alice")
	var d driver.Driver
	var i driver.UserIndex
	var live map[string]driver.Record
	t.aged(func(near time.Time) (err error) {
		d, i = t.userIndex()
		live, _, err = t.moveAll(d, near, func() driver.Record { return ownedRecord(alice) })
		return err
	})
	t.wantUser(i, alice, slices.Collect(maps.Values(live))...)
	t.wantAsLoaded(d, i, alice)
}

// sparesMoved fails the check unless sweeps leave alone the records that moves gave a later expiry,
// when the earlier one has passed.
func (t *T) sparesMoved(moves ...move) {
	t.Helper()
	var d driver.Driver
	var s driver.Sweeper
	var live []string
	t.aged(func(near time.Time) error {
		d, s = t.sweepingDriver()
		live = nil
		for range 5 {
			for _, m := range moves {
				rec, err := t.moved(d, m, anyRecord(), near, far())
				if err != nil {
					return err
				}
				live = append(live, rec.ID)
			}
		}
		return nil
	})
	for range 2 { // the first may remove what the second then goes by
		if n := t.sweepRecords(s, 100); n != 0 {
			t.Errorf("sweep: counts %d as removed, where every record lives by its new expiry", n)
		}
	}
	t.wantSpared(d, live, "whose earlier expiry was over")
}

// wantSpared ends the check unless the records with these ids are there after a sweep.
func (t *T) wantSpared(d driver.Driver, ids []string, which string) {
	t.Helper()
	for _, id := range ids {
		_, err := d.Load(t.Context(), id)
		if errors.Is(err, driver.ErrNotFound) {
			t.Fatalf("sweep: removed a live record %s", which)
		}
		if err != nil {
			t.Fatalf("load: %v", err)
		}
	}
}

func sweepTouched(t *T) { t.sparesMoved(byTouch) }

func sweepSavedLater(t *T) { t.sparesMoved(bySave, bySaveIfVersion) }

func sweepRecreated(t *T) { t.sparesMoved(byCreation) }

func sweepDeleted(t *T) {
	var s driver.Sweeper
	t.aged(func(near time.Time) error {
		var d driver.Driver
		d, s = t.sweepingDriver()
		for range 5 {
			rec := anyRecord()
			rec.Expiry = near
			if err := d.Save(t.Context(), rec, driver.Always()); err != nil {
				return fmt.Errorf("save: %w", err)
			}
			if err := d.Delete(t.Context(), rec.ID); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
		return nil
	})
	if n := t.sweepRecords(s, 100); n != 0 {
		t.Errorf("sweep: removed %d where all records had been deleted", n)
	}
}

// sweepsMoved fails the check unless sweeps remove records that each move gave the expiry to, which
// passes soon.
func (t *T) sweepsMoved(expiries func(near time.Time) (from, to time.Time)) {
	t.Helper()
	const each = 3
	for _, m := range moves {
		t.removes(each, func() int {
			var s driver.Sweeper
			var last time.Time
			t.aged(func(near time.Time) error {
				var d driver.Driver
				d, s = t.sweepingDriver()
				from, to := expiries(near)
				last = to
				for range each {
					if _, err := t.moved(d, m, anyRecord(), from, to); err != nil {
						return err
					}
				}
				return nil
			})
			removed := t.sweepRecords(s, 100) // may also remove what an index held of the first expiry
			t.pause(time.Until(last.Add(patience / 2)))
			return removed + t.sweepRecords(s, 100)
		})
		if t.Failed() {
			t.Fatalf("these records were %s", m.how)
		}
	}
}

func sweepShortened(t *T) {
	t.sweepsMoved(func(near time.Time) (from, to time.Time) { return far(), near })
}

func sweepExtended(t *T) {
	t.sweepsMoved(func(near time.Time) (from, to time.Time) { return near, near.Add(patience) })
}

func sweepLimitMoved(t *T) {
	const limit = 5
	t.removes(2*limit, func() (removed int) {
		var s driver.Sweeper
		t.aged(func(near time.Time) error {
			var d driver.Driver
			d, s = t.sweepingDriver()
			later := near.Add(10 * time.Millisecond) // behind those that an index may still hold
			for range 2 * limit {
				gone := anyRecord()
				gone.Expiry = near
				rec := anyRecord()
				rec.Expiry = later
				for _, rec := range []driver.Record{gone, rec} {
					if err := d.Save(t.Context(), rec, driver.Always()); err != nil {
						return fmt.Errorf("save: %w", err)
					}
				}
				if err := d.Delete(t.Context(), gone.ID); err != nil {
					return fmt.Errorf("delete: %w", err)
				}
				if _, err := t.moved(d, byTouch, anyRecord(), near, far()); err != nil {
					return err
				}
			}
			return nil
		})
		for n := limit; n == limit; removed += n {
			n = t.sweepRecords(s, limit)
		}
		return removed
	})
}

func sweepDates(t *T) {
	zones := []*time.Location{time.FixedZone("west", -12*60*60), time.FixedZone("east", 14*60*60)}
	t.removes(len(zones), func() int {
		var d driver.Driver
		var s driver.Sweeper
		var live []string
		t.aged(func(near time.Time) error {
			d, s = t.sweepingDriver()
			live = nil
			expiries := []time.Time{near.In(zones[0]), near.In(zones[1])}
			for _, zone := range zones {
				expiries = append(expiries, far().In(zone))
			}
			for _, year := range []int{2039, 2107, 2200} {
				expiries = append(expiries, time.Date(year, 2, 28, 23, 59, 59, 0, time.UTC))
			}
			for i, expiry := range expiries {
				rec := anyRecord()
				rec.Expiry = expiry
				if err := d.Save(t.Context(), rec, driver.Always()); err != nil {
					return fmt.Errorf("save: %w", err)
				}
				if i >= len(zones) {
					live = append(live, rec.ID)
				}
			}
			return nil
		})
		removed := t.sweepRecords(s, 100)
		t.wantSpared(d, live, "with an expiry in another zone or century")
		return removed
	})
}
