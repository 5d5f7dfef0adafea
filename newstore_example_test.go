package scskit_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// mapDriver is a driver over a map. The lock stands for the transaction of a real backend.
type mapDriver struct {
	mu      sync.Mutex
	records map[string]driver.Record
}

// live returns the record with an id. An expired record is the same as a missing one.
func (d *mapDriver) live(id string) (driver.Record, error) {
	rec, ok := d.records[id]
	if !ok || !rec.Expiry.After(time.Now()) {
		return driver.Record{}, driver.ErrNotFound
	}
	rec.Data = bytes.Clone(rec.Data) // the caller may change what it gets
	return rec, nil
}

func (d *mapDriver) Load(_ context.Context, id string) (driver.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live(id)
}

// Save looks and writes in one step: no other write comes in between.
func (d *mapDriver) Save(_ context.Context, rec driver.Record, cond driver.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.live(rec.ID)
	live := err == nil
	if cond.Absent() && live {
		return driver.ErrConflict
	}
	if version, ok := cond.Match(); ok && (!live || old.Version != version) {
		return driver.ErrConflict
	}
	if live {
		rec.Created = old.Created
	}
	rec.Data = bytes.Clone(rec.Data)
	d.records[rec.ID] = rec
	return nil
}

// Touch sets Expiry and Seen, and nothing else.
func (d *mapDriver) Touch(_ context.Context, rec driver.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.live(rec.ID)
	if err != nil {
		return err
	}
	if stored.Version != rec.Version {
		return driver.ErrConflict
	}
	stored.Expiry, stored.Seen = rec.Expiry, rec.Seen
	d.records[rec.ID] = stored
	return nil
}

func (d *mapDriver) Delete(_ context.Context, id string, cond driver.Condition) error {
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

// A driver of four methods makes a store with all promises. Test yours with conformance.TestDriver.
func ExampleNewStore() {
	store, err := scskit.NewStore(&mapDriver{records: make(map[string]driver.Record)}, nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	ctx, err := sessions.Load(context.Background(), "")
	if err != nil {
		log.Fatal(err)
	}
	sessions.Put(ctx, "user", "ada")
	token, _, err := sessions.Commit(ctx)
	if err != nil {
		log.Fatal(err)
	}

	ctx, err = sessions.Load(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sessions.GetString(ctx, "user"))
	// Output: ada
}

// SQL databases keep expired sessions until a sweep removes them. Every instance of a program may
// sweep: they do not get in each other's way.
func ExampleStore_StartSweep() {
	store, err := scskit.NewStore(&mapDriver{records: make(map[string]driver.Record)}, nil)
	if err != nil {
		log.Fatal(err)
	}
	stop := store.StartSweep(time.Hour)
	defer stop() // ends a sweep that is running, and waits for it
	// Output:
}
