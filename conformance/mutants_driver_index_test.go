package conformance

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// expiryIndex is an index of expiries beside the records, as a driver over a plain key-value store
// has. Each field adds one mistake.
type expiryIndex struct {
	mu      sync.Mutex
	entries []indexEntry // sorted by expiry

	touchKeeps  bool // touch leaves the entry of the old expiry
	saveKeeps   bool // a save leaves the entry of the old expiry
	deleteKeeps bool // a delete leaves the entry
	neverSooner bool // a change to an earlier expiry makes no entry
	neverLater  bool // a change to a later expiry makes no entry
	trusts      bool // a sweep removes the record of every due entry without loading it
	counts      bool // a sweep counts entries
	fails       bool // a sweep fails if the record of an entry is gone
	fills       bool // a sweep looks at no more entries than its limit
}

type indexEntry struct {
	id     string
	expiry time.Time
	orphan bool // the record was deleted, and no save updates the entry
}

// put adds an entry for a record and drops the old ones unless keep is set.
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

// sweep removes the due records from d.
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

// indexed makes the driver maintain an index, and use it for sweeps.
func (b *fakeDriver) indexed(x *expiryIndex) {
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Save(ctx, rec, cond)
		if err == nil {
			x.put(rec.ID, rec.Expiry, x.saveKeeps)
		}
		return err
	}
	b.touch = func(ctx context.Context, rec driver.Record) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Touch(ctx, rec)
		if err == nil {
			x.put(rec.ID, rec.Expiry, x.touchKeeps)
		}
		return err
	}
	b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		err := b.referenceDriver.Delete(ctx, id, cond)
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
