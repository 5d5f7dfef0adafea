package conformance

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// bent is a reference driver of which a mutant replaces functions.
type bent struct {
	*referenceDriver
	load   func(ctx context.Context, id string) (driver.Record, error)
	save   func(ctx context.Context, rec driver.Record, cond driver.Condition) error
	touch  func(ctx context.Context, id string, version int64, e time.Time) error
	delete func(ctx context.Context, id string) error
	ranged func(ctx context.Context) iter.Seq2[driver.Record, error]
	sweep  func(ctx context.Context, limit int) (int, error)
	create func(ctx context.Context) error
	check  func(ctx context.Context) error
	drop   func(ctx context.Context) error
	text   string
}

func newBent(d *referenceDriver, change func(*bent)) *bent {
	b := &bent{
		referenceDriver: d, load: d.Load, save: d.Save, touch: d.Touch, delete: d.Delete, ranged: d.Range,
		sweep: d.Sweep, create: d.CreateSchema, check: d.CheckSchema, drop: d.DropSchema,
		text: d.Schema(),
	}
	change(b)
	return b
}

func (b *bent) Load(ctx context.Context, id string) (driver.Record, error) {
	return b.load(ctx, id)
}
func (b *bent) Delete(ctx context.Context, id string) error {
	return b.delete(ctx, id)
}
func (b *bent) Range(ctx context.Context) iter.Seq2[driver.Record, error] { return b.ranged(ctx) }
func (b *bent) Sweep(ctx context.Context, limit int) (int, error) {
	return b.sweep(ctx, limit)
}
func (b *bent) CreateSchema(ctx context.Context) error { return b.create(ctx) }
func (b *bent) CheckSchema(ctx context.Context) error  { return b.check(ctx) }
func (b *bent) DropSchema(ctx context.Context) error   { return b.drop(ctx) }
func (b *bent) Schema() string                         { return b.text }
func (b *bent) Save(ctx context.Context, r driver.Record, c driver.Condition) error {
	return b.save(ctx, r, c)
}
func (b *bent) Touch(ctx context.Context, id string, version int64, e time.Time) error {
	return b.touch(ctx, id, version, e)
}

// raw returns what is stored, expired or not, and not a copy.
func (b *bent) raw(id string) (driver.Record, bool) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	rec, ok := b.backend.records[id]
	return rec, ok
}

// set stores a record as it is.
func (b *bent) set(rec driver.Record) {
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	b.backend.records[rec.ID] = rec
}

// saving makes the driver change what it is given to save.
func (b *bent) saving(change func(rec *driver.Record)) {
	b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
		change(&rec)
		return b.referenceDriver.Save(ctx, rec, cond)
	}
}

// keyed makes the driver file records under a function of their id.
func (b *bent) keyed(key func(string) string) {
	b.load = func(ctx context.Context, id string) (driver.Record, error) {
		rec, err := b.referenceDriver.Load(ctx, key(id))
		rec.ID = id
		return rec, err
	}
	b.saving(func(rec *driver.Record) { rec.ID = key(rec.ID) })
	b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
		return b.referenceDriver.Touch(ctx, key(id), version, e)
	}
	b.delete = func(ctx context.Context, id string) error {
		return b.referenceDriver.Delete(ctx, key(id))
	}
}

func driverMutant(name, fails string, change func(*bent)) mutant {
	return mutant{name: "driver/" + name, levels: []Level{LevelDriver}, fails: strings.Fields(fails),
		driver: &Driver{
			Name: name,
			New:  func(testing.TB) driver.Driver { return newBent(newReferenceDriver(new(backend)), change) },
			Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
				return newBent(newReferenceDriver(d.(*bent).backend), change)
			},
		}}
}

func driverMutants() []mutant {
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
