package conformance

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// fakeUserDriver is a fakeDriver whose index a mutant can replace, too.
type fakeUserDriver struct {
	*fakeDriver
	rangeUser func(ctx context.Context, user string) iter.Seq2[driver.Record, error]
}

func (b *fakeUserDriver) RangeUser(
	ctx context.Context, user string,
) iter.Seq2[driver.Record, error] {
	return b.rangeUser(ctx, user)
}

func driverUserMutant(name, check, defect string, alter func(b *fakeUserDriver)) mutant {
	made := func(d *referenceDriver) driver.Driver {
		b := &fakeUserDriver{fakeDriver: newFakeDriver(d, func(*fakeDriver) {}), rangeUser: d.RangeUser}
		alter(b)
		return b
	}
	return mutant{
		Mutant: mutants.Mutant{Name: "driver/" + name, Check: check, Defect: defect},
		levels: []Level{LevelDriver},
		driver: &Driver{
			Name: name,
			New:  func(testing.TB) driver.Driver { return made(newReferenceDriver(new(backend))) },
			Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
				return made(newReferenceDriver(d.(*fakeUserDriver).backend))
			},
		}}
}

// indexing makes RangeUser yield what list returns.
func (b *fakeUserDriver) indexing(list func(user string) []driver.Record) {
	b.rangeUser = func(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
		return func(yield func(driver.Record, error) bool) {
			if err := ctx.Err(); err != nil {
				yield(driver.Record{}, err)
				return
			}
			for _, rec := range list(user) {
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// of returns the user's live records, and the expired ones if expired is set.
func (b *fakeUserDriver) of(user string, expired bool) []driver.Record {
	var all []driver.Record
	for _, rec := range b.records(expired) {
		if rec.User == user {
			all = append(all, rec)
		}
	}
	return all
}

func driverUserMutants() []mutant {
	return []mutant{
		driverUserMutant("index-of-all", "driver/user-range",
			"RangeUser yields the records of every user", func(b *fakeUserDriver) {
				b.rangeUser = func(ctx context.Context, _ string) iter.Seq2[driver.Record,
					error] {
					return b.Range(ctx)
				}
			}),
		driverUserMutant("index-ignores-case", "driver/user-range",
			"RangeUser compares users without regard to case", func(b *fakeUserDriver) {
				b.indexing(func(user string) []driver.Record {
					var all []driver.Record
					for _, rec := range b.records(false) {
						if strings.EqualFold(rec.User, user) {
							all = append(all, rec)
						}
					}
					return all
				})
			}),
		driverUserMutant("index-with-expired", "driver/user-range",
			"RangeUser yields expired records", func(b *fakeUserDriver) {
				b.indexing(func(user string) []driver.Record { return b.of(user, true) })
			}),
		driverUserMutant("index-one-page", "driver/user-many",
			"RangeUser yields at most 100 records", func(b *fakeUserDriver) {
				b.indexing(func(user string) []driver.Record {
					all := b.of(user, false)
					return all[:min(len(all), 100)]
				})
			}),
		driverUserMutant("index-without-data", "driver/user-range",
			"RangeUser yields records without data", func(b *fakeUserDriver) {
				b.indexing(func(user string) []driver.Record {
					all := b.of(user, false)
					for i := range all {
						all[i].Data = nil
					}
					return all
				})
			}),
		driverUserMutant("user-of-creation", "driver/user-moves",
			"a save keeps the user of the stored record", func(b *fakeUserDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if old, ok := b.raw(rec.ID); ok {
						rec.User = old.User
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverUserMutant("nobody-is-kept", "driver/user-moves",
			"a save without a user keeps the user of the stored record", func(b *fakeUserDriver) {
				b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if old, ok := b.raw(rec.ID); ok && rec.User == "" {
						rec.User = old.User
					}
					return b.referenceDriver.Save(ctx, rec, cond)
				}
			}),
		driverUserMutant("touch-forgets-user", "driver/user-moves",
			"a touch removes the user", func(b *fakeUserDriver) {
				b.touch = func(ctx context.Context, rec driver.Record) error {
					err := b.referenceDriver.Touch(ctx, rec)
					if rec, ok := b.raw(rec.ID); ok && err == nil {
						rec.User = ""
						b.set(rec)
					}
					return err
				}
			}),
		driverUserMutant("index-without-context", "driver/user-context",
			"RangeUser ignores its context", func(b *fakeUserDriver) {
				b.rangeUser = func(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
					return b.referenceDriver.RangeUser(context.WithoutCancel(ctx), user)
				}
			}),
	}
}
