package conformance

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// failed records the failures of the store in one request.
type failed struct {
	http.ResponseWriter
	found, committed string
	ctx              context.Context // has the session
	status           int
	begin            func() // called before the first byte of a response that is not an error
}

type failedKey struct{}

func (f *failed) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f *failed) Flush() { f.ResponseWriter.(http.Flusher).Flush() }

func (f *failed) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return f.ResponseWriter.(http.Hijacker).Hijack()
}

func (f *failed) WriteHeader(code int) {
	if f.status = code; code < http.StatusInternalServerError && f.begin != nil {
		f.begin()
	}
	f.ResponseWriter.WriteHeader(code)
}

// knowing is the plain adapter. If the store fails but the request succeeds, begin runs before the
// response and end after it.
func knowing(begin, end func(sm *scs.SessionManager, f *failed)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := withStore(func(b *fakeSiteStore) {
			find, commit := b.find, b.commit
			b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
				data, found, err := find(ctx, token)
				if f, ok := ctx.Value(failedKey{}).(*failed); ok && err != nil {
					f.found = token
				}
				return data, found, err
			}
			b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				err := commit(ctx, token, data, e)
				if f, ok := ctx.Value(failedKey{}).(*failed); ok && err != nil {
					f.committed = token
				}
				return err
			}
		})(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(keepContext(next))
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				f := &failed{ResponseWriter: w}
				f.begin = func() { begin(sm, f) }
				next.ServeHTTP(f, r.WithContext(context.WithValue(r.Context(), failedKey{}, f)))
				if f.status < http.StatusInternalServerError {
					end(sm, f)
				}
			})
		}
	}
}

func keepContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, ok := r.Context().Value(failedKey{}).(*failed); ok {
			f.ctx = r.Context()
		}
		next.ServeHTTP(w, r)
	})
}

func pairPolicyMutants() []mutant {
	nothing := func(*scs.SessionManager, *failed) {}
	return []mutant{
		adapterMutant("saves-what-it-could-not-load", "pair/fail-open-load",
			"under FailOpen a session that could not be loaded is saved",
			knowing(nothing, func(sm *scs.SessionManager, f *failed) {
				if f.found == "" || sm.Status(f.ctx) != scs.Modified {
					return
				}
				values := make(map[string]any)
				for _, key := range sm.Keys(f.ctx) {
					values[key] = sm.Get(f.ctx, key)
				}
				data, _ := sm.Codec.Encode(in(lifetime), values)
				_ = sm.Store.Commit(f.found, data, in(lifetime))
			})),
		adapterMutant("cookie-for-nothing", "pair/fail-open-commit",
			"under FailOpen a session that could not be stored sets a cookie",
			knowing(func(sm *scs.SessionManager, f *failed) {
				if f.committed != "" {
					f.Header().Add("Set-Cookie", sm.Cookie.Name+"="+f.committed+"; Path=/")
				}
			}, nothing)),
		adapterMutant("believes-the-handler", "pair/fail-open-destroy",
			"under FailOpen a sign-out that failed clears the cookie",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				return life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
					r *http.Request, next http.Handler) {
					sw := adapters.NewWriter(w, req)
					defer sw.Disarm()
					f := newFull(sw.Handler())
					believed := false
					f.writeHeader = func(code int) {
						if code >= 200 && !sw.Commit() && sm.Status(r.Context()) == scs.Destroyed {
							believed = true
							w.Header().Add("Set-Cookie", sm.Cookie.Name+"=; Path=/; Max-Age=0")
							w.WriteHeader(code)
							return
						}
						sw.WriteHeader(code)
					}
					f.write = func(b []byte) (int, error) {
						if believed {
							return w.Write(b)
						}
						return sw.Write(b)
					}
					next.ServeHTTP(f, r)
					if err := sw.Finish(); err != nil && !believed {
						l.HandleError(w, r, err)
					}
				})(sm, opts...)
			}),
		adapterMutant("own-error", "pair/fail-hook",
			"the application gets another error than the one of OnError",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				errorFunc := sm.ErrorFunc
				sm.ErrorFunc = func(w http.ResponseWriter, r *http.Request, _ error) {
					errorFunc(w, r, errors.New("the session failed"))
				}
				return plain(sm, opts...)
			}),
		adapterMutant("late-is-missing", "pair/fail-timeout",
			"a load that times out is taken for a missing session", withStore(func(b *fakeSiteStore) {
				find := b.find
				b.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := find(ctx, token)
					if errors.Is(err, context.DeadlineExceeded) {
						return nil, false, nil
					}
					return data, found, err
				}
			})),
		adapterMutant("gives-up-for-good", "pair/recovers",
			"after failures of every operation, the store is never called again", withStore(breaker)),
	}
}

// breaker makes the store fail for ever after each of its operations has failed, with no success
// between.
func breaker(b *fakeSiteStore) {
	var mu sync.Mutex
	failing := make(map[string]bool)
	watch := func(op string, f func() error) error {
		mu.Lock()
		broken := len(failing) == 3
		mu.Unlock()
		if broken {
			return errStore
		}
		err := f()
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failing[op] = true
		} else if len(failing) < 3 {
			clear(failing)
		}
		return err
	}
	find, commit, remove := b.find, b.commit, b.delete
	b.find = func(ctx context.Context, token string) (data []byte, found bool, err error) {
		err = watch("find", func() error { data, found, err = find(ctx, token); return err })
		return data, found, err
	}
	b.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
		return watch("commit", func() error { return commit(ctx, token, data, e) })
	}
	b.delete = func(ctx context.Context, token string) error {
		return watch("delete", func() error { return remove(ctx, token) })
	}
}
