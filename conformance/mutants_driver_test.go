package conformance

import (
	"context"
	"iter"
	"testing"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// fakeDriver is a reference driver whose methods a mutant can replace.
type fakeDriver struct {
	*referenceDriver
	load   func(ctx context.Context, id string) (driver.Record, error)
	save   func(ctx context.Context, rec driver.Record, cond driver.Condition) error
	touch  func(ctx context.Context, rec driver.Record) error
	delete func(ctx context.Context, id string, cond driver.Condition) error
	ranged func(ctx context.Context) iter.Seq2[driver.Record, error]
	sweep  func(ctx context.Context, limit int) (int, error)
	create func(ctx context.Context) error
	check  func(ctx context.Context) error
	drop   func(ctx context.Context) error
	text   string
}

func newFakeDriver(d *referenceDriver, change func(*fakeDriver)) *fakeDriver {
	b := &fakeDriver{
		referenceDriver: d, load: d.Load, save: d.Save, touch: d.Touch, delete: d.Delete, ranged: d.Range,
		sweep: d.Sweep, create: d.CreateSchema, check: d.CheckSchema, drop: d.DropSchema,
		text: d.Schema(),
	}
	change(b)
	return b
}

func (b *fakeDriver) Load(ctx context.Context, id string) (driver.Record, error) {
	return b.load(ctx, id)
}

func (b *fakeDriver) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return b.delete(ctx, id, cond)
}

func (b *fakeDriver) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return b.ranged(ctx)
}

func (b *fakeDriver) Sweep(ctx context.Context, limit int) (int, error) {
	return b.sweep(ctx, limit)
}

func (b *fakeDriver) CreateSchema(ctx context.Context) error { return b.create(ctx) }

func (b *fakeDriver) CheckSchema(ctx context.Context) error { return b.check(ctx) }

func (b *fakeDriver) DropSchema(ctx context.Context) error { return b.drop(ctx) }

func (b *fakeDriver) Schema() string { return b.text }

func (b *fakeDriver) Save(ctx context.Context, r driver.Record, c driver.Condition) error {
	return b.save(ctx, r, c)
}

func (b *fakeDriver) Touch(ctx context.Context, rec driver.Record) error {
	return b.touch(ctx, rec)
}

// raw returns the stored record, expired or not, without copying it.
func (b *fakeDriver) raw(id string) (driver.Record, bool) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	rec, ok := b.backend.records[id]
	return rec, ok
}

// set stores a record unchanged.
func (b *fakeDriver) set(rec driver.Record) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	b.backend.records[rec.ID] = rec
}

// saving makes the driver change the records that it saves.
func (b *fakeDriver) saving(change func(rec *driver.Record)) {
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		change(&rec)
		return b.referenceDriver.Save(ctx, rec, cond)
	}
}

// keyed makes the driver store records under a function of their ids.
func (b *fakeDriver) keyed(key func(string) string) {
	b.load = func(ctx context.Context, id string) (driver.Record, error) {
		rec, err := b.referenceDriver.Load(ctx, key(id))
		rec.ID = id
		return rec, err
	}
	b.saving(func(rec *driver.Record) { rec.ID = key(rec.ID) })
	b.touch = func(ctx context.Context, rec driver.Record) error {
		rec.ID = key(rec.ID)
		return b.referenceDriver.Touch(ctx, rec)
	}
	b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
		return b.referenceDriver.Delete(ctx, key(id), cond)
	}
}

func driverMutant(name, check, defect string, change func(*fakeDriver)) mutant {
	return mutant{
		Mutant: mutants.Mutant{Name: "driver/" + name, Check: check, Defect: defect},
		levels: []Level{LevelDriver},
		driver: &Driver{
			Name: name,
			New: func(testing.TB) driver.Driver {
				return newFakeDriver(newReferenceDriver(new(backend)), change)
			},
			Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
				return newFakeDriver(newReferenceDriver(d.(*fakeDriver).backend), change)
			},
		}}
}
