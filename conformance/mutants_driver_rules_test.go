package conformance

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

func driverRuleMutants() []mutant {
	return []mutant{
		driverMutant("delete-clears", `driver/delete driver/ids driver/range-calls driver/range-live ~driver/concurrent
			driver/expiry-moved driver/range-moved driver/sweep-extended driver/sweep-limit-moved driver/sweep-recreated driver/sweep-shortened driver/user-moved`, func(b *bent) {
			b.delete = func(ctx context.Context, id string) error {
				if err := b.referenceDriver.Delete(ctx, id); err != nil {
					return err
				}
				b.backend.mu.Lock()
				defer b.backend.mu.Unlock()
				clear(b.backend.records)
				return nil
			}
		}),
		driverMutant("delete-is-always-ok", `driver/delete-missing driver/separate`, func(b *bent) {
			b.delete = func(ctx context.Context, id string) error {
				if err := b.referenceDriver.Delete(ctx, id); !errors.Is(err, driver.ErrNotFound) {
					return err
				}
				return nil
			}
		}),
		driverMutant("loads-the-expired", `driver/expired-if-version driver/expired-load driver/expired-touch driver/expiry-precision
			driver/expiry-moved`, func(b *bent) {
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				if rec, ok := b.raw(id); ok && ctx.Err() == nil {
					rec.Data = slices.Clone(rec.Data)
					return rec, nil
				}
				return b.referenceDriver.Load(ctx, id)
			}
		}),
		driverMutant("expired-in-the-way", `driver/expired-if-absent`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if _, there := b.raw(rec.ID); there && cond.Absent() {
					return driver.ErrConflict
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverMutant("if-version-revives", `driver/expired-if-version`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if v, ok := cond.Match(); ok {
					if old, there := b.raw(rec.ID); there && old.Version == v && !old.Expiry.After(time.Now()) {
						cond = driver.Always()
					}
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverMutant("folds-case", `
			driver/ids driver/range-break driver/range-calls driver/range-copies driver/range-live driver/range-many
			driver/user-many driver/user-moves driver/user-range
			driver/range-moved driver/user-moved`, func(b *bent) { b.keyed(strings.ToLower) }),
		driverMutant("cuts-ids", `driver/ids`,
			func(b *bent) { b.keyed(func(id string) string { return id[:min(len(id), 255)] }) }),
		driverMutant("c-strings", `driver/data driver/data-sizes driver/limit`, func(b *bent) {
			b.saving(func(rec *driver.Record) { rec.Data, _, _ = bytes.Cut(rec.Data, []byte{0}) })
		}),
		driverMutant("mysql-blob", `driver/data-sizes driver/limit`, func(b *bent) {
			b.saving(func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), 1<<16-1)] })
		}),
		driverMutant("keeps-input", `driver/aliasing`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if err := b.referenceDriver.Save(ctx, rec, cond); err != nil {
					return err
				}
				stored, _ := b.raw(rec.ID)
				stored.Data = rec.Data
				b.set(stored)
				return nil
			}
		}),
		driverMutant("shares-output", `driver/aliasing`, func(b *bent) {
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				rec, err := b.referenceDriver.Load(ctx, id)
				if stored, _ := b.raw(id); err == nil {
					rec.Data = stored.Data
				}
				return rec, err
			}
		}),
		driverMutant("ignores-context", `driver/context`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				return b.referenceDriver.Save(context.WithoutCancel(ctx), rec, cond)
			}
		}),
		driverMutant("one-buffer", `
			driver/concurrent ~driver/if-absent-race ~driver/if-version-race ~driver/range-break ~driver/range-calls
			~driver/range-copies ~driver/range-live ~driver/range-many ~driver/sweep-expired ~driver/sweep-renewed`, func(b *bent) {
			var mu sync.Mutex
			var buf []byte
			b.saving(func(rec *driver.Record) {
				mu.Lock()
				buf = rec.Data
				mu.Unlock()
				beat()
				mu.Lock()
				defer mu.Unlock()
				rec.Data = buf
			})
		}),
		driverMutant("caches", `driver/second-instance`, func(b *bent) {
			var cache sync.Map
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				rec, err := b.referenceDriver.Load(ctx, id)
				if err == nil {
					if old, ok := cache.Load(id); ok && old.(driver.Record).Version < 2 && rec.Version == 2 {
						return old.(driver.Record), nil
					}
				}
				return rec, err
			}
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := b.referenceDriver.Save(ctx, rec, cond)
				if err == nil {
					rec.Data = slices.Clone(rec.Data)
					cache.Store(rec.ID, rec)
				}
				return err
			}
		}),
		driverMutant("error-is-not-typed", `driver/limit`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := b.referenceDriver.Save(ctx, rec, cond)
				if errors.Is(err, driver.ErrTooLarge) {
					return driver.ErrTooLarge
				}
				return err
			}
		}),
		driverMutant("cuts-data", `driver/limit`, func(b *bent) {
			b.saving(func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), referenceLimit)] })
		}),
		driverMutant("schema-once", `driver/schema-create`, func(b *bent) {
			b.create = func(ctx context.Context) error {
				if b.referenceDriver.CheckSchema(ctx) == nil {
					return errors.New("table exists")
				}
				return b.referenceDriver.CreateSchema(ctx)
			}
		}),
		driverMutant("schema-is-always-there", `driver/schema-check`,
			func(b *bent) { b.check = func(context.Context) error { return nil } }),
		driverMutant("schema-drop-keeps", `driver/schema-drop`, func(b *bent) {
			b.drop = func(ctx context.Context) error {
				b.backend.mu.Lock()
				defer b.backend.mu.Unlock()
				b.backend.schema = false
				return nil
			}
		}),
		driverMutant("no-schema-is-no-session", `driver/schema-missing`, func(b *bent) {
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				rec, err := b.referenceDriver.Load(ctx, id)
				if errors.Is(err, driver.ErrNoSchema) {
					err = driver.ErrNotFound
				}
				return rec, err
			}
		}),
		driverMutant("no-schema-text", `driver/schema-text`, func(b *bent) { b.text = "" }),
	}
}
