package sqlstore

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// BenchmarkDriver works on a file of 10,000 sessions of 300 bytes, under a context that
// can end, as a request's does.
func BenchmarkDriver(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const n = 10_000
	setup := func(b *testing.B) (*table, *clock) {
		c := newClock()
		s := newTestTable(b, openFile(b, filepath.Join(b.TempDir(), "bench.db")), c)
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
			if err := s.Save(ctx, rec, driver.IfVersion(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Touch", func(b *testing.B) {
		s, c := setup(b)
		for i := 0; b.Loop(); i++ {
			if err := s.Touch(ctx, id(i), 1, c.now().Add(time.Hour+time.Duration(i)*time.Microsecond)); err != nil {
				b.Fatal(err)
			}
		}
	})
	// Sixty-four requests at a time, each of which loads and saves.
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
}
