// Package harness runs the conformance kit's test applications on Chi. With it you can test your
// own store or adapter together with Chi:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scschi.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import (
	"io"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Chi behind the middleware.
func New(session conformance.Middleware) conformance.Adapter {
	return conformance.Adapter{
		Name:       "chi",
		Neighbours: conformance.Kinds(chiNeighbours, conformance.Forward, conformance.Proxy),
		Serve: func(tb testing.TB, app conformance.App) string {
			return conformance.Listen(tb, chiRouter(app, session))
		},
	}
}

var chiNeighbours = map[conformance.Neighbour]func(http.Handler) http.Handler{
	conformance.Compress: middleware.Compress(5),
	conformance.Timeout:  middleware.Timeout(10 * time.Minute),
	conformance.Files:    chiFiles,
	conformance.Abandon:  abandon,
	conformance.Log: middleware.RequestLogger(&middleware.DefaultLogFormatter{
		Logger: log.New(io.Discard, "", 0),
	}),
}

// abandon answers requests whose handlers take too long.
func abandon(next http.Handler) http.Handler {
	bounded := http.TimeoutHandler(next, 10*time.Minute, "too late")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bounded.ServeHTTP(w, r.WithContext(conformance.Abandonable(r.Context())))
	})
}

// chiFiles serves the static files with a router of its own, and passes other paths to next.
func chiFiles(next http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Handle("/static/*", http.FileServerFS(conformance.StaticFiles()))
	r.NotFound(next.ServeHTTP)
	r.MethodNotAllowed(next.ServeHTTP)
	return r
}

func chiRouter(app conformance.App, session conformance.Middleware) http.Handler {
	handler := func(h conformance.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c := conformance.HTTPContext{ResponseWriter: w, Request: r}
			err := h(c)
			if err != nil && app.OnError != nil {
				err = app.OnError(c, err)
			}
			if err != nil {
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			}
		}
	}
	root := chi.NewRouter()
	root.Use(conformance.Layers(app, session, recovery, chiNeighbours)...)
	if app.NotFound != nil {
		root.NotFound(handler(app.NotFound))
	}
	if app.NotAllowed != nil {
		root.MethodNotAllowed(handler(app.NotAllowed))
	}
	root.Group(func(r chi.Router) {
		if app.Nested {
			r.Use(session(app.Sessions, app.Options...))
		}
		for _, route := range app.Routes {
			if route.Guard == nil {
				r.Method(route.Method, route.Path, handler(route.Handler))
				continue
			}
			guard := func(http.Handler) http.Handler { return handler(route.Guard) }
			r.With(guard).Method(route.Method, route.Path, handler(route.Handler))
		}
	})
	return root
}

// recovery is chi's Recoverer, but prints no stacks.
func recovery(next http.Handler) http.Handler {
	next = middleware.Recoverer(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, middleware.WithLogEntry(r, noEntry{}))
	})
}

type noEntry struct{}

func (noEntry) Write(int, int, http.Header, time.Duration, any) {}

func (noEntry) Panic(any, []byte) {}
