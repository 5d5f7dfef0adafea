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

// bentStore is the store of a site, of which a mutant replaces functions.
type bentStore struct {
	scs.Store
	find   func(ctx context.Context, token string) ([]byte, bool, error)
	commit func(ctx context.Context, token string, data []byte, e time.Time) error
	delete func(ctx context.Context, token string) error
}

func (b *bentStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return b.find(ctx, token)
}

func (b *bentStore) CommitCtx(ctx context.Context, token string, data []byte, e time.Time) error {
	return b.commit(ctx, token, data, e)
}

func (b *bentStore) DeleteCtx(ctx context.Context, token string) error {
	return b.delete(ctx, token)
}

// bending is the plain adapter over a store that does not do what it is told.
func bending(change func(b *bentStore)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		s := sm.Store
		if _, ok := s.(*bentStore); ok { // a nested group
			return plain(sm, opts...)
		}
		b := &bentStore{
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
		adapterMutant("overwrites", `
			adapter/late-renewal pair/corrupt-record pair/fail-open-commit pair/idle
			pair/logout-beats-reader pair/logout-beats-renewal pair/logout-beats-writer
			pair/parallel-keys pair/remember-merged pair/renew-beats-old`, bending(func(b *bentStore) {
			find, commit, remove := b.find, b.commit, b.delete
			b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				return find(blank{ctx}, token)
			}
			b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				return commit(blank{ctx}, token, data, e)
			}
			b.delete = func(ctx context.Context, token string) error { return remove(blank{ctx}, token) }
		})),
		adapterMutant("commits-twice", `adapter/commits-once adapter/nested pair/commit-failure`,
			bending(func(b *bentStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return errors.Join(commit(ctx, token, data, e), commit(ctx, token, data, e))
				}
			})),
		adapterMutant("stores-nothing", `
			adapter/abort adapter/commits-once adapter/early-hints adapter/empty
			adapter/error-reset adapter/event-stream adapter/failure-typed adapter/file
			adapter/handler-error adapter/handler-error-default adapter/head adapter/json
			adapter/large-body adapter/late-change adapter/late-renewal adapter/lazy
			adapter/lazy-failure adapter/load-failure adapter/nested adapter/not-allowed
			adapter/not-found adapter/panic-after-write adapter/panic-inside adapter/panic-outside
			adapter/redirect adapter/skip adapter/status adapter/status-only adapter/std-handler
			adapter/two-managers adapter/upgrade cookie/once cookie/remember-me pair/client-gone
			pair/commit-failure pair/corrupt-record pair/destroy-then-put pair/duplicate-cookies
			pair/fail-hook pair/fail-open-commit pair/fail-open-destroy pair/fail-open-load
			pair/fail-timeout pair/grow-and-shrink pair/handler-commits pair/idle
			pair/logout-beats-reader pair/logout-beats-renewal pair/logout-beats-writer
			pair/parallel-clients pair/parallel-keys pair/put-then-read pair/recovers
			pair/remember-merged pair/renew pair/renew-beats-old pair/renew-twice pair/shared
			pair/token-secret pair/too-large pair/unchanged pair/unknown-token token/cookie-exact
			token/cookie-only`, bending(func(b *bentStore) {
			b.commit = func(context.Context, string, []byte, time.Time) error { return nil }
		})),
		adapterMutant("ignores-commit-errors", `
			adapter/failure-typed pair/commit-failure pair/fail-hook pair/fail-open-commit pair/fail-timeout pair/recovers
			pair/token-secret pair/too-large`, bending(func(b *bentStore) {
			commit := b.commit
			b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				_ = commit(ctx, token, data, e)
				return nil
			}
		})),
		adapterMutant("ignores-find-errors", `
			adapter/failure-typed adapter/lazy-failure adapter/load-failure pair/fail-hook pair/fail-open-destroy
			pair/fail-open-load pair/fail-timeout pair/recovers pair/token-secret`, bending(func(b *bentStore) {
			find := b.find
			b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				data, found, err := find(ctx, token)
				return data, found && err == nil, nil
			}
		})),
		adapterMutant("delete-forgets", `
			adapter/late-renewal pair/destroy pair/destroy-then-put pair/destroy-twice
			pair/logout-beats-reader pair/logout-beats-renewal pair/logout-beats-writer
			pair/recovers pair/renew pair/renew-beats-old pair/renew-twice pair/shared
			pair/stale-cookie pair/token-secret`, bending(func(b *bentStore) {
			b.delete = func(context.Context, string) error { return nil }
		})),
		adapterMutant("delete-must-find", `pair/destroy-twice pair/renew-twice`,
			bending(func(b *bentStore) {
				find, remove := b.find, b.delete
				b.delete = func(ctx context.Context, token string) error {
					if _, found, _ := find(context.WithoutCancel(blank{ctx}), token); !found && token != "" {
						return errors.New("nothing to delete")
					}
					return remove(ctx, token)
				}
			})),
		adapterMutant("keeps-four-kilobytes", `pair/grow-and-shrink pair/too-large`,
			bending(func(b *bentStore) {
				commit := b.commit
				b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return commit(ctx, token, data[:min(len(data), 4096)], e)
				}
			})),
		adapterMutant("names-the-token", `pair/token-secret`, bending(func(b *bentStore) {
			commit := b.commit
			b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if err := commit(ctx, token, data, e); err != nil {
					return fmt.Errorf("commit of %s: %w", token, err)
				}
				return nil
			}
		})),
		adapterMutant("dies-with-the-client", `pair/client-gone`,
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				session := bending(func(b *bentStore) {
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
