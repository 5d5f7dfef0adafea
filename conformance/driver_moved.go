package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverMovedChecks cover records whose expiry has changed. An index of expiries, or a TTL beside
// the record, must follow the change.
var driverMovedChecks = []check{
	{"driver/expiry-moved", LevelDriver, expiryMoved,
		"package driver: a record lives until its new expiry, and no longer"},
	{"driver/range-moved", LevelDriver, rangeMoved,
		"Ranger: yields a record with its new expiry"},
	{"driver/user-moved", LevelDriver, userMoved,
		"UserIndex: yields a record with its new expiry"},
	{"driver/sweep-touched", LevelDriver, sweepTouched,
		"Sweeper: never removes or counts a live record whose expiry a touch has moved to a later time"},
	{"driver/sweep-saved-later", LevelDriver, sweepSavedLater,
		"Sweeper: never removes or counts a live record whose expiry a save has moved to a later time"},
	{"driver/sweep-recreated", LevelDriver, sweepRecreated,
		"Sweeper: never removes or counts a live record that was deleted and " +
			"created again with a later expiry"},
	{"driver/sweep-deleted", LevelDriver, sweepDeleted,
		"Sweeper: a record that was deleted before it expired is not counted, and fails no sweep"},
	{"driver/sweep-shortened", LevelDriver, sweepShortened,
		"Sweeper: removes a record whose expiry was moved to an earlier time"},
	{"driver/sweep-extended", LevelDriver, sweepExtended,
		"Sweeper: removes a record whose expiry was moved to a later time, once that has passed"},
	{"driver/sweep-limit-moved", LevelDriver, sweepLimitMoved,
		"Sweeper: removes fewer than limit only if there are no more, also if records with an " +
			"earlier expiry were moved or deleted"},
	{"driver/sweep-dates", LevelDriver, sweepDates,
		"Sweeper: whether a record has expired depends neither on the " +
			"year nor on the zone of its expiry"},
}

// moveAll stores records made by base in d and moves their expiries, in every way. It returns the
// live ones by id, and the ids of those that end near.
func (t *checkT) moveAll(d driver.Driver, near time.Time, base func() driver.Record) (
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

func expiryMoved(t *checkT) {
	var d driver.Driver
	var live map[string]driver.Record
	var ended []string
	t.arrangeExpiry(func(near time.Time) (err error) {
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
		if err := d.Touch(t.Context(), again); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantRecord(d, again)
	}
	for _, id := range ended {
		t.wantNoRecord(d, id)
	}
}

func rangeMoved(t *checkT) {
	var r driver.Ranger
	var live map[string]driver.Record
	t.arrangeExpiry(func(near time.Time) (err error) {
		var d driver.Driver
		d, r = t.ranger()
		live, _, err = t.moveAll(d, near, anyRecord)
		return err
	})
	t.wantRange(r, live)
}

func userMoved(t *checkT) {
	alice := idOf("alice")
	var d driver.Driver
	var i driver.UserIndex
	var live map[string]driver.Record
	t.arrangeExpiry(func(near time.Time) (err error) {
		d, i = t.userIndex()
		live, _, err = t.moveAll(d, near, func() driver.Record { return ownedRecord(alice) })
		return err
	})
	t.wantUser(i, alice, slices.Collect(maps.Values(live))...)
	t.wantAsLoaded(d, i, alice)
}

// wantMovedSpared checks that sweeps neither remove nor count records whose expiry the moves have
// postponed, once the earlier expiry has passed.
func (t *checkT) wantMovedSpared(moves ...move) {
	t.Helper()
	var d driver.Driver
	var s driver.Sweeper
	var live []string
	t.arrangeExpiry(func(near time.Time) error {
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
	for range 2 { // the second may go by what the first has removed from an index
		if n := t.sweepRecords(s, 100); n != 0 {
			t.Errorf("sweep: removed %d, want 0: every record is live by its new expiry", n)
		}
	}
	t.wantSpared(d, live, "whose earlier expiry has passed")
}

// wantSpared ends the check unless the records are there after a sweep.
func (t *checkT) wantSpared(d driver.Driver, ids []string, which string) {
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

func sweepTouched(t *checkT) { t.wantMovedSpared(byTouch) }

func sweepSavedLater(t *checkT) { t.wantMovedSpared(bySave, bySaveIfVersion) }

func sweepRecreated(t *checkT) { t.wantMovedSpared(byCreation) }

func sweepDeleted(t *checkT) {
	var s driver.Sweeper
	t.arrangeExpiry(func(near time.Time) error {
		var d driver.Driver
		d, s = t.sweepingDriver()
		for range 5 {
			rec := anyRecord()
			rec.Expiry = near
			if err := d.Save(t.Context(), rec, driver.Always()); err != nil {
				return fmt.Errorf("save: %w", err)
			}
			if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
		return nil
	})
	if n := t.sweepRecords(s, 100); n != 0 {
		t.Errorf("sweep: removed %d, want 0: all records were deleted", n)
	}
}

// wantMovedSwept checks that sweeps remove records after each kind of move, once the new expiry has
// passed.
func (t *checkT) wantMovedSwept(expiries func(near time.Time) (from, to time.Time)) {
	t.Helper()
	const each = 3
	for _, m := range moves {
		t.wantRemoved(each, func() int {
			var s driver.Sweeper
			var last time.Time
			t.arrangeExpiry(func(near time.Time) error {
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
			removed := t.sweepRecords(s, 100) // may also remove index entries of the first expiry
			t.pause(time.Until(last.Add(patience / 2)))
			return removed + t.sweepRecords(s, 100)
		})
		if t.Failed() {
			t.Fatalf("these records were %s", m.how)
		}
	}
}

func sweepShortened(t *checkT) {
	t.wantMovedSwept(func(near time.Time) (from, to time.Time) { return far(), near })
}

func sweepExtended(t *checkT) {
	t.wantMovedSwept(func(near time.Time) (from, to time.Time) { return near, near.Add(patience) })
}

func sweepLimitMoved(t *checkT) {
	const limit = 5
	t.wantRemoved(2*limit, func() (removed int) {
		var s driver.Sweeper
		t.arrangeExpiry(func(near time.Time) error {
			var d driver.Driver
			d, s = t.sweepingDriver()
			later := near.Add(10 * time.Millisecond) // after the entries that an index may still hold
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
				if err := d.Delete(t.Context(), gone.ID, driver.Always()); err != nil {
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

func sweepDates(t *checkT) {
	zones := []*time.Location{time.FixedZone("west", -12*60*60), time.FixedZone("east", 14*60*60)}
	t.wantRemoved(len(zones), func() int {
		var d driver.Driver
		var s driver.Sweeper
		var live []string
		t.arrangeExpiry(func(near time.Time) error {
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
