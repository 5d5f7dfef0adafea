package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// BenchmarkDriver uses 1,000 sessions of 75 bytes, the size of three keys, and a context that can
// end, like a request's. Get is the client's bare command, for comparison.
func BenchmarkDriver(b *testing.B) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	const n = 1000
	s := newSessions(b, singleClient(b), testenv.Name(b)+":")
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%043d", i)
		rec := record(ids[i], 1, time.Hour)
		rec.Data = make([]byte, 75)
		save(b, s, rec)
	}
	run := func(name string, op func(id string) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := op(ids[i%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"Parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := op(ids[i%n]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	run("Get", func(id string) error {
		_, err := s.client.Get(ctx, s.prefix+id).Bytes()
		return err
	})
	run("Load", func(id string) error {
		_, err := s.Load(ctx, id)
		return err
	})
	expiry := time.Now().Add(time.Hour)
	run("Touch", func(id string) error { return s.Touch(ctx, touchTo(id, 1, expiry)) })
	rec := record("", 1, time.Hour)
	rec.Data = make([]byte, 75)
	run("Save", func(id string) error {
		rec := rec
		rec.ID = id
		return s.Save(ctx, rec, driver.IfVersion(1))
	})
	run("Create", func(id string) error {
		rec := rec
		rec.ID = id
		if err := s.Save(ctx, rec, driver.IfAbsent()); !errors.Is(err, driver.ErrConflict) {
			return fmt.Errorf("got error %w, want ErrConflict", err)
		}
		return nil
	})
}
