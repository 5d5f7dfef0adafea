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
	var shared sync.Map // backends by the check that asked for them
	one := driverMutant("one-backend-for-all", `driver/separate`, func(*bent) {})
	one.driver.New = func(tb testing.TB) driver.Driver {
		b, _ := shared.LoadOrStore(tb, new(backend))
		return newBent(newReferenceDriver(b.(*backend)), func(*bent) {})
	}
	return []mutant{
		one,
		driverMutant("correct", ``, func(*bent) {}),
		driverMutant("missing-is-nil", `
			driver/concurrent driver/delete driver/expired-if-version driver/expired-load driver/expired-touch
			driver/expiry-precision driver/load-missing driver/save-if-version-missing driver/schema-drop
			driver/second-instance driver/separate driver/touch-missing driver/expiry-moved`, func(b *bent) {
			b.load = func(ctx context.Context, id string) (driver.Record, error) {
				rec, err := b.referenceDriver.Load(ctx, id)
				if errors.Is(err, driver.ErrNotFound) {
					err = nil
				}
				return rec, err
			}
		}),
		driverMutant("no-updated", `
			driver/aliasing driver/concurrent driver/context driver/created-kept driver/data driver/data-sizes
			driver/delete driver/expired-if-absent driver/far-future driver/limit driver/range-break
			driver/range-calls driver/range-copies driver/range-live driver/range-many driver/round-trip
			driver/save-always driver/save-if-absent driver/save-if-version driver/schema-create driver/schema-drop
			driver/second-instance driver/separate driver/sweep-expired driver/touch driver/touch-version
			driver/versions driver/zones driver/expiry-moved driver/range-moved`, func(b *bent) { b.saving(func(rec *driver.Record) { rec.Updated = time.Time{} }) }),
		driverMutant("whole-seconds", `
			driver/aliasing driver/concurrent driver/context driver/created-kept driver/data driver/data-sizes
			driver/delete driver/expired-if-absent driver/far-future driver/limit driver/range-break
			driver/range-calls driver/range-copies driver/range-live driver/range-many driver/round-trip
			driver/save-always driver/save-if-absent driver/save-if-version driver/schema-create driver/schema-drop
			driver/second-instance driver/separate driver/sweep-expired driver/touch driver/touch-version
			driver/versions driver/zones driver/expiry-moved driver/range-moved`, func(b *bent) {
			b.saving(func(rec *driver.Record) { rec.Created = rec.Created.Truncate(time.Second) })
		}),
		driverMutant("expiry-in-whole-seconds",
			`driver/expiry-precision ~driver/expired-if-absent ~driver/expired-if-version ~driver/expired-load ~driver/expired-touch ~driver/range-live ~driver/sweep-at-once ~driver/sweep-expired ~driver/sweep-limit ~driver/expiry-moved ~driver/range-moved ~driver/sweep-dates ~driver/sweep-deleted ~driver/sweep-extended ~driver/sweep-limit-moved ~driver/sweep-shortened ~driver/user-moved`, func(b *bent) {
				b.saving(func(rec *driver.Record) {
					if rec.Expiry.Before(in(2 * time.Second)) {
						rec.Expiry = rec.Expiry.Add(time.Second - 1).Truncate(time.Second)
					}
				})
			}),
		driverMutant("drops-zone", `driver/zones driver/sweep-dates`, func(b *bent) {
			b.saving(func(rec *driver.Record) {
				if e := rec.Expiry; e.Location() != time.Local {
					rec.Expiry = time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(),
						e.Nanosecond(), time.UTC)
				}
			})
		}),
		driverMutant("32-bit-time", `driver/far-future
			driver/sweep-dates`, func(b *bent) {
			b.saving(func(rec *driver.Record) {
				if rec.Expiry.Year() > 2037 {
					rec.Expiry = time.Unix(int64(int32(rec.Expiry.Unix())), 0)
				}
			})
		}),
		driverMutant("version-is-a-double", `driver/touch driver/versions`, func(b *bent) {
			b.saving(func(rec *driver.Record) { rec.Version = int64(float64(rec.Version)) & (1<<63 - 1) })
		}),
		driverMutant("never-overwrites", `driver/created-kept driver/save-always driver/user-moves
			driver/expiry-moved driver/range-moved driver/sweep-saved-later driver/sweep-shortened driver/user-moved driver/data-stays`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if cond == driver.Always() {
					if err := b.referenceDriver.Save(ctx, rec, driver.IfAbsent()); !errors.Is(err,
						driver.ErrConflict) {
						return err
					}
					return nil
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverMutant("if-absent-overwrites", `driver/if-absent-race driver/save-if-absent
			driver/expiry-moved`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if cond.Absent() {
					cond = driver.Always()
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverMutant("if-version-overwrites",
			`driver/if-version-race driver/save-if-version driver/second-instance`, func(b *bent) {
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
		driverMutant("if-version-creates", `driver/save-if-version-missing`, func(b *bent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if _, ok := cond.Match(); ok {
					if _, there := b.raw(rec.ID); !there {
						cond = driver.IfAbsent()
					}
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverMutant("forgets-created", `driver/created-kept`, func(b *bent) {
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
		driverMutant("keeps-created-for-ever", `driver/expired-if-absent`, func(b *bent) {
			b.saving(func(rec *driver.Record) {
				if old, ok := b.raw(rec.ID); ok {
					rec.Created = old.Created
				}
			})
		}),
		driverMutant("if-absent-reads-first", `driver/if-absent-race`, func(b *bent) {
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
		driverMutant("if-version-reads-first", `driver/if-version-race`, func(b *bent) {
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
		driverMutant("touch-updates", `driver/concurrent driver/touch driver/zones
			driver/expiry-moved driver/range-moved`, func(b *bent) {
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if err := b.referenceDriver.Touch(ctx, id, version, e); err != nil {
					return err
				}
				rec, _ := b.raw(id)
				rec.Updated = time.Now()
				b.set(rec)
				return nil
			}
		}),
		driverMutant("touch-only-extends", `driver/touch
			driver/expiry-moved driver/range-moved driver/sweep-shortened driver/user-moved`, func(b *bent) {
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if old, ok := b.raw(id); ok && old.Expiry.After(e) {
					e = old.Expiry
				}
				return b.referenceDriver.Touch(ctx, id, version, e)
			}
		}),
		driverMutant("touches-any-version", `driver/touch-version`, func(b *bent) {
			b.touch = func(ctx context.Context, id string, _ int64, e time.Time) error {
				rec, _ := b.raw(id)
				return b.referenceDriver.Touch(ctx, id, rec.Version, e)
			}
		}),
		driverMutant("touch-creates", `driver/touch-missing`, func(b *bent) {
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if _, ok := b.raw(id); !ok {
					b.set(driver.Record{ID: id, Version: version, Expiry: e})
				}
				return b.referenceDriver.Touch(ctx, id, version, e)
			}
		}),
		driverMutant("touch-revives", `driver/expired-touch`, func(b *bent) {
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if rec, ok := b.raw(id); ok && rec.Version == version && ctx.Err() == nil {
					rec.Expiry = e
					b.set(rec)
					return nil
				}
				return b.referenceDriver.Touch(ctx, id, version, e)
			}
		}),
	}
}
