package conformance

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/mutants"
)

// innermost returns the driver of the check without its taps.
func (k *fakePortable) innermost() driver.Driver {
	d := k.inner
	for {
		switch w := d.(type) {
		case *tap:
			d = w.Driver
		case *scripted:
			d = w.Driver
		default:
			return d
		}
	}
}

// finding is a session that was found last.
type finding struct {
	mu    sync.Mutex
	token string
	data  []byte
}

// lastFound records what tracked calls of Find return.
func (k *fakePortable) lastFound() *finding {
	f := &finding{}
	k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
		data, found, err := k.Store.FindCtx(ctx, token)
		if found && tracked(ctx) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.token, f.data = token, data
		}
		return data, found, err
	}
	return f
}

func (f *finding) get() (token string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.token, f.data
}

// committing changes the values of each tracked commit. before is nil unless the token is new and a
// session was found before.
func (k *fakePortable) committing(alter func(values, before map[string]any)) {
	f := k.lastFound()
	k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
		deadline, values, err := k.Codec().Decode(data)
		if err == nil && tracked(ctx) {
			var before map[string]any
			if old, found := f.get(); old != "" && old != token {
				if _, err := k.peek(idOf(token)); errors.Is(err, driver.ErrNotFound) {
					_, before, _ = k.Codec().Decode(found)
				}
			}
			alter(values, before)
			data, _ = k.Codec().Encode(deadline, values)
		}
		return k.Store.CommitCtx(ctx, token, data, e)
	}
}

var idleField = regexp.MustCompile(`"idle":[0-9]+,`)

// hasIdle reports whether the values have an idle timeout of their own.
func hasIdle(values map[string]any) bool {
	facts, _ := values[signInKey].(string)
	return strings.Contains(facts, `"idle":`)
}

// listsOne is a driver that lists one of its records.
type listsOne struct{ *patch }

func (l listsOne) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range l.patch.Range(ctx) {
			yield(rec, err)
			return
		}
	}
}

func portableSignInMutants() []mutant {
	one := reference()
	one.build = func(d driver.Driver, opts *scskit.Options) (portable, error) {
		return scskit.NewStore(listsOne{newPatch(d)}, opts)
	}
	return []mutant{
		{
			Mutant: mutants.Mutant{Name: "signin/lists-one", Check: "signin/limit",
				Defect: "the backend lists only one session"},
			levels: []Level{LevelPortable},
			store:  &one,
		},
		portableMutant("planted-token-follows", "signin/renews",
			"a session that is renewed is also saved under its old token",
			change{portable: func(k *fakePortable) {
				f := k.lastFound()
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					err := k.Store.CommitCtx(ctx, token, data, e)
					if old, _ := f.get(); err == nil && old != "" && old != token && tracked(ctx) {
						return k.Commit(old, data, e)
					}
					return err
				}
			}}),
		userMutant("without-facts", "signin/facts",
			"listed sessions do not show their sign-in", func(k *userPortable) {
				k.listing(func(s *scskit.UserSession) bool {
					s.AuthenticatedAt, s.Label = time.Time{}, ""
					return true
				})
			}),
		portableMutant("inherits", "signin/other-user",
			"a new session takes over the values of the one that was loaded",
			change{portable: func(k *fakePortable) {
				k.committing(func(values, before map[string]any) {
					for key, v := range before {
						if _, ok := values[key]; !ok {
							values[key] = v
						}
					}
				})
			}}),
		portableMutant("keeps-visitors", "signin/discard",
			"Delete ignores sessions that have no user", change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if rec, err := k.peek(idOf(token)); err == nil && rec.User == "" {
						return nil
					}
					return k.Store.DeleteCtx(ctx, token)
				}
			}}),
		portableMutant("stores-in-spite", "signin/failed",
			"a commit that fails stores a new session all the same",
			change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					err := k.Store.CommitCtx(ctx, token, data, e)
					if errors.Is(err, errDown) {
						_ = k.innermost().Save(ctx, driver.Record{ID: idOf(token), Data: data, Expiry: e,
							Version: 1}, driver.IfAbsent())
					}
					return err
				}
			}}),
		portableMutant("forgets-the-label", "signin/again",
			"a second sign-in loses the label of the first", eachValue(func(v any) any {
				if facts, ok := v.(string); ok && strings.Contains(facts, `"address"`) {
					return strings.Replace(facts, `,"label":"Laptop"`, "", 1)
				}
				return v
			})),
		portableMutant("stopped-clock", "signin/fresh",
			"the store ignores Options.Now",
			change{options: func(o *scskit.Options) { o.Now = nil }}),
		portableMutant("expiry-of-the-manager", "signin/idle",
			"records expire when the manager has asked for", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					err := k.Store.CommitCtx(ctx, token, data, e)
					if rec, loadErr := k.peek(idOf(token)); err == nil && loadErr == nil {
						rec.Expiry = e
						return k.innermost().Touch(ctx, rec)
					}
					return err
				}
			}}),
		portableMutant("touches-own-idle-always", "signin/idle-throttled",
			"every read of a session with an idle timeout of its own writes its expiry",
			change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					err := k.Store.CommitCtx(ctx, token, data, e)
					_, values, _ := k.Codec().Decode(data)
					if rec, loadErr := k.peek(idOf(token)); err == nil && loadErr == nil && hasIdle(values) {
						return k.inner.Touch(ctx, rec)
					}
					return err
				}
			}}),
		portableMutant("own-idle-only-grows", "signin/idle-merged",
			"a save of a session with an idle timeout of its own never moves the expiry forward",
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					_, values, _ := scskit.Codec{}.Decode(rec.Data)
					old, err := p.Driver.Load(ctx, rec.ID)
					if err == nil && hasIdle(values) && old.Expiry.After(rec.Expiry) {
						rec.Expiry = old.Expiry
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("own-idle-stays", "signin/idle-removed",
			"a session keeps its idle timeout for good", change{portable: func(k *fakePortable) {
				k.merging(func(ours, stored map[string]any) {
					if hasIdle(stored) && !hasIdle(ours) && ours["user"] != nil {
						ours[signInKey] = stored[signInKey]
					}
				})
			}}),
		portableMutant("renewal-drops-idle", "signin/idle-renewed",
			"a renewal drops the idle timeout of the session", change{portable: func(k *fakePortable) {
				k.committing(func(values, before map[string]any) {
					if facts, ok := values[signInKey].(string); ok && hasIdle(before) {
						values[signInKey] = idleField.ReplaceAllString(facts, "")
					}
				})
			}}),
	}
}
