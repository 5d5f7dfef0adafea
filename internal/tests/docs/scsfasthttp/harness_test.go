package scsfasthttp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, conformance.Adapter{
		Name:       "fasthttp",
		Serve:      serve,
		Neighbours: conformance.Kinds(neighbours, conformance.Proxy),
		Recovers:   []conformance.Neighbour{conformance.Timeout},
	})
}

var neighbours = map[conformance.Neighbour]Middleware{
	conformance.Compress: fasthttp.CompressHandler,
	conformance.Timeout: func(next fasthttp.RequestHandler) fasthttp.RequestHandler {
		return fasthttp.TimeoutHandler(recovery(next), 10*time.Minute, "timeout")
	},
}

func serve(tb testing.TB, app conformance.App) string {
	return conformance.ListenWith(tb, func(l net.Listener) (serve func() error, stop func()) {
		server := &fasthttp.Server{
			Handler:         newApp(app),
			ReadBufferSize:  20 << 10, // request headers of 16 KiB must get through
			CloseOnShutdown: true,
		}
		return func() error { return server.Serve(l) }, func() { _ = server.Shutdown() }
	})
}

func newApp(app conformance.App) fasthttp.RequestHandler {
	handler := route(app)
	for _, layer := range slices.Backward(conformance.Layers(app, LoadAndSave, recovery, neighbours)) {
		handler = layer(handler)
	}
	return func(c *fasthttp.RequestCtx) {
		handler(c)
		if err, ok := c.UserValue(errorKey{}).(error); ok && app.OnError != nil {
			_ = app.OnError(kitContext{c}, err)
		}
	}
}

// route answers by App.Routes, App.NotFound and App.NotAllowed.
func route(app conformance.App) fasthttp.RequestHandler {
	paths := make(map[string]map[string]fasthttp.RequestHandler)
	for _, r := range app.Routes {
		h := adapt(r.Handler)
		if r.Guard != nil {
			h = adapt(r.Guard) // it answers, and the handler does not run
		}
		if app.Nested {
			h = LoadAndSave(app.Sessions, app.Options...)(h)
		}
		if paths[r.Path] == nil {
			paths[r.Path] = make(map[string]fasthttp.RequestHandler)
		}
		paths[r.Path][r.Method] = h
	}
	return func(c *fasthttp.RequestCtx) {
		methods, known := paths[string(c.Path())]
		h := methods[string(c.Method())]
		switch {
		case h != nil:
			h(c)
		case known && app.NotAllowed != nil:
			adapt(app.NotAllowed)(c)
		case known:
			c.Error("method not allowed", fasthttp.StatusMethodNotAllowed)
		case app.NotFound != nil:
			adapt(app.NotFound)(c)
		default:
			c.Error("not found", fasthttp.StatusNotFound)
		}
	}
}

func adapt(h conformance.Handler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if err := h(kitContext{c}); err != nil {
			fail(c, err)
		}
	}
}

func recovery(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		defer func() {
			if recover() != nil {
				c.SetStatusCode(fasthttp.StatusInternalServerError)
			}
		}()
		next(c)
	}
}

// kitContext is what the kit's handlers get. These four methods are required.
type kitContext struct{ c *fasthttp.RequestCtx }

func (k kitContext) Context() context.Context { return Context(k.c) }

func (k kitContext) Query(name string) string { return string(k.c.QueryArgs().Peek(name)) }

func (k kitContext) SetHeader(name, value string) { k.c.Response.Header.Set(name, value) }

func (k kitContext) Send(status int, body string) error {
	k.c.SetStatusCode(status)
	if body != "" {
		k.c.SetContentType("text/plain; charset=utf-8")
		k.c.SetBodyString(body)
	}
	return nil
}

// Each optional interface lets more checks apply.
var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Hinter
	conformance.Mounter
} = kitContext{}

func (k kitContext) JSON(status int, v any) error {
	k.c.SetStatusCode(status)
	k.c.SetContentType("application/json")
	return json.NewEncoder(k.c).Encode(v)
}

func (k kitContext) File(name string) error {
	k.c.SendFile(name)
	return nil
}

func (k kitContext) Redirect(status int, url string) error {
	k.c.SetStatusCode(status)
	k.SetHeader("Location", url)
	return nil
}

func (k kitContext) Stream(write func(io.Writer, func() error) error) error {
	k.c.SetStatusCode(fasthttp.StatusOK)
	k.c.SetBodyStreamWriter(func(w *bufio.Writer) { _ = write(w, w.Flush) })
	return nil
}

func (k kitContext) EarlyHints(link string) error {
	k.c.Response.Header.Add("Link", link)
	return k.c.EarlyHints()
}

func (k kitContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	k.c.SetStatusCode(fasthttp.StatusSwitchingProtocols)
	k.SetHeader("Connection", "Upgrade")
	k.SetHeader("Upgrade", protocol)
	k.c.Hijack(func(conn net.Conn) { serve(conn) })
	return nil
}

func (k kitContext) Mount(h http.Handler) error {
	ctx := k.Context()
	fasthttpadaptor.NewFastHTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(ctx))
	})(k.c)
	return nil
}
