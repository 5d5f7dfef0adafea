package conformance

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// foundKey is the context key of what a request has found.
type foundKey struct{}

// found is the session that a request has found last.
type found struct {
	token string
	data  []byte
}

// afterFind is the plain adapter over a store whose commits know what the request has found, or
// nil.
func afterFind(commit func(b *fakeSiteStore, ctx context.Context, f *found, token string,
	data []byte, e time.Time) error) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := withStore(func(b *fakeSiteStore) {
			inner := *b
			b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				data, ok, err := inner.find(ctx, token)
				if f, _ := ctx.Value(foundKey{}).(*found); ok && f != nil {
					f.token, f.data = token, data
				}
				return data, ok, err
			}
			b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				f, _ := ctx.Value(foundKey{}).(*found)
				if f != nil && f.token == "" {
					f = nil
				}
				return commit(&inner, ctx, f, token, data, e)
			}
		})(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), foundKey{}, &found{})))
			})
		}
	}
}

func pairSignInMutants() []mutant {
	return []mutant{
		adapterMutant("planted-cookie-follows", "pair/sign-in",
			"a session that is renewed is also saved under its old token",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string,
				data []byte, e time.Time) error {
				err := b.commit(ctx, token, data, e)
				if err == nil && f != nil && f.token != token {
					return b.commit(blank{ctx}, f.token, data, e)
				}
				return err
			})),
		adapterMutant("hands-down", "pair/sign-in-over",
			"a new session takes over the values of the one that was loaded",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string,
				data []byte, e time.Time) error {
				if f != nil && f.token != token {
					_, before, _ := scskit.Codec{}.Decode(f.data)
					deadline, values, _ := scskit.Codec{}.Decode(data)
					for key, v := range before {
						if _, ok := values[key]; !ok {
							values[key] = v
						}
					}
					data, _ = scskit.Codec{}.Encode(deadline, values)
				}
				return b.commit(ctx, token, data, e)
			})),
		adapterMutant("remembers-all", "pair/sign-in-remembered",
			"every cookie outlives the browser",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				sm.Cookie.Persist = true
				return plain(sm, opts...)
			}),
		adapterMutant("welcomes-anyway", "pair/sign-in-failed",
			"the failed commit of a session with a user passes",
			withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					err := commit(ctx, token, data, e)
					if bytes.Contains(data, []byte(signInKey)) {
						return nil
					}
					return err
				}
			})),
		adapterMutant("forgets-the-sign-in", "pair/fresh",
			"the facts of a sign-in are not stored",
			withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					deadline, values, err := scskit.Codec{}.Decode(data)
					if _, ok := values[signInKey]; ok && err == nil {
						delete(values, signInKey)
						data, _ = scskit.Codec{}.Encode(deadline, values)
					}
					return commit(ctx, token, data, e)
				}
			})),
		adapterMutant("reads-do-not-count", "pair/own-idle",
			"a session that was only read is not committed",
			afterFind(func(b *fakeSiteStore, ctx context.Context, f *found, token string,
				data []byte, e time.Time) error {
				if f != nil && f.token == token && bytes.Equal(f.data, data) {
					return nil
				}
				return b.commit(ctx, token, data, e)
			})),
	}
}
