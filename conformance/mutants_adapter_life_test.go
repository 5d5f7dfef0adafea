package conformance

import (
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

func adapterLifeMutants() []mutant {
	return []mutant{
		adapterMutant("stock", "adapter/nested",
			"it is scs's own LoadAndSave",
			func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
				return sm.LoadAndSave
			}),
		adapterMutant("after-the-handler", "adapter/status-only",
			"the session is saved after the handler has returned",
			life(func(l *adapters.Lifecycle, req *adapters.Request,
				w http.ResponseWriter, r *http.Request, next http.Handler,
			) {
				next.ServeHTTP(w, r)
				if err := req.Finish(w.Header()); err != nil {
					l.HandleError(w, r, err)
				}
				req.End()
			})),
		adapterMutant("only-what-is-written", "adapter/empty",
			"the session is saved only if the handler writes",
			life(func(_ *adapters.Lifecycle, req *adapters.Request,
				w http.ResponseWriter, r *http.Request, next http.Handler,
			) {
				sw := adapters.NewWriter(w, req)
				next.ServeHTTP(sw.Handler(), r)
				if sw.Settled() {
					_ = sw.Finish()
				}
			})),
		adapterMutant("flush-goes-past", "adapter/event-stream",
			"Flush bypasses the session",
			overriding(func(f *full, below http.ResponseWriter) { f.flush = below.(http.Flusher).Flush })),
		adapterMutant("hijack-goes-past", "adapter/upgrade",
			"Hijack bypasses the session",
			overriding(func(f *full, below http.ResponseWriter) {
				f.hijack = below.(http.Hijacker).Hijack
			})),
		adapterMutant("informational-commits", "adapter/early-hints",
			"a response with status 1xx saves the session",
			writing(func(sw *adapters.Writer, _ http.ResponseWriter) http.ResponseWriter {
				f := newFull(sw.Handler())
				f.writeHeader = func(code int) {
					sw.Commit()
					sw.WriteHeader(code)
				}
				return f
			})),
		adapterMutant("bare-writer", "adapter/writer",
			"handlers get a writer without the optional interfaces",
			writing(func(sw *adapters.Writer, _ http.ResponseWriter) http.ResponseWriter { return sw })),
		adapterMutant("small-bodies", "adapter/large-body",
			"bodies are cut to 64 KiB",
			overriding(func(f *full, _ http.ResponseWriter) {
				write := f.write
				f.write = func(b []byte) (int, error) {
					if len(b) > 64<<10 {
						b = b[:64<<10]
					}
					return write(b)
				}
			})),
		adapterMutant("not-on-redirect", "adapter/redirect",
			"redirects do not save the session",
			notFor(func(status int) bool { return status/100 == 3 })),
		adapterMutant("not-on-error", "adapter/handler-error",
			"error pages do not save the session", notFor(func(status int) bool { return status >= 400 })),
		adapterMutant("not-on-head", "adapter/head",
			"HEAD requests have no session",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm, append(opts,
					adapters.Skip(func(method, _ string) bool { return method == http.MethodHead }))...)
			}),
		adapterMutant("commits-in-defer", "adapter/panic-outside",
			"the session is saved after a panic, in a defer",
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
		adapterMutant("commits-after-panic", "adapter/panic-after-write",
			"the session is saved when a panic passes",
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
		adapterMutant("no-options", "adapter/skip",
			"the options are ignored",
			func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm)
			}),
		adapterMutant("always-lazy", "adapter/commits-once",
			"every session is loaded lazily",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				return plain(sm, slices.Concat(opts, []adapters.Option{adapters.Lazy()})...)
			}),
	}
}
