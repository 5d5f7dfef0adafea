package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// Middleware is the signature of an adapter for net/http.
type Middleware func(sm *scs.SessionManager,
	opts ...adapters.Option) func(http.Handler) http.Handler

// HTTP returns the Adapter of a middleware for net/http, with a complete harness.
func HTTP(name string, middleware Middleware) Adapter {
	serve := func(tb testing.TB, app App) string { return Listen(tb, httpApp(app, middleware)) }
	return Adapter{Name: name, Serve: serve, Neighbours: Kinds(httpNeighbours, Forward, Proxy)}
}

// httpApp builds the application with http.ServeMux.
func httpApp(app App, middleware Middleware) http.Handler {
	handler := func(h Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := HTTPContext{ResponseWriter: w, Request: r}
			if err := h(c); err != nil {
				c.fail(app, err)
			}
		})
	}
	mux := http.NewServeMux()
	for _, r := range app.Routes {
		h := r.Handler
		if r.Guard != nil {
			h = r.Guard
		}
		route := handler(h)
		if app.Nested {
			route = middleware(app.Sessions, app.Options...)(route)
		}
		mux.Handle(r.Method+" "+r.Path, route)
		if app.NotAllowed != nil {
			mux.Handle(r.Path, handler(app.NotAllowed))
		}
	}
	if app.NotFound != nil {
		mux.Handle("/", handler(app.NotFound))
	}
	var h http.Handler = mux
	for _, layer := range slices.Backward(Layers(app, middleware, recovery, httpNeighbours)) {
		h = layer(h)
	}
	return h
}

// recovery is the recovery middleware that applications on net/http write themselves.
func recovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// HTTPContext is a Context for net/http. It implements every optional interface.
type HTTPContext struct {
	ResponseWriter http.ResponseWriter
	Request        *http.Request
}

var _ interface {
	Context
	Renderer
	Streamer
	Upgrader
	Hinter
	Mounter
	Forwarder
	Resetter
} = HTTPContext{}

func (c HTTPContext) fail(app App, err error) {
	if app.OnError != nil {
		err = app.OnError(c, err)
	}
	if err != nil {
		http.Error(c.ResponseWriter, http.StatusText(http.StatusInternalServerError),
			http.StatusInternalServerError)
	}
}

// Context implements Context.
func (c HTTPContext) Context() context.Context { return c.Request.Context() }

// Query implements Context.
func (c HTTPContext) Query(name string) string { return c.Request.URL.Query().Get(name) }

// SetHeader implements Context.
func (c HTTPContext) SetHeader(name, value string) { c.ResponseWriter.Header().Set(name, value) }

// Send implements Context.
func (c HTTPContext) Send(status int, body string) error {
	if body == "" {
		c.ResponseWriter.WriteHeader(status)
		return nil
	}
	c.SetHeader("Content-Type", "text/plain; charset=utf-8")
	c.ResponseWriter.WriteHeader(status)
	_, err := io.WriteString(c.ResponseWriter, body)
	return err
}

// JSON implements Renderer.
func (c HTTPContext) JSON(status int, v any) error {
	c.SetHeader("Content-Type", "application/json")
	c.ResponseWriter.WriteHeader(status)
	return json.NewEncoder(c.ResponseWriter).Encode(v)
}

// File implements Renderer.
func (c HTTPContext) File(name string) error {
	http.ServeFile(c.ResponseWriter, c.Request, name)
	return nil
}

// Redirect implements Renderer.
func (c HTTPContext) Redirect(status int, url string) error {
	http.Redirect(c.ResponseWriter, c.Request, url, status)
	return nil
}

// Stream implements Streamer.
func (c HTTPContext) Stream(write func(io.Writer, func() error) error) error {
	return write(c.ResponseWriter, http.NewResponseController(c.ResponseWriter).Flush)
}

// Upgrade implements Upgrader.
func (c HTTPContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	return Upgrade(rw, c.ResponseWriter.Header(), protocol, serve)
}

// Upgrade writes a response with status 101 and the headers h to a hijacked connection, and calls
// serve. It does not close the connection.
func Upgrade(conn interface {
	io.ReadWriter
	Flush() error
}, h http.Header, protocol string, serve func(io.ReadWriter),
) error {
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n",
		protocol)
	_ = h.Write(conn)
	fmt.Fprint(conn, "\r\n")
	if err := conn.Flush(); err != nil {
		return err
	}
	serve(flushing{conn})
	return nil
}

type flushing struct {
	conn interface {
		io.ReadWriter
		Flush() error
	}
}

func (f flushing) Read(b []byte) (int, error) { return f.conn.Read(b) }

func (f flushing) Write(b []byte) (int, error) {
	if n, err := f.conn.Write(b); err != nil {
		return n, err
	}
	return len(b), f.conn.Flush()
}

// EarlyHints implements Hinter.
func (c HTTPContext) EarlyHints(link string) error {
	c.SetHeader("Link", link)
	c.ResponseWriter.WriteHeader(http.StatusEarlyHints)
	return nil
}

// Mount implements Mounter.
func (c HTTPContext) Mount(h http.Handler) error {
	h.ServeHTTP(c.ResponseWriter, c.Request)
	return nil
}

// Forward implements Forwarder for requests that come from a http.Server.
func (c HTTPContext) Forward(path string) error {
	server, ok := c.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return errors.New("the request did not come by a http.Server")
	}
	r := c.Request.Clone(c.Context())
	r.URL.Path = path
	server.Handler.ServeHTTP(c.ResponseWriter, r)
	return nil
}

// Reset implements Resetter.
func (c HTTPContext) Reset() { clear(c.ResponseWriter.Header()) }
