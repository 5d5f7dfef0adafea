package conformance

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// indexMutant is a driver with an expiryIndex.
func indexMutant(name, check, defect string, forget func(x *expiryIndex)) mutant {
	return driverMutant("index-"+name, check, defect, func(b *fakeDriver) {
		x := new(expiryIndex)
		forget(x)
		b.indexed(x)
	})
}

// copies makes the driver keep a copy of each saved record, and returns a function that lists them.
func (b *fakeDriver) copies() (list func() []driver.Record) {
	var mu sync.Mutex
	copies := make(map[string]driver.Record)
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		err := b.referenceDriver.Save(ctx, rec, cond)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			rec, _ = b.raw(rec.ID)
			rec.Data = slices.Clone(rec.Data)
			copies[rec.ID] = rec
		}
		return err
	}
	b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
		err := b.referenceDriver.Delete(ctx, id, cond)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			delete(copies, id)
		}
		return err
	}
	return func() []driver.Record {
		mu.Lock()
		defer mu.Unlock()
		var all []driver.Record
		for _, rec := range copies {
			if !expired(rec.Expiry) {
				rec.Data = slices.Clone(rec.Data)
				all = append(all, rec)
			}
		}
		return all
	}
}

func driverMovedMutants() []mutant {
	return []mutant{
		indexMutant("correct", "", "", func(*expiryIndex) {}),
		indexMutant("stale-but-looked-up", "", "",
			func(x *expiryIndex) { x.touchKeeps, x.saveKeeps, x.deleteKeeps = true, true, true }),
		indexMutant("touch-keeps", "driver/sweep-touched",
			"a touch leaves the index entry of the old expiry, and a sweep trusts it",
			func(x *expiryIndex) { x.touchKeeps, x.trusts = true, true }),
		indexMutant("save-keeps", "driver/sweep-saved-later",
			"a save leaves the index entry of the old expiry, and a sweep trusts it",
			func(x *expiryIndex) { x.saveKeeps, x.trusts = true, true }),
		indexMutant("delete-keeps", "driver/sweep-recreated",
			"a delete leaves the index entry, and a sweep trusts it",
			func(x *expiryIndex) { x.deleteKeeps, x.trusts = true, true }),
		indexMutant("counts", "driver/sweep-deleted",
			"a sweep counts index entries instead of records",
			func(x *expiryIndex) { x.deleteKeeps, x.counts = true, true }),
		indexMutant("fails", "driver/sweep-deleted",
			"a sweep fails where the record of an index entry is gone",
			func(x *expiryIndex) { x.deleteKeeps, x.fails = true, true }),
		indexMutant("fills", "driver/sweep-limit-moved",
			"a sweep looks at no more index entries than its limit",
			func(x *expiryIndex) { x.touchKeeps, x.deleteKeeps, x.fills = true, true, true }),
		indexMutant("never-sooner", "driver/sweep-shortened",
			"a move to an earlier expiry leaves the index as it is",
			func(x *expiryIndex) { x.neverSooner = true }),
		indexMutant("never-later", "driver/sweep-extended",
			"a move to a later expiry leaves the index as it is",
			func(x *expiryIndex) { x.neverLater = true }),
		driverMutant("ttl-of-the-first-save", "driver/expiry-moved",
			"Load goes by the expiry of the first save", func(b *fakeDriver) {
				var first sync.Map
				b.saving(func(rec *driver.Record) { first.LoadOrStore(rec.ID, rec.Expiry) })
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					if e, ok := first.Load(id); ok && expired(e.(time.Time)) {
						return driver.Record{}, driver.ErrNotFound
					}
					return b.referenceDriver.Load(ctx, id)
				}
			}),
		driverMutant("recycles-memory", "driver/data-stays",
			"a save writes into the memory that Load has returned", func(b *fakeDriver) { b.recycling() }),
		driverMutant("range-of-copies", "driver/range-moved",
			"Range yields copies that a touch does not change",
			func(b *fakeDriver) { b.listing(b.copies()) }),
		driverUserMutant("index-of-copies", "driver/user-moved",
			"RangeUser yields copies that a touch does not change", func(b *fakeUserDriver) {
				list := b.copies()
				b.indexing(func(user string) []driver.Record {
					return slices.DeleteFunc(list(), func(rec driver.Record) bool { return rec.User != user })
				})
			}),
		driverMutant("sweeps-by-wall-clock", "driver/sweep-dates",
			"a sweep compares expiries without their zone", func(b *fakeDriver) {
				const clock = "2006-01-02 15:04:05.000"
				var wall sync.Map // the expiries that a sweep compares
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					wall.Store(rec.ID, rec.Expiry.Format(clock))
					return b.referenceDriver.Save(ctx, rec, cond)
				}
				b.touch = func(ctx context.Context, rec driver.Record) error {
					wall.Store(rec.ID, rec.Expiry.Format(clock))
					return b.referenceDriver.Touch(ctx, rec)
				}
				b.sweeping(func(rec driver.Record) bool {
					e, ok := wall.Load(rec.ID)
					return ok && e.(string) < time.Now().Format(clock)
				})
			}),
		driverMutant("sweeps-by-32-bits", "driver/sweep-dates",
			"a sweep compares 32 bits of seconds", func(b *fakeDriver) {
				b.sweeping(func(rec driver.Record) bool {
					return int64(int32(rec.Expiry.Unix())) < time.Now().Unix() && rec.Expiry.Year() > 2037 ||
						expired(rec.Expiry)
				})
			}),
	}
}

// sweeping makes the driver sweep the records for which due returns true.
func (b *fakeDriver) sweeping(due func(rec driver.Record) bool) {
	b.sweep = func(ctx context.Context, limit int) (n int, err error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		b.backend.mu.Lock()
		defer b.backend.mu.Unlock()
		for id, rec := range b.backend.records {
			if n < limit && due(rec) {
				delete(b.backend.records, id)
				n++
			}
		}
		return n, nil
	}
}

// recycling makes a save write into the memory that Load has returned.
func (b *fakeDriver) recycling() {
	var mu sync.Mutex
	handed := make(map[string][]byte)
	b.load = func(ctx context.Context, id string) (driver.Record, error) {
		rec, err := b.referenceDriver.Load(ctx, id)
		mu.Lock()
		defer mu.Unlock()
		handed[id] = rec.Data
		return rec, err
	}
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		err := b.referenceDriver.Save(ctx, rec, cond)
		mu.Lock()
		defer mu.Unlock()
		if old, ok := handed[rec.ID]; ok && err == nil {
			copy(old, rec.Data)
			delete(handed, rec.ID)
		}
		return err
	}
}
