package conformance

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// requests is the plain adapter, but for the requests that it gets.
func requests(change func(sm *scs.SessionManager, r *http.Request)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := plain(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				change(sm, r)
				next.ServeHTTP(w, r)
			})
		}
	}
}

// life is an adapter that does with a session whatever serve does.
func life(serve func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
	r *http.Request, next http.Handler)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		l := adapters.NewLifecycle(sm, opts...)
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				req, err := l.Begin(r.Context(), r.Method, r.URL.Path, r.Header["Cookie"])
				switch {
				case err != nil:
					l.HandleError(w, r, err)
				case req == nil:
					next.ServeHTTP(w, r)
				default:
					serve(l, req, w, r.WithContext(req.Context()), next)
				}
			})
		}
	}
}

// writing is the plain adapter, but for the writer that handlers get.
func writing(wrap func(sw *adapters.Writer,
	below http.ResponseWriter) http.ResponseWriter) Middleware {
	return life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
		r *http.Request, next http.Handler) {
		sw := adapters.NewWriter(w, req)
		sw.Serve(func() { next.ServeHTTP(wrap(sw, w), r) })
		if err := sw.Finish(); err != nil {
			l.HandleError(w, r, err)
		}
	})
}

// full is a writer with every feature, each of which a mutant can replace.
type full struct {
	http.ResponseWriter
	writeHeader func(int)
	write       func([]byte) (int, error)
	flush       func()
	hijack      func() (net.Conn, *bufio.ReadWriter, error)
}

func newFull(w http.ResponseWriter) *full {
	return &full{w, w.WriteHeader, w.Write, w.(http.Flusher).Flush, w.(http.Hijacker).Hijack}
}

func (f *full) WriteHeader(code int)                         { f.writeHeader(code) }
func (f *full) Write(b []byte) (int, error)                  { return f.write(b) }
func (f *full) Flush()                                       { f.flush() }
func (f *full) Hijack() (net.Conn, *bufio.ReadWriter, error) { return f.hijack() }
func (f *full) Unwrap() http.ResponseWriter                  { return f.ResponseWriter }

func overriding(change func(f *full, below http.ResponseWriter)) Middleware {
	return writing(func(sw *adapters.Writer, below http.ResponseWriter) http.ResponseWriter {
		f := newFull(sw.Handler())
		change(f, below)
		return f
	})
}

// notFor is an adapter that forgets the session in responses with some status.
func notFor(forgets func(status int) bool) Middleware {
	return writing(func(sw *adapters.Writer, _ http.ResponseWriter) http.ResponseWriter {
		f := newFull(sw.Handler())
		f.writeHeader = func(code int) {
			if forgets(code) {
				sw.Disarm()
			}
			sw.WriteHeader(code)
		}
		return f
	})
}

func lifeMutants() []mutant {
	return []mutant{
		adapterMutant("stock", `
			adapter/early-hints adapter/event-stream adapter/failure-typed adapter/late-change
			adapter/late-renewal adapter/lazy-untouched adapter/nested adapter/skip
			adapter/upgrade cookie/bad-lifetime cookie/bad-name cookie/bad-partitioned
			cookie/bad-prefix cookie/bad-samesite cookie/bad-size cookie/max-age cookie/no-store
			cookie/once cookie/vary pair/client-gone pair/commit-failure pair/corrupt-record
			pair/duplicate-cookies pair/fail-hook pair/fail-open-commit pair/fail-open-load
			pair/fail-timeout pair/idle pair/logout-beats-reader pair/logout-beats-renewal
			pair/logout-beats-writer pair/parallel-keys pair/recovers pair/remember-merged
			pair/renew-beats-old pair/stale-cookie`, func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
			return sm.LoadAndSave
		}),
		adapterMutant("after-the-handler", `
			adapter/abort adapter/commits-once adapter/early-hints adapter/error-reset
			adapter/event-stream adapter/failure-typed adapter/file adapter/handler-error
			adapter/handler-error-default adapter/head adapter/json adapter/large-body
			adapter/late-change adapter/late-renewal adapter/lazy adapter/lazy-failure
			adapter/load-failure adapter/nested adapter/not-allowed adapter/not-found
			adapter/panic-inside adapter/panic-outside adapter/redirect adapter/skip
			adapter/status adapter/status-only adapter/std-handler adapter/two-managers
			adapter/upgrade cookie/attributes cookie/browser-session cookie/defaults
			cookie/deletion cookie/max-age cookie/no-store cookie/once cookie/remember-me
			cookie/vary pair/client-gone pair/commit-failure pair/cookie-expiry
			pair/corrupt-record pair/destroy pair/destroy-then-put pair/destroy-twice
			pair/duplicate-cookies pair/fail-hook pair/fail-open-commit pair/fail-open-destroy
			pair/fail-open-load pair/fail-timeout pair/grow-and-shrink pair/handler-commits
			pair/idle pair/logout-beats-reader pair/logout-beats-renewal pair/logout-beats-writer
			pair/parallel-clients pair/parallel-keys pair/put-then-read pair/recovers
			pair/remember-merged pair/renew pair/renew-beats-old pair/renew-twice pair/shared
			pair/stale-cookie pair/token-secret pair/too-large pair/unknown-token
			token/cookie-exact token/cookie-only token/random`, life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			if err := req.Finish(w.Header()); err != nil {
				l.HandleError(w, r, err)
			}
			req.End()
		})),
		adapterMutant("only-what-is-written", `
			adapter/empty adapter/failure-typed adapter/lazy-failure pair/commit-failure
			pair/fail-hook pair/fail-open-commit pair/fail-open-destroy pair/fail-timeout
			pair/logout-beats-renewal pair/recovers pair/token-secret pair/too-large`, life(func(_ *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter, r *http.Request, next http.Handler) {
			sw := adapters.NewWriter(w, req)
			next.ServeHTTP(sw.Handler(), r)
			if sw.Settled() {
				_ = sw.Finish()
			}
		})),
		adapterMutant("flush-goes-past", `adapter/event-stream`,
			overriding(func(f *full, below http.ResponseWriter) { f.flush = below.(http.Flusher).Flush })),
		adapterMutant("hijack-goes-past", `adapter/upgrade`,
			overriding(func(f *full, below http.ResponseWriter) {
				f.hijack = below.(http.Hijacker).Hijack
			})),
		adapterMutant("informational-commits", `adapter/early-hints`,
			writing(func(sw *adapters.Writer, _ http.ResponseWriter) http.ResponseWriter {
				f := newFull(sw.Handler())
				f.writeHeader = func(code int) {
					sw.Commit()
					sw.WriteHeader(code)
				}
				return f
			})),
		adapterMutant("bare-writer", `adapter/upgrade adapter/writer`,
			writing(func(sw *adapters.Writer, _ http.ResponseWriter) http.ResponseWriter { return sw })),
		adapterMutant("small-bodies", `adapter/large-body`,
			overriding(func(f *full, _ http.ResponseWriter) {
				write := f.write
				f.write = func(b []byte) (int, error) {
					if len(b) > 64<<10 {
						b = b[:64<<10]
					}
					return write(b)
				}
			})),
		adapterMutant("not-on-redirect", `adapter/redirect adapter/status-only pair/commit-failure`,
			notFor(func(status int) bool { return status/100 == 3 })),
		adapterMutant("not-on-error", `
			adapter/abort adapter/commits-once adapter/error-reset adapter/handler-error adapter/handler-error-default
			adapter/lazy-failure adapter/not-allowed adapter/not-found adapter/panic-inside adapter/status pair/commit-failure`, notFor(func(status int) bool { return status >= 400 })),
		adapterMutant("not-on-head", `adapter/head adapter/skip`,
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm, append(opts,
					adapters.Skip(func(method, _ string) bool { return method == http.MethodHead }))...)
			}),
		adapterMutant("commits-in-defer", `adapter/panic-outside`,
			life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter, r *http.Request,
				next http.Handler) {
				sw := adapters.NewWriter(w, req)
				defer func() {
					if err := sw.Finish(); err != nil {
						l.HandleError(w, r, err)
					}
				}()
				next.ServeHTTP(sw.Handler(), r)
			})),
		adapterMutant("commits-after-panic", `adapter/panic-after-write adapter/panic-outside`,
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				inner := life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
					r *http.Request, next http.Handler) {
					sw := adapters.NewWriter(w, req)
					defer func() {
						if p := recover(); p != nil {
							_, _, _ = sm.Commit(r.Context())
							panic(p)
						}
					}()
					next.ServeHTTP(sw.Handler(), r)
					if err := sw.Finish(); err != nil {
						l.HandleError(w, r, err)
					}
				})
				return inner(sm, opts...)
			}),
		adapterMutant("no-options", `
			adapter/failure-typed adapter/late-change adapter/lazy-untouched adapter/skip pair/fail-hook
			pair/fail-open-commit pair/fail-open-load pair/fail-timeout pair/recovers`, func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler { return plain(sm) }),
		adapterMutant("always-lazy", `adapter/commits-once adapter/load-failure`,
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm, slices.Concat(opts, []adapters.Option{adapters.Lazy()})...)
			}),
		adapterMutant("forgets-the-outer", `adapter/nested adapter/two-managers`,
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				session := plain(sm, opts...)
				return func(next http.Handler) http.Handler {
					next = session(next)
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r.WithContext(blank{r.Context()}))
					})
				}
			}),
		adapterMutant("latest-wins", `
			pair/destroy-twice pair/logout-beats-reader pair/logout-beats-renewal
			pair/parallel-clients pair/parallel-keys ~pair/remember-merged ~pair/recovers
			~pair/renew-twice`, latestWins),
		adapterMutant("token-in-url", `token/cookie-only`,
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if token := r.URL.Query().Get("session"); token != "" {
					r.Header.Add("Cookie", sm.Cookie.Name+"="+token)
				}
			})),
		adapterMutant("name-in-any-case", `token/cookie-exact`,
			requests(func(_ *scs.SessionManager, r *http.Request) {
				for i, line := range r.Header["Cookie"] {
					r.Header["Cookie"][i] = strings.Replace(line, "SESSION=", "session=", 1)
				}
			})),
		adapterMutant("first-cookie-only", `pair/duplicate-cookies`,
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if c := r.CookiesNamed(sm.Cookie.Name); len(c) > 1 {
					r.Header.Set("Cookie", c[0].Name+"="+c[0].Value)
				}
			})),
		adapterMutant("last-cookie-only", `pair/duplicate-cookies`,
			requests(func(sm *scs.SessionManager, r *http.Request) {
				if c := r.CookiesNamed(sm.Cookie.Name); len(c) > 1 {
					r.Header.Set("Cookie", c[len(c)-1].Name+"="+c[len(c)-1].Value)
				}
			})),
		adapterMutant("adopts-tokens", `
			adapter/commits-once adapter/lazy adapter/lazy-untouched adapter/nested adapter/skip
			pair/destroy pair/duplicate-cookies pair/logout-beats-writer pair/stale-cookie
			pair/unknown-token`, requests(func(sm *scs.SessionManager, r *http.Request) {
			c, err := r.Cookie(sm.Cookie.Name)
			if err != nil || len(c.Value) > 100 {
				return
			}
			if _, found, err := sm.Store.Find(c.Value); err == nil && !found {
				data, _ := sm.Codec.Encode(in(lifetime), nil)
				_ = sm.Store.Commit(c.Value, data, in(lifetime))
			}
		})),
		adapterMutant("small-tokens", `
			adapter/late-change adapter/two-managers pair/cookie-expiry pair/corrupt-record pair/duplicate-cookies
			pair/handler-commits pair/idle pair/logout-beats-reader pair/renew-beats-old pair/shared pair/stale-cookie
			pair/token-secret token/cookie-exact token/random`, smallTokens()),
	}
}

// blank is a context without values.
type blank struct{ context.Context }

func (blank) Value(any) any { return nil }

// latestWins gives every handler the session of the request that began last, as reused buffers do.
func latestWins(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	var mu sync.Mutex
	var latest context.Context
	return life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
		r *http.Request, next http.Handler) {
		mu.Lock()
		latest = req.Context()
		mu.Unlock()
		ctx := &delegate{Context: req.Context(), to: func() context.Context {
			mu.Lock()
			defer mu.Unlock()
			return latest
		}}
		sw := adapters.NewWriter(w, req)
		defer sw.Disarm()
		next.ServeHTTP(sw.Handler(), r.WithContext(ctx))
		if err := sw.Finish(); err != nil {
			l.HandleError(w, r, err)
		}
	})(sm, opts...)
}

type delegate struct {
	context.Context
	to func() context.Context
}

func (d *delegate) Value(key any) any { return d.to().Value(key) }

// smallTokens numbers the sessions, and keeps the tokens to itself.
func smallTokens() Middleware {
	var mu sync.Mutex
	var tokens []string
	number := func(token string) string {
		mu.Lock()
		defer mu.Unlock()
		i := slices.Index(tokens, token)
		if i < 0 {
			i = len(tokens)
			tokens = append(tokens, token)
		}
		return "n" + strconv.Itoa(i)
	}
	token := func(number string) string {
		mu.Lock()
		defer mu.Unlock()
		i, err := strconv.Atoi(strings.TrimPrefix(number, "n"))
		if err != nil || i >= len(tokens) {
			return number
		}
		return tokens[i]
	}
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		session := lines(func(line string, deletes bool) string {
			if deletes {
				return line
			}
			c := parseCookie(line)
			return strings.Replace(line, c.value, number(c.value), 1)
		})(sm, opts...)
		return func(next http.Handler) http.Handler {
			next = session(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i, line := range r.Header["Cookie"] {
					if name, value, _ := strings.Cut(line, "="); name == sm.Cookie.Name {
						r.Header["Cookie"][i] = name + "=" + token(value)
					}
				}
				next.ServeHTTP(w, r)
			})
		}
	}
}
