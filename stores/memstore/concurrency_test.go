package memstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

func TestOneWinnerPerVersion(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	save(t, m, record(c, "a", 1, time.Hour))
	for version := int64(1); version < 100; version++ {
		var wins atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				rec := record(c, "a", version+1, time.Hour)
				err := m.Save(context.Background(), rec, driver.IfVersion(version))
				if err == nil {
					wins.Add(1)
				} else if !errors.Is(err, driver.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("version %d: %d winners", version, wins.Load())
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 40)
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				id := fmt.Sprint((i*7 + g) % 60)
				_ = m.Save(ctx, record(c, id, 1, time.Duration(i%9)*time.Second), driver.Always())
				_, _ = m.Load(ctx, id)
				_ = m.Touch(ctx, touchTo(id, 1, c.now().Add(time.Duration(i%7)*time.Second)))
				if i%5 == 0 {
					_ = m.Delete(ctx, id, driver.Always())
				}
				if i%50 == 0 {
					_, _ = m.Sweep(ctx, 3)
					for rec := range m.Range(ctx) {
						_, _ = m.Load(ctx, rec.ID)
					}
				}
				c.advance(10 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	consistent(t, m)
	if len(m.records) > 40 {
		t.Errorf("the store has %d records, limit 40", len(m.records))
	}
}

func TestLoadAllocatesOnlyTheCopy(t *testing.T) {
	m, c := newMemory(t, 0)
	save(t, m, record(c, "a", 1, time.Hour))
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Load(ctx, "a") }); n > 1 {
		t.Errorf("load allocates %v times", n)
	}
}

func BenchmarkDriver(b *testing.B) {
	ctx := context.Background()
	setup := func(b *testing.B) (*memory, []driver.Record) {
		m, c := newMemory(b, 0)
		recs := make([]driver.Record, 10_000)
		for i := range recs {
			recs[i] = record(c, fmt.Sprintf("%043d", i), 1, time.Hour)
			recs[i].Data = make([]byte, 300)
			save(b, m, recs[i])
		}
		b.ReportAllocs()
		b.ResetTimer()
		return m, recs
	}
	b.Run("Load", func(b *testing.B) {
		m, recs := setup(b)
		for i := 0; b.Loop(); i++ {
			if _, err := m.Load(ctx, recs[i%len(recs)].ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Save", func(b *testing.B) {
		m, recs := setup(b)
		for i := 0; b.Loop(); i++ {
			if err := m.Save(ctx, recs[i%len(recs)], driver.IfVersion(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Touch", func(b *testing.B) {
		m, recs := setup(b)
		for i := 0; b.Loop(); i++ {
			rec := recs[i%len(recs)]
			if err := m.Touch(ctx, touchTo(rec.ID, 1, rec.Expiry.Add(time.Duration(i)))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
