// Package ownstore is the driver that docs/new-store.md shows: every method that a driver can have
// without a server, over a map. The test runs every check of the conformance kit.
package ownstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// New returns a store.
func New(opts *scskit.Options) (*scskit.Store, error) {
	return scskit.NewStore(newDriver(), opts)
}

func newDriver() driver.Driver { return &mapDriver{records: make(map[string]driver.Record)} }

type mapDriver struct {
	mu      sync.Mutex // stands for the transaction of a real backend
	records map[string]driver.Record
}

// live returns the record with an id, or driver.ErrNotFound. The caller holds the lock.
func (d *mapDriver) live(id string) (driver.Record, error) {
	rec, ok := d.records[id]
	if !ok || !rec.Expiry.After(time.Now()) { // expired is the same as missing
		return driver.Record{}, driver.ErrNotFound
	}
	rec.Data = bytes.Clone(rec.Data) // the caller may change what it gets
	return rec, nil
}

func (d *mapDriver) Load(ctx context.Context, id string) (driver.Record, error) {
	if err := ctx.Err(); err != nil {
		return driver.Record{}, failure("load", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live(id)
}

func (d *mapDriver) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if err := ctx.Err(); err != nil {
		return failure("save", err)
	}
	d.mu.Lock() // the look and the write are one step: no other write comes in between
	defer d.mu.Unlock()
	old, err := d.live(rec.ID)
	live := err == nil
	if cond.Absent() && live {
		return driver.ErrConflict
	}
	if version, ok := cond.Match(); ok && (!live || old.Version != version) {
		return driver.ErrConflict // or driver.ErrNotFound, if it is not live
	}
	if live {
		rec.Created = old.Created
	}
	rec.Data = bytes.Clone(rec.Data) // the caller may change what it passed
	d.records[rec.ID] = rec
	return nil
}

func (d *mapDriver) Touch(ctx context.Context, rec driver.Record) error {
	if err := ctx.Err(); err != nil {
		return failure("touch", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.live(rec.ID)
	if err != nil {
		return err
	}
	if stored.Version != rec.Version {
		return driver.ErrConflict
	}
	stored.Expiry, stored.Seen = rec.Expiry, rec.Seen // nothing else: Version and Updated stay
	d.records[rec.ID] = stored
	return nil
}

func (d *mapDriver) Delete(ctx context.Context, id string, cond driver.Condition) error {
	if err := ctx.Err(); err != nil {
		return failure("delete", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, ok := d.records[id]
	if !ok {
		return driver.ErrNotFound
	}
	if version, ok := cond.Match(); ok && stored.Version != version {
		return driver.ErrConflict
	}
	delete(d.records, id)
	return nil
}

// Range implements driver.Ranger. It holds the lock for one record at a time, since the body of the
// loop may call the driver's other methods.
func (d *mapDriver) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for _, id := range d.ids() {
			rec, err := d.Load(ctx, id)
			if errors.Is(err, driver.ErrNotFound) {
				continue // it has expired, or was deleted meanwhile
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(driver.Record{}, failure("range", err))
		}
	}
}

func (d *mapDriver) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.records))
}

// Sweep implements driver.Sweeper. It needs no margin for clocks that differ, because a map belongs
// to one process.
func (d *mapDriver) Sweep(ctx context.Context, limit int) (removed int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, rec := range d.records {
		if err := ctx.Err(); err != nil {
			return removed, failure("sweep", err)
		}
		if removed == limit {
			break
		}
		if !rec.Expiry.After(time.Now()) {
			delete(d.records, id)
			removed++
		}
	}
	return removed, failure("sweep", ctx.Err())
}

// failure wraps an error, if there is one. The errors of package driver are returned as they are.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ownstore: %s: %w", op, err)
}
