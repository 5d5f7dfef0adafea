package sqlstore

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// BenchmarkDriver uses 10,000 sessions of 300 bytes, and a context that can end, like a request's.
func BenchmarkDriver(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		benchmark(b, func(b *testing.B, c *clock) *table {
			return newTestTable(b, openFile(b, filepath.Join(b.TempDir(), "bench.db")), c)
		})
	})
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		b.Run(p.name, func(b *testing.B) {
			benchmark(b, func(b *testing.B, c *clock) *table {
				return newServerTable(b, p.open(b), p.dialect, testenv.Name(b), c)
			})
		})
	}
}

func benchmark(b *testing.B, open func(*testing.B, *clock) *table) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const n = 10_000
	setup := func(b *testing.B) (*table, *clock) {
		c := newClock()
		s := open(b, c)
		fill(b, s, c, n, 300)
		b.ReportAllocs()
		b.ResetTimer()
		return s, c
	}
	id := func(i int) string { return fmt.Sprintf("id%07d", i*7919%n) }

	b.Run("Load", func(b *testing.B) {
		s, _ := setup(b)
		for i := 0; b.Loop(); i++ {
			if _, err := s.Load(ctx, id(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Save", func(b *testing.B) {
		s, c := setup(b)
		rec := record(c, "", 1, time.Hour)
		rec.Data = make([]byte, 300)
		for i := 0; b.Loop(); i++ {
			rec.ID = id(i)
			rec.Data[0] = byte(1 + i/n) // each save changes the row
			if err := s.Save(ctx, rec, driver.IfVersion(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Touch", func(b *testing.B) {
		s, c := setup(b)
		for i := 0; b.Loop(); i++ {
			expiry := c.now().Add(time.Hour + time.Duration(i)*time.Microsecond)
			if err := s.Touch(ctx, touchTo(id(i), 1, expiry)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("RangeUser", func(b *testing.B) { // a user of 5 sessions
		s, c := setup(b)
		for i := range 5 {
			rec := record(c, fmt.Sprint(i), 1, time.Hour)
			rec.Data, rec.User = make([]byte, 300), "alice"
			save(b, s, rec)
		}
		b.ResetTimer()
		for b.Loop() {
			if n := len(ofUser(b, s, "alice")); n != 5 {
				b.Fatal(n)
			}
		}
	})
	// 32 concurrent requests per CPU, each of which loads and saves.
	b.Run("Parallel", func(b *testing.B) {
		s, c := setup(b)
		b.SetParallelism(32)
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				rec, err := s.Load(ctx, id(int(next.Add(1))))
				if err == nil {
					rec.Updated = c.now()
					err = s.Save(ctx, rec, driver.Always())
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
	// A thousand expired sessions per sweep.
	b.Run("Sweep", func(b *testing.B) {
		s, c := setup(b)
		for b.Loop() {
			b.StopTimer()
			now := c.now().UnixMicro()
			bulk(b, s, 1000, func(i int, v *values) {
				*v = values{
					id:      fmt.Appendf(nil, "expired%d", i),
					version: 1,
					expiry:  now - int64(i),
					data:    make([]byte, 300),
				}
			})
			b.StartTimer()
			if removed, err := s.Sweep(ctx, 1000); removed != 1000 || err != nil {
				b.Fatal(removed, err)
			}
		}
	})
}
