package conformance

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
)

// expiryIndex is an index over expiries, as a driver over a plain key-value store keeps one beside
// its records. It is sound by itself; each field is one thing that its author forgot.
type expiryIndex struct {
	mu      sync.Mutex
	entries []indexEntry // sorted by expiry

	touchKeeps  bool // touch leaves the entry of the old expiry
	saveKeeps   bool // a save leaves the entry of the old expiry
	deleteKeeps bool // a delete leaves the entry
	neverSooner bool // a change to an earlier expiry makes no entry
	neverLater  bool // a change to a later expiry makes no entry
	trusts      bool // a sweep removes the record of every entry that is due
	counts      bool // a sweep counts entries
	fails       bool // a sweep fails if the record of an entry is gone
	fills       bool // a sweep looks at as many entries as it may remove records
}

type indexEntry struct {
	id     string
	expiry time.Time
	orphan bool // its record was deleted, and no save finds it
}

// put files a record under its expiry, and takes the old entries away unless they are kept.
func (x *expiryIndex) put(id string, expiry time.Time, keep bool) {
	for _, e := range x.entries {
		if e.id == id && !e.orphan &&
			(x.neverSooner && expiry.Before(e.expiry) || x.neverLater && expiry.After(e.expiry)) {
			return
		}
	}
	if !keep {
		x.drop(id)
	}
	x.entries = append(x.entries, indexEntry{id: id, expiry: expiry})
	slices.SortFunc(x.entries, func(a, b indexEntry) int { return a.expiry.Compare(b.expiry) })
}

func (x *expiryIndex) drop(id string) {
	x.entries = slices.DeleteFunc(x.entries,
		func(e indexEntry) bool { return e.id == id && !e.orphan })
}

func (x *expiryIndex) abandon(id string) {
	for i, e := range x.entries {
		x.entries[i].orphan = e.orphan || e.id == id
	}
}

// sweep removes what is due from d.
func (x *expiryIndex) sweep(ctx context.Context, d *referenceDriver, limit int) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, seen := 0, 0
	for n < limit && (seen < limit || !x.fills) && len(x.entries) > 0 && expired(x.entries[0].expiry) {
		seen++
		id := x.entries[0].id
		if err := ctx.Err(); err != nil {
			return n, err
		}
		d.backend.mu.Lock()
		_, live := d.live(id)
		_, there := d.backend.records[id]
		if there && (x.trusts || !live) {
			delete(d.backend.records, id)
		}
		d.backend.mu.Unlock()
		if x.fails && !there {
			return n, driver.ErrNotFound
		}
		x.entries = x.entries[1:]
		if there && (x.trusts || !live) || x.counts {
			n++
		}
	}
	return n, ctx.Err()
}

// indexed makes the driver keep an index, and sweep by it.
func (b *bent) indexed(x *expiryIndex) {
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Save(ctx, rec, cond)
		if err == nil {
			x.put(rec.ID, rec.Expiry, x.saveKeeps)
		}
		return err
	}
	b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Touch(ctx, id, version, e)
		if err == nil {
			x.put(id, e, x.touchKeeps)
		}
		return err
	}
	b.delete = func(ctx context.Context, id string) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Delete(ctx, id)
		switch {
		case err == nil && x.deleteKeeps:
			x.abandon(id)
		case err == nil:
			x.drop(id)
		}
		return err
	}
	b.sweep = func(ctx context.Context, limit int) (int, error) {
		return x.sweep(ctx, b.referenceDriver, limit)
	}
}

// indexMutant is a driver with such an index.
func indexMutant(name, fails string, forget func(x *expiryIndex)) mutant {
	return driverMutant("index-"+name, fails, func(b *bent) {
		x := new(expiryIndex)
		forget(x)
		b.indexed(x)
	})
}

// staleStore is a store over a driver that is broken.
func staleStore(name, fails string, change func(*bent)) mutant {
	s := Store{Name: name, New: func(tb testing.TB) scs.Store {
		return referenceStore(tb, newBent(newReferenceDriver(new(backend)), change))
	}}
	return mutant{
		name: "stale/" + name, levels: []Level{LevelPortable}, fails: strings.Fields(fails), store: &s,
	}
}

// copies makes the driver keep a copy of each record as it was saved, for ranges to go by.
func (b *bent) copies() (list func() []driver.Record) {
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
	b.delete = func(ctx context.Context, id string) error {
		err := b.referenceDriver.Delete(ctx, id)
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
		indexMutant("correct", ``, func(*expiryIndex) {}),
		indexMutant("stale-but-looked-up", ``,
			func(x *expiryIndex) { x.touchKeeps, x.saveKeeps, x.deleteKeeps = true, true, true }),
		indexMutant("touch-keeps", `driver/sweep-limit-moved driver/sweep-touched`,
			func(x *expiryIndex) { x.touchKeeps, x.trusts = true, true }),
		indexMutant("save-keeps", `driver/sweep-saved-later ~driver/sweep-renewed`,
			func(x *expiryIndex) { x.saveKeeps, x.trusts = true, true }),
		indexMutant("delete-keeps", `driver/sweep-recreated`,
			func(x *expiryIndex) { x.deleteKeeps, x.trusts = true, true }),
		indexMutant("counts", `driver/sweep-deleted driver/sweep-extended driver/sweep-limit-moved driver/sweep-recreated`, func(x *expiryIndex) { x.deleteKeeps, x.counts = true, true }),
		indexMutant("fails", `driver/sweep-deleted driver/sweep-limit-moved`,
			func(x *expiryIndex) { x.deleteKeeps, x.fails = true, true }),
		indexMutant("fills", `driver/sweep-limit-moved`,
			func(x *expiryIndex) { x.touchKeeps, x.deleteKeeps, x.fills = true, true, true }),
		indexMutant("never-sooner", `driver/sweep-shortened`,
			func(x *expiryIndex) { x.neverSooner = true }),
		indexMutant("never-later", `driver/sweep-extended`, func(x *expiryIndex) { x.neverLater = true }),
		driverMutant("ttl-of-the-first-save", `
			driver/expired-if-absent driver/expiry-moved driver/sweep-recreated driver/sweep-saved-later
			driver/sweep-touched driver/user-moved ~driver/sweep-renewed`, func(b *bent) {
			var first sync.Map
			b.saving(func(rec *driver.Record) { first.LoadOrStore(rec.ID, rec.Expiry) })
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				if e, ok := first.Load(id); ok && expired(e.(time.Time)) {
					return driver.Record{}, driver.ErrNotFound
				}
				return b.referenceDriver.Load(ctx, id)
			}
		}),
		staleStore("touch-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{touchKeeps: true, trusts: true})
		}),
		staleStore("save-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{saveKeeps: true, trusts: true})
		}),
		staleStore("delete-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{deleteKeeps: true, trusts: true})
		}),
		staleStore("recycles-memory", `
			~concurrency/changed-and-removed ~concurrency/different-keys
			~concurrency/no-stranger-waits ~concurrency/overwritten
			~concurrency/removed-by-other concurrency/removed-by-us ~concurrency/same-key
			data/stays data/too-large-merged ~data/unknown-type ~data/unknown-type-legacy
			~renewal/merge-destroyed ~user/destroy-merging`, func(b *bent) { b.recycling() }),
		driverMutant("recycles-memory", `driver/data-stays`, func(b *bent) { b.recycling() }),
		driverMutant("range-of-copies", `driver/range-moved`, func(b *bent) { b.listing(b.copies()) }),
		driverUserMutant("index-of-copies", `driver/user-moved`, func(b *userBent) {
			list := b.copies()
			b.indexing(func(user string) []driver.Record {
				return slices.DeleteFunc(list(), func(rec driver.Record) bool { return rec.User != user })
			})
		}),
		driverMutant("sweeps-by-wall-clock", `driver/sweep-dates`, func(b *bent) {
			const clock = "2006-01-02 15:04:05.000"
			var wall sync.Map // what a sweep takes for the expiry
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				wall.Store(rec.ID, rec.Expiry.Format(clock))
				return b.referenceDriver.Save(ctx, rec, cond)
			}
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				wall.Store(id, e.Format(clock))
				return b.referenceDriver.Touch(ctx, id, version, e)
			}
			b.sweeping(func(rec driver.Record) bool {
				e, ok := wall.Load(rec.ID)
				return ok && e.(string) < time.Now().Format(clock)
			})
		}),
		driverMutant("sweeps-by-32-bits", `driver/sweep-dates`, func(b *bent) {
			b.sweeping(func(rec driver.Record) bool {
				return int64(int32(rec.Expiry.Unix())) < time.Now().Unix() && rec.Expiry.Year() > 2037 ||
					expired(rec.Expiry)
			})
		}),
	}
}

// sweeping makes the driver sweep what due says is due.
func (b *bent) sweeping(due func(rec driver.Record) bool) {
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

// recycling makes the driver write what is saved into memory that it has returned.
func (b *bent) recycling() {
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
