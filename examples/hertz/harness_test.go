package scshertz_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/middlewares/server/recovery"
	"github.com/cloudwego/hertz/pkg/app/server"

	"github.com/scskit/scskit/conformance"
	scshertz "github.com/scskit/scskit/examples/hertz"
)

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
	recoverer := recovery.Recovery(recovery.WithRecoveryHandler(
		func(_ context.Context, c *app.RequestContext, _ any, _ []byte) {
			c.AbortWithStatus(http.StatusInternalServerError)
		}))
	h.Use(conformance.Layers(a, scshertz.LoadAndSave, recoverer, nil)...)
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
		chain := []app.HandlerFunc{handler(r.Handler)}
		if r.Guard != nil { // middleware that answers instead of the route's handler
			abort := func(_ context.Context, c *app.RequestContext) { c.Abort() }
			chain = []app.HandlerFunc{handler(r.Guard), abort, chain[0]}
		}
		group.Handle(r.Method, r.Path, chain...)
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

// hertzContext is the context of the kit's handlers. Its optional methods are in optional_test.go.
type hertzContext struct {
	ctx context.Context
	c   *app.RequestContext
}

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
