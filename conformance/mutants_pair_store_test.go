package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// fakeSiteStore is the store of a site, whose methods a mutant can replace.
type fakeSiteStore struct {
	scs.Store
	find   func(ctx context.Context, token string) ([]byte, bool, error)
	commit func(ctx context.Context, token string, data []byte, e time.Time) error
	delete func(ctx context.Context, token string) error
}

// Unwrap returns the store, for scskit.StoreOf.
func (b *fakeSiteStore) Unwrap() scs.Store { return b.Store }

func (b *fakeSiteStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return b.find(ctx, token)
}

func (b *fakeSiteStore) CommitCtx(
	ctx context.Context, token string, data []byte, e time.Time,
) error {
	return b.commit(ctx, token, data, e)
}

func (b *fakeSiteStore) DeleteCtx(ctx context.Context, token string) error {
	return b.delete(ctx, token)
}

// withStore is the plain adapter over a changed store.
func withStore(change func(b *fakeSiteStore)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		s := sm.Store
		if _, ok := s.(*fakeSiteStore); ok { // a nested group
			return plain(sm, opts...)
		}
		b := &fakeSiteStore{
			Store: s,
			find: func(ctx context.Context, token string) ([]byte, bool, error) {
				return findCtx(ctx, s, token)
			},
			commit: func(ctx context.Context, token string, data []byte, e time.Time) error {
				return commitCtx(ctx, s, token, data, e)
			},
			delete: func(ctx context.Context, token string) error { return deleteCtx(ctx, s, token) },
		}
		change(b)
		sm.Store = b
		return plain(sm, opts...)
	}
}

type requestContextKey struct{}

func pairStoreMutants() []mutant {
	return []mutant{
		adapterMutant("overwrites", "pair/parallel-keys",
			"the store gets contexts without values, so that every commit overwrites",
			withStore(func(b *fakeSiteStore) {
				find, commit, remove := b.find, b.commit, b.delete
				b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					return find(blank{ctx}, token)
				}
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return commit(blank{ctx}, token, data, e)
				}
				b.delete = func(ctx context.Context, token string) error { return remove(blank{ctx}, token) }
			})),
		adapterMutant("commits-twice", "adapter/commits-once",
			"every commit is sent twice",
			withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return errors.Join(commit(ctx, token, data, e), commit(ctx, token, data, e))
				}
			})),
		adapterMutant("stores-nothing", "pair/put-then-read",
			"nothing is stored", withStore(func(b *fakeSiteStore) {
				b.commit = func(context.Context, string, []byte, time.Time) error { return nil }
			})),
		adapterMutant("ignores-commit-errors", "pair/commit-failure",
			"a commit that fails is ignored", withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					_ = commit(ctx, token, data, e)
					return nil
				}
			})),
		adapterMutant("ignores-find-errors", "adapter/load-failure",
			"a load that fails is taken for a missing session", withStore(func(b *fakeSiteStore) {
				find := b.find
				b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := find(ctx, token)
					return data, found && err == nil, nil
				}
			})),
		adapterMutant("delete-forgets", "pair/destroy",
			"a destroyed session stays in the store", withStore(func(b *fakeSiteStore) {
				b.delete = func(context.Context, string) error { return nil }
			})),
		adapterMutant("delete-must-find", "pair/destroy-twice",
			"destroying a session that is gone is an error",
			withStore(func(b *fakeSiteStore) {
				find, remove := b.find, b.delete
				b.delete = func(ctx context.Context, token string) error {
					if _, found, _ := find(context.WithoutCancel(blank{ctx}), token); !found && token != "" {
						return errors.New("nothing to delete")
					}
					return remove(ctx, token)
				}
			})),
		adapterMutant("logout-misses-renewal", "pair/logout-ends-renewed",
			"a session that is not found any more is not destroyed",
			withStore(func(b *fakeSiteStore) {
				find, remove := b.find, b.delete
				b.delete = func(ctx context.Context, token string) error {
					if _, found, _ := find(context.WithoutCancel(blank{ctx}), token); !found {
						return nil
					}
					return remove(ctx, token)
				}
			})),
		adapterMutant("forgets-old-tokens", "pair/renew-every-sign-in",
			"an old token opens nothing, also right after a renewal that was no sign-in",
			withStore(func(b *fakeSiteStore) {
				find := b.find
				b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					if _, found, err := find(blank{ctx}, token); !found && err == nil {
						return nil, false, nil
					}
					return find(ctx, token)
				}
			})),
		adapterMutant("keeps-four-kilobytes", "pair/grow-and-shrink",
			"data is cut to 4096 bytes",
			withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return commit(ctx, token, data[:min(len(data), 4096)], e)
				}
			})),
		adapterMutant("names-the-token", "pair/token-secret",
			"the error of a commit has the token in its text", withStore(func(b *fakeSiteStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if err := commit(ctx, token, data, e); err != nil {
						return fmt.Errorf("commit of %s: %w", token, err)
					}
					return nil
				}
			})),
		adapterMutant("dies-with-the-client", "pair/client-gone",
			"a commit fails if the client has hung up",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				session := withStore(func(b *fakeSiteStore) {
					commit := b.commit
					b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
						if r, ok := ctx.Value(requestContextKey{}).(context.Context); ok && r.Err() != nil {
							return r.Err()
						}
						return commit(ctx, token, data, e)
					}
				})(sm, opts...)
				return func(next http.Handler) http.Handler {
					next = session(next)
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestContextKey{},
							r.Context())))
					})
				}
			}),
	}
}
