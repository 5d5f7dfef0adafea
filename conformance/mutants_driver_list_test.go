package conformance

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// listing makes Range yield what list returns.
func (b *fakeDriver) listing(list func() []driver.Record) {
	b.ranged = func(ctx context.Context) iter.Seq2[driver.Record, error] {
		return func(yield func(driver.Record, error) bool) {
			if err := ctx.Err(); err != nil {
				yield(driver.Record{}, err)
				return
			}
			for _, rec := range list() {
				if err := ctx.Err(); err != nil {
					yield(driver.Record{}, err)
					return
				}
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// records returns the live records, and the expired ones if expired is set, without copying.
func (b *fakeDriver) records(expired bool) []driver.Record {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	var all []driver.Record
	for _, rec := range b.backend.records {
		if expired || rec.Expiry.After(time.Now()) {
			all = append(all, rec)
		}
	}
	return all
}

func driverListMutants() []mutant {
	return []mutant{
		sweepsAllButOne("sweeps-all-but-one", "a sweep leaves one expired record", false),
		sweepsAllButOne("sweeps-all-but-one-beside-a-ttl",
			"a sweep leaves one expired record, which RemovesExpired does not excuse", true),
		driverMutant("range-with-expired", "driver/range-live",
			"Range yields expired records",
			func(b *fakeDriver) {
				b.listing(func() []driver.Record { return b.records(true) })
			}),
		driverMutant("range-without-data", "driver/range-live",
			"Range yields records without data", func(b *fakeDriver) {
				b.listing(func() []driver.Record {
					all := b.records(false)
					for i := range all {
						all[i].Data = nil
					}
					return all
				})
			}),
		driverMutant("range-yields-nothing-once", "driver/range-empty",
			"Range yields a zero record if there are none",
			func(b *fakeDriver) {
				b.listing(func() []driver.Record {
					if all := b.records(false); len(all) > 0 {
						return all
					}
					return []driver.Record{{}}
				})
			}),
		driverMutant("range-one-page", "driver/range-many",
			"Range yields at most 1000 records", func(b *fakeDriver) {
				b.listing(func() []driver.Record {
					all := b.records(false)
					return all[:min(len(all), 1000)]
				})
			}),
		driverMutant("range-shares", "driver/range-copies",
			"Range yields the slices that are stored", func(b *fakeDriver) {
				b.listing(func() []driver.Record { return b.records(false) })
			}),
		driverMutant("range-leaks-connections", "driver/range-break",
			"a Range that is broken off keeps its connection", func(b *fakeDriver) {
				pool := make(chan struct{}, 10)
				b.ranged = func(ctx context.Context) iter.Seq2[driver.Record, error] {
					return func(yield func(driver.Record, error) bool) {
						select {
						case pool <- struct{}{}:
						case <-ctx.Done():
							yield(driver.Record{}, ctx.Err())
							return
						}
						for rec, err := range b.referenceDriver.Range(ctx) {
							if !yield(rec, err) {
								return
							}
						}
						<-pool
					}
				}
			}),
		driverMutant("range-holds-the-only-connection", "driver/range-calls",
			"Range holds the only connection while the body runs", func(b *fakeDriver) {
				connection := make(chan struct{}, 1)
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					select {
					case connection <- struct{}{}:
						defer func() { <-connection }()
					case <-ctx.Done():
					}
					return b.referenceDriver.Load(ctx, id)
				}
				b.ranged = func(ctx context.Context) iter.Seq2[driver.Record, error] {
					return func(yield func(driver.Record, error) bool) {
						connection <- struct{}{}
						defer func() { <-connection }()
						for rec, err := range b.referenceDriver.Range(ctx) {
							if !yield(rec, err) {
								return
							}
						}
					}
				}
			}),
		driverMutant("range-repeats-its-error", "driver/range-context",
			"Range yields its error twice", func(b *fakeDriver) {
				b.ranged = func(ctx context.Context) iter.Seq2[driver.Record, error] {
					return func(yield func(driver.Record, error) bool) {
						for rec, err := range b.referenceDriver.Range(ctx) {
							if !yield(rec, err) || err != nil && !yield(rec, err) {
								return
							}
						}
					}
				}
			}),
		driverMutant("sweeps-the-living", "driver/sweep-expired",
			"a sweep with nothing to do removes live records", func(b *fakeDriver) {
				b.sweep = func(ctx context.Context, limit int) (int, error) {
					n, err := b.referenceDriver.Sweep(ctx, limit)
					if n == 0 && err == nil {
						for _, rec := range b.records(false) {
							_ = b.referenceDriver.Delete(ctx, rec.ID, driver.Always())
						}
					}
					return n, err
				}
			}),
		driverMutant("sweep-without-limit", "driver/sweep-limit",
			"Sweep ignores the limit", func(b *fakeDriver) {
				b.sweep = func(ctx context.Context, _ int) (int, error) {
					return b.referenceDriver.Sweep(ctx, 1<<30)
				}
			}),
		driverMutant("sweep-stops-early", "driver/sweep-limit",
			"Sweep removes half of the limit", func(b *fakeDriver) {
				b.sweep = func(ctx context.Context, limit int) (int, error) {
					return b.referenceDriver.Sweep(ctx, limit/2)
				}
			}),
		driverMutant("sweep-counts-twice", "driver/sweep-at-once",
			"Sweep counts the records of an earlier sweep again",
			func(b *fakeDriver) {
				var last atomic.Int64
				b.sweep = func(ctx context.Context, limit int) (int, error) {
					n, err := b.referenceDriver.Sweep(ctx, limit)
					if n == 0 && limit < 10 {
						return int(last.Swap(0)), err
					}
					last.Store(int64(n))
					return n, err
				}
			}),
		driverMutant("sweep-reads-first", "driver/sweep-renewed",
			"Sweep reads and deletes in two steps", func(b *fakeDriver) {
				b.sweep = func(ctx context.Context, limit int) (int, error) {
					if err := ctx.Err(); err != nil {
						return 0, err
					}
					n := 0
					for _, rec := range b.records(true) {
						if n == limit || rec.Expiry.After(time.Now()) {
							continue
						}
						beat()
						if b.referenceDriver.Delete(ctx, rec.ID, driver.Always()) == nil {
							n++
						}
					}
					return n, nil
				}
			}),
	}
}

// sweepsAllButOne is a driver whose sweeps leave one record.
func sweepsAllButOne(name, defect string, removesExpired bool) mutant {
	m := driverMutant(name, "driver/sweep-expired", defect, func(b *fakeDriver) {
		b.sweep = func(ctx context.Context, limit int) (int, error) {
			b.backend.mu.Lock()
			left := ""
			for id, rec := range b.backend.records {
				if !rec.Expiry.After(time.Now()) && (left == "" || id < left) {
					left = id
				}
			}
			kept, ok := b.backend.records[left]
			delete(b.backend.records, left)
			b.backend.mu.Unlock()
			n, err := b.referenceDriver.Sweep(ctx, limit)
			if ok {
				b.backend.mu.Lock()
				b.backend.records[left] = kept
				b.backend.mu.Unlock()
			}
			return n, err
		}
	})
	m.driver.RemovesExpired = removesExpired
	return m
}
