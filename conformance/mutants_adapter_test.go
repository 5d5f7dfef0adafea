package conformance

import (
	"bufio"
	"context"
	"net"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/mutants"
)

func adapterMutant(name, check, defect string, m Middleware) mutant {
	a, s := HTTP(name, m), reference()
	a.Neighbours = nil // besideMutant sets them
	return mutant{
		Mutant:  mutants.Mutant{Name: "adapter/" + name, Check: check, Defect: defect},
		levels:  []Level{LevelAdapter, LevelPair},
		adapter: &a, store: &s,
	}
}

// requests is the plain adapter with changed requests.
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

// life is an adapter that passes each request with a session to serve.
func life(serve func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
	r *http.Request, next http.Handler)) Middleware {
	return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
		l := adapters.NewLifecycle(sm, opts...)
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				req, err := l.BeginHTTP(r)
				switch {
				case err != nil:
					l.HandleError(w, r, err)
				case req.Idle():
					next.ServeHTTP(w, r)
				default:
					serve(l, req, w, r.WithContext(req.Context()), next)
				}
			})
		}
	}
}

// writing is the plain adapter with another writer for the handlers.
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

// full is a writer with all optional interfaces, whose methods a mutant can replace.
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

func (f *full) WriteHeader(code int) { f.writeHeader(code) }

func (f *full) Write(b []byte) (int, error) { return f.write(b) }

func (f *full) Flush() { f.flush() }

func (f *full) Hijack() (net.Conn, *bufio.ReadWriter, error) { return f.hijack() }

func (f *full) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func overriding(change func(f *full, below http.ResponseWriter)) Middleware {
	return writing(func(sw *adapters.Writer, below http.ResponseWriter) http.ResponseWriter {
		f := newFull(sw.Handler())
		change(f, below)
		return f
	})
}

// notFor is an adapter that saves no session in responses with certain statuses.
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

// blank is a context without values.
type blank struct{ context.Context }

func (blank) Value(any) any { return nil }
