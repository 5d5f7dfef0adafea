package conformance

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// bent is a reference driver of which a mutant replaces functions.
type bent struct {
	*referenceDriver
	load   func(ctx context.Context, id string) (driver.Record, error)
	save   func(ctx context.Context, rec driver.Record, cond driver.Condition) error
	touch  func(ctx context.Context, id string, version int64, e time.Time) error
	delete func(ctx context.Context, id string) error
	ranged func(ctx context.Context) iter.Seq2[driver.Record, error]
	sweep  func(ctx context.Context, limit int) (int, error)
	create func(ctx context.Context) error
	check  func(ctx context.Context) error
	drop   func(ctx context.Context) error
	text   string
}

func newBent(d *referenceDriver, change func(*bent)) *bent {
	b := &bent{
		referenceDriver: d, load: d.Load, save: d.Save, touch: d.Touch, delete: d.Delete, ranged: d.Range,
		sweep: d.Sweep, create: d.CreateSchema, check: d.CheckSchema, drop: d.DropSchema,
		text: d.Schema(),
	}
	change(b)
	return b
}

func (b *bent) Load(ctx context.Context, id string) (driver.Record, error) {
	return b.load(ctx, id)
}

func (b *bent) Delete(ctx context.Context, id string) error {
	return b.delete(ctx, id)
}

func (b *bent) Range(ctx context.Context) iter.Seq2[driver.Record, error] { return b.ranged(ctx) }

func (b *bent) Sweep(ctx context.Context, limit int) (int, error) {
	return b.sweep(ctx, limit)
}

func (b *bent) CreateSchema(ctx context.Context) error { return b.create(ctx) }

func (b *bent) CheckSchema(ctx context.Context) error { return b.check(ctx) }

func (b *bent) DropSchema(ctx context.Context) error { return b.drop(ctx) }

func (b *bent) Schema() string { return b.text }

func (b *bent) Save(ctx context.Context, r driver.Record, c driver.Condition) error {
	return b.save(ctx, r, c)
}

func (b *bent) Touch(ctx context.Context, id string, version int64, e time.Time) error {
	return b.touch(ctx, id, version, e)
}

// raw returns what is stored, expired or not, and not a copy.
func (b *bent) raw(id string) (driver.Record, bool) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	rec, ok := b.backend.records[id]
	return rec, ok
}

// set stores a record as it is.
func (b *bent) set(rec driver.Record) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	b.backend.records[rec.ID] = rec
}

// saving makes the driver change what it is given to save.
func (b *bent) saving(change func(rec *driver.Record)) {
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		change(&rec)
		return b.referenceDriver.Save(ctx, rec, cond)
	}
}

// keyed makes the driver file records under a function of their id.
func (b *bent) keyed(key func(string) string) {
	b.load = func(ctx context.Context, id string) (driver.Record, error) {
		rec, err := b.referenceDriver.Load(ctx, key(id))
		rec.ID = id
		return rec, err
	}
	b.saving(func(rec *driver.Record) { rec.ID = key(rec.ID) })
	b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
		return b.referenceDriver.Touch(ctx, key(id), version, e)
	}
	b.delete = func(ctx context.Context, id string) error {
		return b.referenceDriver.Delete(ctx, key(id))
	}
}

func driverMutant(name, check, defect string, change func(*bent)) mutant {
	return mutant{
		Mutant: mutants.Mutant{Name: "driver/" + name, Check: check, Defect: defect},
		levels: []Level{LevelDriver},
		driver: &Driver{
			Name: name,
			New: func(testing.TB) driver.Driver {
				return newBent(newReferenceDriver(new(backend)), change)
			},
			Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
				return newBent(newReferenceDriver(d.(*bent).backend), change)
			},
		}}
}
