package conformance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

func driverRecordMutants() []mutant {
	var shared sync.Map // backends, by the check
	one := driverMutant("one-backend-for-all", "driver/separate",
		"every driver of a check shares its records", func(*fakeDriver) {})
	one.driver.New = func(tb testing.TB) driver.Driver {
		b, _ := shared.LoadOrStore(tb, new(backend))
		return newFakeDriver(newReferenceDriver(b.(*backend)), func(*fakeDriver) {})
	}
	return []mutant{
		one,
		driverMutant("correct", "", "", func(*fakeDriver) {}),
		driverMutant("missing-is-nil", "driver/load-missing",
			"Load returns no error if there is no record", func(b *fakeDriver) {
				b.load = func(ctx context.Context, id string) (driver.Record, error) {
					rec, err := b.referenceDriver.Load(ctx, id)
					if errors.Is(err, driver.ErrNotFound) {
						err = nil
					}
					return rec, err
				}
			}),
		driverMutant("no-updated", "driver/round-trip",
			"Record.Updated is lost",
			func(b *fakeDriver) { b.saving(func(rec *driver.Record) { rec.Updated = time.Time{} }) }),
		driverMutant("loses-seen", "driver/round-trip",
			"Record.Seen is lost",
			func(b *fakeDriver) { b.saving(func(rec *driver.Record) { rec.Seen = time.Time{} }) }),
		driverMutant("whole-seconds", "driver/round-trip",
			"Record.Created is cut to whole seconds", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) { rec.Created = rec.Created.Truncate(time.Second) })
			}),
		driverMutant("expiry-in-whole-seconds", "driver/expiry-precision",
			"an expiry within two seconds is rounded up to whole seconds", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) {
					if rec.Expiry.Before(in(2 * time.Second)) {
						rec.Expiry = rec.Expiry.Add(time.Second - 1).Truncate(time.Second)
					}
				})
			}),
		driverMutant("drops-zone", "driver/zones",
			"the expiry is stored without its zone, and read as UTC", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) {
					if e := rec.Expiry; e.Location() != time.Local {
						rec.Expiry = time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(),
							e.Nanosecond(), time.UTC)
					}
				})
			}),
		driverMutant("32-bit-time", "driver/far-future",
			"expiries are stored as 32 bits of seconds", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) {
					if rec.Expiry.Year() > 2037 {
						rec.Expiry = time.Unix(int64(int32(rec.Expiry.Unix())), 0)
					}
				})
			}),
		driverMutant("version-is-a-double", "driver/versions",
			"versions are stored as floating point", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) { rec.Version = int64(float64(rec.Version)) & (1<<63 - 1) })
			}),
		driverMutant("never-overwrites", "driver/save-always",
			"Save with Always keeps a record that is there", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if cond == driver.Always() {
						err := b.referenceDriver.Save(ctx, rec, driver.IfAbsent())
						if errors.Is(err, driver.ErrConflict) {
							return nil
						}
						return err
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("if-absent-overwrites", "driver/save-if-absent",
			"Save with IfAbsent overwrites", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if cond.Absent() {
						cond = driver.Always()
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("if-version-overwrites", "driver/save-if-version",
			"Save with IfVersion overwrites any version", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, ok := cond.Match(); ok {
						old, err := b.referenceDriver.Load(ctx, rec.ID)
						if err != nil {
							return err
						}
						cond = driver.IfVersion(old.Version)
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("if-version-creates", "driver/save-if-version-missing",
			"Save with IfVersion creates a record", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, ok := cond.Match(); ok {
						if _, there := b.raw(rec.ID); !there {
							cond = driver.IfAbsent()
						}
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("forgets-created", "driver/created-kept",
			"a save overwrites Record.Created", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					created := rec.Created
					if err := b.referenceDriver.Save(ctx, rec, cond); err != nil {
						return err
					}
					rec, _ = b.raw(rec.ID)
					rec.Created = created
					b.set(rec)
					return nil
				}
			}),
		driverMutant("keeps-created-for-ever", "driver/expired-if-absent",
			"a save over an expired record keeps its Created", func(b *fakeDriver) {
				b.saving(func(rec *driver.Record) {
					if old, ok := b.raw(rec.ID); ok {
						rec.Created = old.Created
					}
				})
			}),
		driverMutant("if-absent-reads-first", "driver/if-absent-race",
			"Save with IfAbsent reads and writes in two steps", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if cond.Absent() {
						if _, err := b.referenceDriver.Load(ctx, rec.ID); err == nil {
							return driver.ErrConflict
						}
						beat()
						cond = driver.Always()
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("if-version-reads-first", "driver/if-version-race",
			"Save with IfVersion reads and writes in two steps", func(b *fakeDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if v, ok := cond.Match(); ok {
						old, err := b.referenceDriver.Load(ctx, rec.ID)
						if err != nil {
							return err
						}
						if old.Version != v {
							return driver.ErrConflict
						}
						beat()
						cond = driver.Always()
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverMutant("touch-updates", "driver/touch",
			"Touch changes Record.Updated", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					if err := b.referenceDriver.Touch(ctx, rec); err != nil {
						return err
					}
					rec, _ = b.raw(rec.ID)
					rec.Updated = time.Now()
					b.set(rec)
					return nil
				}
			}),
		driverMutant("touch-keeps-seen", "driver/touch",
			"Touch does not set Record.Seen", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					old, _ := b.raw(rec.ID)
					rec.Seen = old.Seen
					return b.referenceDriver.Touch(ctx, rec)
				}
			}),
		driverMutant("touch-only-extends", "driver/touch",
			"Touch moves the expiry only to a later one", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					if old, ok := b.raw(rec.ID); ok && old.Expiry.After(rec.Expiry) {
						rec.Expiry = old.Expiry
					}
					return b.referenceDriver.Touch(ctx, rec)
				}
			}),
		driverMutant("touches-any-version", "driver/touch-version",
			"Touch ignores the version", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					old, _ := b.raw(rec.ID)
					rec.Version = old.Version
					return b.referenceDriver.Touch(ctx, rec)
				}
			}),
		driverMutant("touch-creates", "driver/touch-missing",
			"Touch creates a record", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					if _, ok := b.raw(rec.ID); !ok {
						b.set(rec)
					}
					return b.referenceDriver.Touch(ctx, rec)
				}
			}),
		driverMutant("touch-revives", "driver/expired-touch",
			"Touch moves the expiry of an expired record", func(b *fakeDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					if old, ok := b.raw(rec.ID); ok && old.Version == rec.Version && ctx.Err() == nil {
						old.Expiry = rec.Expiry
						b.set(old)
						return nil
					}
					return b.referenceDriver.Touch(ctx, rec)
				}
			}),
	}
}
