package conformance

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// userKit is a store of which a mutant replaces what it says of users.
type userKit struct {
	*scskit.Store
	list    func(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error]
	destroy func(ctx context.Context, user string, except ...string) (int, error)
}

func (k *userKit) SessionsOf(ctx context.Context, user string) iter.Seq2[scskit.UserSession,
	error] {
	return k.list(ctx, user)
}

func (k *userKit) DestroySessionsOf(ctx context.Context, user string,
	except ...string) (int, error) {
	return k.destroy(ctx, user, except...)
}

// indexed is a patched driver that still has its index.
type indexed struct{ *patch }

func (i indexed) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return i.Driver.(driver.UserIndex).RangeUser(ctx, user)
}

func userMutant(name, fails string, alter func(k *userKit)) mutant {
	s := reference()
	s.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		store, err := scskit.NewStore(d, opts)
		if err != nil {
			return nil, err
		}
		k := &userKit{Store: store, list: store.SessionsOf, destroy: store.DestroySessionsOf}
		alter(k)
		return k, nil
	}
	return mutant{name: "user/" + name, levels: []Level{LevelPortable}, fails: strings.Fields(fails),
		store: &s}
}

// listing makes a store change the sessions of a user that it yields; false leaves one out.
func (k *userKit) listing(alter func(s *scskit.UserSession) bool) {
	k.list = func(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error] {
		return func(yield func(scskit.UserSession, error) bool) {
			for s, err := range k.Store.SessionsOf(ctx, user) {
				if (err != nil || alter(&s)) && !yield(s, err) {
					return
				}
			}
		}
	}
}

// savedFor makes the store under a mutant save records for another user. It is given the one that
// is stored.
func savedFor(name, fails string, user func(rec driver.Record, stored string) string) mutant {
	s := reference()
	s.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		if _, ok := d.(driver.UserIndex); !ok {
			return scskit.NewStore(d, opts)
		}
		p := newPatch(d)
		p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
			old, err := d.Load(ctx, rec.ID)
			if err == nil {
				rec.User = user(rec, old.User)
			}
			return d.Save(ctx, rec, cond)
		}
		return scskit.NewStore(indexed{p}, opts)
	}
	return mutant{name: "user/" + name, levels: []Level{LevelPortable}, fails: strings.Fields(fails),
		store: &s}
}

func userMutants() []mutant {
	return []mutant{
		kitMutant("guesses-the-key", `user/needs-key`,
			change{options: func(o *scskit.Options) { o.UserKey = "user" }}),
		savedFor("first-user-stays", `user/follows-change ~user/destroy-merging`,
			func(_ driver.Record, stored string) string { return stored }),
		savedFor("saves-for-nobody", `~user/destroy-merging user/follows-change`,
			func(driver.Record, string) string { return "" }),
		userMutant("ignores-case", `user/sessions-of`, func(k *userKit) {
			k.list = func(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error] {
				names := []string{user}
				if upper := strings.ToUpper(user); upper != user {
					names = append(names, upper)
				}
				return func(yield func(scskit.UserSession, error) bool) {
					for _, name := range names {
						for s, err := range k.Store.SessionsOf(ctx, name) {
							if !yield(s, err) || err != nil {
								return
							}
						}
					}
				}
			}
		}),
		userMutant("id-opens", `
			user/destroy user/destroy-all-but-own user/follows-change user/hides-names
			user/integers user/sessions-of`, func(k *userKit) {
			k.listing(func(s *scskit.UserSession) bool { s.ID = s.Key; return true })
		}),
		userMutant("key-is-id", `user/sessions-of`, func(k *userKit) {
			k.listing(func(s *scskit.UserSession) bool { s.Key = s.ID; return true })
		}),
		userMutant("without-values", `user/sessions-of`, func(k *userKit) {
			k.listing(func(s *scskit.UserSession) bool { s.Values = nil; return true })
		}),
		userMutant("without-times", `user/sessions-of`, func(k *userKit) {
			k.listing(func(s *scskit.UserSession) bool {
				s.Expiry, s.Updated = time.Time{}, time.Time{}
				return true
			})
		}),
		userMutant("names-only", `user/integers`, func(k *userKit) {
			k.listing(func(s *scskit.UserSession) bool { _, ok := s.Values["user"].(string); return ok })
		}),
		userMutant("destroys-excepted", `user/destroy user/destroy-all-but-own`, func(k *userKit) {
			k.destroy = func(ctx context.Context, user string, _ ...string) (int, error) {
				return k.Store.DestroySessionsOf(ctx, user)
			}
		}),
		userMutant("destroys-one", `
			user/destroy ~user/destroy-all-but-own ~user/destroy-merging user/destroy-renewing`, func(k *userKit) {
			k.destroy = func(ctx context.Context, user string, except ...string) (int, error) {
				for s, err := range k.Store.SessionsOf(ctx, user) {
					if err != nil {
						return 0, err
					}
					return 1, k.DeleteCtx(ctx, s.Key)
				}
				return k.Store.DestroySessionsOf(ctx, user, except...)
			}
		}),
		userMutant("quotes-the-user", `user/hides-names`, func(k *userKit) {
			k.destroy = func(ctx context.Context, user string, except ...string) (int, error) {
				n, err := k.Store.DestroySessionsOf(ctx, user, except...)
				if err != nil {
					err = fmt.Errorf("sessions of %q: %w", user, err)
				}
				return n, err
			}
		}),
	}
}

// userBent is a driver of which a mutant replaces the index as well.
type userBent struct {
	*bent
	rangeUser func(ctx context.Context, user string) iter.Seq2[driver.Record, error]
}

func (b *userBent) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return b.rangeUser(ctx, user)
}

func driverUserMutant(name, fails string, alter func(b *userBent)) mutant {
	made := func(d *referenceDriver) driver.Driver {
		b := &userBent{bent: newBent(d, func(*bent) {}), rangeUser: d.RangeUser}
		alter(b)
		return b
	}
	return mutant{name: "driver/" + name, levels: []Level{LevelDriver}, fails: strings.Fields(fails),
		driver: &Driver{
			Name: name,
			New:  func(testing.TB) driver.Driver { return made(newReferenceDriver(new(backend))) },
			Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
				return made(newReferenceDriver(d.(*userBent).backend))
			},
		}}
}

// indexing makes the driver yield what list returns for a user.
func (b *userBent) indexing(list func(user string) []driver.Record) {
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

// of returns the user's records, whether or not they have expired.
func (b *userBent) of(user string, expired bool) []driver.Record {
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
		driverUserMutant("index-of-all", `driver/user-moves driver/user-range`, func(b *userBent) {
			b.rangeUser = func(ctx context.Context, _ string) iter.Seq2[driver.Record,
				error] {
				return b.Range(ctx)
			}
		}),
		driverUserMutant("index-ignores-case", `driver/user-range`, func(b *userBent) {
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
		driverUserMutant("index-with-expired", `driver/user-range driver/user-moved`, func(b *userBent) {
			b.indexing(func(user string) []driver.Record { return b.of(user, true) })
		}),
		driverUserMutant("index-one-page", `driver/user-many`, func(b *userBent) {
			b.indexing(func(user string) []driver.Record {
				all := b.of(user, false)
				return all[:min(len(all), 100)]
			})
		}),
		driverUserMutant("index-without-data",
			`driver/user-many driver/user-moves driver/user-range driver/user-moved`, func(b *userBent) {
				b.indexing(func(user string) []driver.Record {
					all := b.of(user, false)
					for i := range all {
						all[i].Data = nil
					}
					return all
				})
			}),
		driverUserMutant("user-of-creation", `driver/user-moves`, func(b *userBent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if old, ok := b.raw(rec.ID); ok {
					rec.User = old.User
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverUserMutant("nobody-is-kept", `driver/user-moves`, func(b *userBent) {
			b.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if old, ok := b.raw(rec.ID); ok && rec.User == "" {
					rec.User = old.User
				}
				return b.referenceDriver.Save(ctx, rec, cond)
			}
		}),
		driverUserMutant("touch-forgets-user", `driver/user-moves driver/user-moved`, func(b *userBent) {
			b.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				err := b.referenceDriver.Touch(ctx, id, version, e)
				if rec, ok := b.raw(id); ok && err == nil {
					rec.User = ""
					b.set(rec)
				}
				return err
			}
		}),
		driverUserMutant("index-without-context", `driver/user-context`, func(b *userBent) {
			b.rangeUser = func(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
				return b.referenceDriver.RangeUser(context.WithoutCancel(ctx), user)
			}
		}),
	}
}
