package conformance

import (
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

func adapterLifeMutants() []mutant {
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
	}
}
