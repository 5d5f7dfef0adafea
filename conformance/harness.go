package conformance

import (
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// Functions for harnesses. A harness is the Serve function of an Adapter.

// Layers returns the middleware of an application, outermost first, in the order that App demands.
// Install it for all routes and error pages. M is the framework's middleware type and session is
// the adapter under test. recovery is the framework's own recovery middleware, or what its users
// write themselves: it answers with status 500, unless the response has begun, and prints nothing.
// neighbours has the middleware for Adapter.Neighbours; it is nil if there are none.
func Layers[M any](
	app App, session func(*scs.SessionManager, ...adapters.Option) M, recovery M,
	neighbours map[Neighbour]M,
) []M {
	var layers []M
	if app.Recover == Outside {
		layers = append(layers, recovery)
	}
	if app.Beside == Outside {
		layers = append(layers, neighbours[app.Neighbour])
	}
	layers = append(layers, session(app.Sessions, app.Options...))
	if app.Second != nil {
		layers = append(layers, session(app.Second))
	}
	if app.Recover == Inside {
		layers = append(layers, recovery)
	}
	if app.Beside == Inside {
		layers = append(layers, neighbours[app.Neighbour])
	}
	return layers
}

// Kinds returns the keys of neighbours, sorted, followed by others, for Adapter.Neighbours.
func Kinds[M any](neighbours map[Neighbour]M, others ...Neighbour) []Neighbour {
	return append(slices.Sorted(maps.Keys(neighbours)), others...)
}

// Listen serves h on a port of its own and returns the base URL. It stops in the cleanup of tb.
func Listen(tb testing.TB, h http.Handler) (baseURL string) {
	tb.Helper()
	// Discards the log, which reports panics.
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	return ListenWith(tb, func(l net.Listener) (serve func() error, stop func()) {
		return func() error { return server.Serve(l) }, func() { _ = server.Close() }
	})
}

// ListenWith is Listen for a framework that is not on net/http. build gets a TCP listener on a port
// of its own and returns the functions of a server. serve runs in a goroutine until stop is called,
// in the cleanup of tb; stop need not wait for connections other than idle ones. build panics if
// the session middleware cannot be built. The check fails if serve returns before stop is called.
func ListenWith(
	tb testing.TB, build func(l net.Listener) (serve func() error, stop func()),
) (baseURL string) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	tb.Cleanup(func() { _ = l.Close() }) // also if build panics
	serve, stop := build(l)
	stopping, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := serve()
		select {
		case <-stopping:
		default:
			tb.Errorf("serve: ended before it was stopped: %v", err)
		}
	}()
	tb.Cleanup(func() {
		close(stopping)
		stop()
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}
