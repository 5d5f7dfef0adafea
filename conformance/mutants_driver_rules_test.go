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
		driverMutant("delete-clears", "driver/delete",
			"Delete removes every record", func(b *fakeDriver) {
				b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
					if err := b.referenceDriver.Delete(ctx, id, cond); err != nil {
						return err
					}
					b.backend.mu.Lock()
					defer b.backend.mu.Unlock()
					clear(b.backend.records)
					return nil
				}
			}),
		driverMutant("delete-is-always-ok", "driver/delete-missing",
			"Delete returns no error if there is no record", func(b *fakeDriver) {
				b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
					if err := b.referenceDriver.Delete(ctx, id, cond); !errors.Is(err, driver.ErrNotFound) {
						return err
					}
					return nil
				}
			}),
		driverMutant("delete-has-no-condition", "driver/delete-version",
			"Delete removes the record at any version", func(b *fakeDriver) {
				b.delete = func(ctx context.Context, id string, _ driver.Condition) error {
					return b.referenceDriver.Delete(ctx, id, driver.Always())
				}
			}),
		driverMutant("delete-looks-first", "driver/delete-race",
			"Delete reads the version and deletes in two steps", func(b *fakeDriver) {
				b.delete = func(ctx context.Context, id string, cond driver.Condition) error {
					if v, ok := cond.Match(); ok {
						switch rec, err := b.load(ctx, id); {
						case err != nil:
							return err
						case rec.Version != v:
							return driver.ErrConflict
						}
						time.Sleep(time.Millisecond)
					}
					return b.referenceDriver.Delete(ctx, id, driver.Always())
				}
			}),
		driverMutant("loads-the-expired", "driver/expired-load",
			"Load returns expired records", func(b *fakeDriver) {
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					if rec, ok := b.raw(id); ok && ctx.Err() == nil {
						rec.Data = slices.Clone(rec.Data)
						return rec, nil
					}
					return b.referenceDriver.Load(ctx, id)
				}
			}),
		driverMutant("expired-in-the-way", "driver/expired-if-absent",
			"Save with IfAbsent fails where an expired record is still stored", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, there := b.raw(rec.ID); there && cond.Absent() {
						return driver.ErrConflict
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("if-version-revives", "driver/expired-if-version",
			"Save with IfVersion overwrites an expired record", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if v, ok := cond.Match(); ok {
						if old, there := b.raw(rec.ID); there && old.Version == v && !old.Expiry.After(time.Now()) {
							cond = driver.Always()
						}
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("folds-case", "driver/ids",
			"ids are compared without regard to case", func(b *fakeDriver) { b.keyed(strings.ToLower) }),
		driverMutant("cuts-ids", "driver/ids",
			"ids are cut to 255 bytes",
			func(b *fakeDriver) { b.keyed(func(id string) string { return id[:min(len(id), 255)] }) }),
		driverMutant("c-strings", "driver/data",
			"data ends at the first NUL", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) { rec.Data, _, _ = bytes.Cut(rec.Data, []byte{0}) })
			}),
		driverMutant("mysql-blob", "driver/data-sizes",
			"data is cut to 65535 bytes", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), 1<<16-1)] })
			}),
		driverMutant("keeps-input", "driver/aliasing",
			"Save keeps the slice of the caller", func(b *fakeDriver) {
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
		driverMutant("shares-output", "driver/aliasing",
			"Load returns the slice that is stored", func(b *fakeDriver) {
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					rec, err := b.referenceDriver.Load(ctx, id)
					if stored, _ := b.raw(id); err == nil {
						rec.Data = stored.Data
					}
					return rec, err
				}
			}),
		driverMutant("ignores-context", "driver/context",
			"Save ignores its context", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					return b.referenceDriver.Save(context.WithoutCancel(ctx), rec, cond)
				}
			}),
		driverMutant("one-buffer", "driver/concurrent",
			"concurrent saves share a buffer", func(b *fakeDriver) {
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
		driverMutant("caches", "driver/second-instance",
			"each instance caches what it has written", func(b *fakeDriver) {
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
		driverMutant("error-is-not-typed", "driver/limit",
			"the error for data over the limit is not a *TooLargeError", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					err := b.referenceDriver.Save(ctx, rec, cond)
					if errors.Is(err, driver.ErrTooLarge) {
						return driver.ErrTooLarge
					}
					return err
				}
			}),
		driverMutant("cuts-data", "driver/limit",
			"Save cuts data to the limit", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), referenceLimit)] })
			}),
		driverMutant("schema-once", "driver/schema-create",
			"CreateSchema fails if the schema is there", func(b *fakeDriver) {
				b.create = func(ctx context.Context) error {
					if b.referenceDriver.CheckSchema(ctx) == nil {
						return errors.New("table exists")
					}
					return b.referenceDriver.CreateSchema(ctx)
				}
			}),
		driverMutant("schema-is-always-there", "driver/schema-check",
			"CheckSchema always succeeds",
			func(b *fakeDriver) { b.check = func(context.Context) error { return nil } }),
		driverMutant("schema-drop-keeps", "driver/schema-drop",
			"DropSchema keeps the records", func(b *fakeDriver) {
				b.drop = func(ctx context.Context) error {
					b.backend.mu.Lock()
					defer b.backend.mu.Unlock()
					b.backend.schema = false
					return nil
				}
			}),
		driverMutant("no-schema-is-no-session", "driver/schema-missing",
			"Load returns ErrNotFound where the schema is missing", func(b *fakeDriver) {
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					rec, err := b.referenceDriver.Load(ctx, id)
					if errors.Is(err, driver.ErrNoSchema) {
						err = driver.ErrNotFound
					}
					return rec, err
				}
			}),
		driverMutant("no-schema-text", "driver/schema-text",
			"Schema returns an empty text", func(b *fakeDriver) { b.text = "" }),
	}
}
