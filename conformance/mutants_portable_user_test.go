package conformance

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// userPortable is a *scskit.Store whose methods about users a mutant can replace.
type userPortable struct {
	*scskit.Store
	list    func(ctx context.Context, user string) iter.Seq2[scskit.UserSession, error]
	destroy func(ctx context.Context, user string, except ...string) (int, error)
	update  func(ctx context.Context, user string, change func(map[string]any) error) (int, error)
}

func (k *userPortable) SessionsOf(
	ctx context.Context, user string,
) iter.Seq2[scskit.UserSession, error] {
	return k.list(ctx, user)
}

func (k *userPortable) UpdateSessionsOf(
	ctx context.Context, user string, change func(map[string]any) error,
) (int, error) {
	return k.update(ctx, user, change)
}

func (k *userPortable) DestroySessionsOf(
	ctx context.Context, user string, except ...string,
) (int, error) {
	return k.destroy(ctx, user, except...)
}

// indexed is a patch that implements driver.UserIndex.
type indexed struct{ *patch }

func (i indexed) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return i.Driver.(driver.UserIndex).RangeUser(ctx, user)
}

func userMutant(name, check, defect string, alter func(k *userPortable)) mutant {
	s := reference()
	s.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		store, err := scskit.NewStore(d, opts)
		if err != nil {
			return nil, err
		}
		k := &userPortable{Store: store, list: store.SessionsOf, destroy: store.DestroySessionsOf,
			update: store.UpdateSessionsOf}
		alter(k)
		return k, nil
	}
	return mutant{
		Mutant: mutants.Mutant{Name: "user/" + name, Check: check, Defect: defect},
		levels: []Level{LevelPortable},
		store:  &s}
}

// listing makes SessionsOf change each session; it leaves out those for which alter returns false.
func (k *userPortable) listing(alter func(s *scskit.UserSession) bool) {
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

// savedFor changes the user of each saved record. user gets the record and the user of the stored
// one.
func savedFor(
	name, check, defect string, user func(rec driver.Record, stored string) string,
) mutant {
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
	return mutant{
		Mutant: mutants.Mutant{Name: "user/" + name, Check: check, Defect: defect},
		levels: []Level{LevelPortable},
		store:  &s}
}

func portableUserMutants() []mutant {
	return []mutant{
		portableMutant("guesses-the-key", "user/needs-key",
			"a store without Options.UserKey takes \"user\"",
			change{options: func(o *scskit.Options) { o.UserKey = "user" }}),
		savedFor("first-user-stays", "user/follows-change",
			"a save keeps the user of the stored record",
			func(_ driver.Record, stored string) string { return stored }),
		savedFor("saves-for-nobody", "user/follows-change",
			"a save over a record removes its user",
			func(driver.Record, string) string { return "" }),
		userMutant("ignores-case", "user/sessions-of",
			"SessionsOf finds the users whose names differ in case", func(k *userPortable) {
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
		userMutant("id-opens", "user/hides-names",
			"the id of a listed session is its key", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool { s.ID = s.Key; return true })
			}),
		userMutant("key-is-id", "user/sessions-of",
			"the key of a listed session is its id", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool { s.Key = s.ID; return true })
			}),
		userMutant("without-values", "user/sessions-of",
			"listed sessions have no values", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool { s.Values = nil; return true })
			}),
		userMutant("without-times", "user/sessions-of",
			"listed sessions have no expiry and no time of update", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool {
					s.Expiry, s.Updated = time.Time{}, time.Time{}
					return true
				})
			}),
		userMutant("names-only", "user/integers",
			"SessionsOf finds no users that are integers", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool { _, ok := s.Values["user"].(string); return ok })
			}),
		userMutant("destroys-excepted", "user/destroy",
			"DestroySessionsOf ignores its exceptions", func(k *userPortable) {
				k.destroy = func(ctx context.Context, user string, _ ...string) (int, error) {
					return k.Store.DestroySessionsOf(ctx, user)
				}
			}),
		userMutant("destroys-one", "user/destroy-renewing",
			"DestroySessionsOf destroys one session", func(k *userPortable) {
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
		userMutant("quotes-the-user", "user/hides-names",
			"the error of DestroySessionsOf has the user in its text", func(k *userPortable) {
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
