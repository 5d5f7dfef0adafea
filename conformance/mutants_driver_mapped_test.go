//go:build linux || darwin

package conformance

import (
	"context"
	"iter"
	"sync"
	"syscall"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// mapping returns data in memory of its own, which is readable until the next write, as in a
// memory-mapped store. The pages stay mapped without access rights until the check ends, so that
// nothing else gets their addresses.
type mapping struct {
	mu    sync.Mutex
	pages [][]byte
}

func (m *mapping) of(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	pages, err := syscall.Mmap(-1, 0, len(data), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	m.pages = append(m.pages, pages)
	copy(pages, data)
	return pages
}

func (m *mapping) invalidate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pages {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			panic(err)
		}
	}
}

func (m *mapping) unmap() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pages {
		_ = syscall.Munmap(p)
	}
	m.pages = nil
}

// mapped makes the driver return data in a mapping.
func (b *fakeDriver) mapped(tb testing.TB) {
	m := new(mapping)
	tb.Cleanup(m.unmap)
	b.load = func(ctx context.Context, id string) (driver.Record, error) {
		rec, err := b.referenceDriver.Load(ctx, id)
		rec.Data = m.of(rec.Data)
		return rec, err
	}
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		defer m.invalidate()
		return b.referenceDriver.Save(ctx, rec, cond)
	}
	b.touch = func(ctx context.Context, rec driver.Record) error {
		defer m.invalidate()
		return b.referenceDriver.Touch(ctx, rec)
	}
	b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
		defer m.invalidate()
		return b.referenceDriver.Delete(ctx, id, cond)
	}
	b.ranged = func(ctx context.Context) iter.Seq2[driver.Record, error] {
		return func(yield func(driver.Record, error) bool) {
			for rec, err := range b.referenceDriver.Range(ctx) {
				rec.Data = m.of(rec.Data)
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

func driverMappedMutants() []mutant {
	made := func(tb testing.TB, records *backend) *fakeDriver {
		return newFakeDriver(newReferenceDriver(records), func(b *fakeDriver) { b.mapped(tb) })
	}
	d := driverMutant("maps-memory", "driver/data-stays",
		"records are in memory that the next write unmaps", func(*fakeDriver) {})
	d.driver.New = func(tb testing.TB) driver.Driver { return made(tb, new(backend)) }
	d.driver.Reopen = func(tb testing.TB, d driver.Driver) driver.Driver {
		return made(tb, d.(*fakeDriver).backend)
	}
	s := Store{Name: "maps-memory", New: func(tb testing.TB) scs.Store {
		return referenceStore(tb, made(tb, new(backend)))
	}}
	return []mutant{d, {
		Mutant: mutants.Mutant{Name: "store/maps-memory", Check: "data/stays",
			Defect: "records are in memory that the next write unmaps"},
		levels: []Level{LevelStore, LevelPortable},
		store:  &s,
		// Any check may read loaded data after a write.
		chance: true,
	}}
}
