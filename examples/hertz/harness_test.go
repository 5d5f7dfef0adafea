package scshertz_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/middlewares/server/recovery"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"

	"github.com/scskit/scskit/conformance"
	scshertz "github.com/scskit/scskit/examples/hertz"
)

func TestMain(m *testing.M) {
	hlog.SetLevel(hlog.LevelFatal)
	m.Run()
}

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, conformance.Adapter{Name: "hertz", Serve: serve})
}

func serve(tb testing.TB, a conformance.App) string {
	return conformance.ListenWith(tb, func(l net.Listener) (serve func() error, stop func()) {
		engine := newServer(l, a).Engine
		return engine.Run, func() { _ = engine.Shutdown(context.Background()) }
	})
}

func newServer(l net.Listener, a conformance.App) *server.Hertz {
	h := server.New(
		server.WithListener(l),
		server.WithHandleMethodNotAllowed(true),
		server.WithExitWaitTime(time.Second),
		server.WithDisablePrintRoute(true),
	)
	if a.OnError != nil {
		h.Use(func(ctx context.Context, c *app.RequestContext) {
			c.Next(ctx)
			if last := c.Errors.Last(); last != nil {
				_ = a.OnError(hertzContext{ctx, c}, last.Err)
			}
		})
	}
	h.Use(conformance.Layers(a, scshertz.LoadAndSave, recovery.Recovery(recovery.WithRecoveryHandler(
		func(_ context.Context, c *app.RequestContext, _ any, _ []byte) {
			c.AbortWithStatus(http.StatusInternalServerError)
		})), nil)...)
	if a.NotFound != nil {
		h.NoRoute(handler(a.NotFound))
	}
	if a.NotAllowed != nil {
		h.NoMethod(handler(a.NotAllowed))
	}
	group := h.Group("/")
	if a.Nested {
		group.Use(scshertz.LoadAndSave(a.Sessions, a.Options...))
	}
	for _, r := range a.Routes {
		if r.Guard == nil {
			group.Handle(r.Method, r.Path, handler(r.Handler))
			continue
		}
		guard := func(ctx context.Context, c *app.RequestContext) {
			handler(r.Guard)(ctx, c)
			c.Abort()
		}
		group.Handle(r.Method, r.Path, guard, handler(r.Handler))
	}
	return h
}

func handler(h conformance.Handler) app.HandlerFunc {
	return func(ctx context.Context, c *app.RequestContext) {
		if err := h(hertzContext{ctx, c}); err != nil {
			c.SetStatusCode(http.StatusInternalServerError)
			_ = c.Error(err)
		}
	}
}

// hertzContext has no EarlyHints, for which Hertz has no means. It has no Reset: error
// handlers are middleware outside, and would take back the session's cookie.
type hertzContext struct {
	ctx context.Context
	c   *app.RequestContext
}

var _ interface {
	conformance.Context
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Mounter
} = hertzContext{}

func (c hertzContext) Context() context.Context { return c.ctx }

func (c hertzContext) Query(name string) string { return c.c.Query(name) }

func (c hertzContext) SetHeader(name, value string) { c.c.Response.Header.Set(name, value) }

func (c hertzContext) Send(status int, body string) error {
	c.c.SetStatusCode(status)
	if body != "" {
		c.c.String(status, "%s", body)
	}
	return nil
}

func (c hertzContext) JSON(status int, v any) error {
	c.c.JSON(status, v)
	return nil
}

func (c hertzContext) File(name string) error {
	c.c.File(name)
	return nil
}

func (c hertzContext) Redirect(status int, url string) error {
	c.c.Redirect(status, []byte(url))
	return nil
}

func (c hertzContext) Stream(write func(io.Writer, func() error) error) error {
	r, w := io.Pipe()
	c.c.SetBodyStream(r, -1)
	go func() { _ = w.CloseWithError(write(w, func() error { return nil })) }()
	return nil
}

func (c hertzContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	c.c.SetStatusCode(http.StatusSwitchingProtocols)
	c.SetHeader("Connection", "Upgrade")
	c.SetHeader("Upgrade", protocol)
	c.c.Hijack(func(conn network.Conn) { serve(conn) })
	return nil
}

// Mount collects the response, as adaptor.HertzHandler does not.
func (c hertzContext) Mount(h http.Handler) error {
	r, err := adaptor.GetCompatRequest(&c.c.Request)
	if err != nil {
		return err
	}
	h.ServeHTTP(adaptor.GetCompatResponseWriter(&c.c.Response), r.WithContext(c.ctx))
	return nil
}
