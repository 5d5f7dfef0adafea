// Package harness runs the conformance kit's test applications on Echo v4. With it you can test
// your own store or adapter together with Echo v4:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scsecho.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Echo v4 behind the middleware.
func New(
	session func(*scs.SessionManager, ...adapters.Option) echo.MiddlewareFunc,
) conformance.Adapter {
	return conformance.Adapter{
		Name:       "echo",
		Neighbours: conformance.Kinds(echoNeighbours, conformance.Forward, conformance.Proxy),
		Serve: func(tb testing.TB, app conformance.App) string {
			return conformance.Listen(tb, echoServer(app, session))
		},
	}
}

var echoNeighbours = map[conformance.Neighbour]echo.MiddlewareFunc{
	conformance.Compress: middleware.Gzip(),
	conformance.Timeout:  timeout(),
	conformance.Dump:     middleware.BodyDump(func(echo.Context, []byte, []byte) {}),
	conformance.Log:      logger(),
	conformance.Secure:   middleware.Secure(),
	conformance.Files: middleware.StaticWithConfig(middleware.StaticConfig{
		Filesystem: http.FS(conformance.StaticFiles()),
	}),
}

//nolint:staticcheck // deprecated, but in wide use
func timeout() echo.MiddlewareFunc {
	return middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: 10 * time.Minute})
}

//nolint:staticcheck // deprecated, but in wide use
func logger() echo.MiddlewareFunc {
	return middleware.LoggerWithConfig(middleware.LoggerConfig{Output: io.Discard})
}

func echoServer(
	app conformance.App, session func(*scs.SessionManager, ...adapters.Option) echo.MiddlewareFunc,
) *echo.Echo {
	handler := func(h conformance.Handler) echo.HandlerFunc {
		return func(c echo.Context) error { return h(echoContext{c}) }
	}
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // Recover logs panics
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		page := app.OnError
		switch {
		case c.Response().Committed:
			return
		case app.NotFound != nil && errors.Is(err, echo.ErrNotFound):
			page = func(c conformance.Context, _ error) error { return app.NotFound(c) }
		case app.NotAllowed != nil && errors.Is(err, echo.ErrMethodNotAllowed):
			page = func(c conformance.Context, _ error) error { return app.NotAllowed(c) }
		}
		if page != nil {
			err = page(echoContext{c}, err)
		}
		if err != nil {
			e.DefaultHTTPErrorHandler(err, c)
		}
	}
	e.Use(conformance.Layers(app, session, middleware.Recover(), echoNeighbours)...)
	add := e.Add
	if app.Nested {
		add = e.Group("", session(app.Sessions, app.Options...)).Add
	}
	for _, r := range app.Routes {
		if r.Guard == nil {
			add(r.Method, r.Path, handler(r.Handler))
			continue
		}
		add(r.Method, r.Path, handler(r.Handler),
			func(echo.HandlerFunc) echo.HandlerFunc { return handler(r.Guard) })
	}
	return e
}

type echoContext struct{ c echo.Context }

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Hinter
	conformance.Mounter
	conformance.Forwarder
	conformance.Resetter
} = echoContext{}

func (c echoContext) Context() context.Context { return c.c.Request().Context() }

func (c echoContext) Query(name string) string { return c.c.QueryParam(name) }

func (c echoContext) SetHeader(name, value string) { c.c.Response().Header().Set(name, value) }

func (c echoContext) Send(status int, body string) error {
	if body == "" {
		return c.c.NoContent(status)
	}
	return c.c.String(status, body)
}

func (c echoContext) JSON(status int, v any) error { return c.c.JSON(status, v) }

func (c echoContext) File(name string) error { return c.c.File(name) }

func (c echoContext) Redirect(status int, url string) error { return c.c.Redirect(status, url) }

func (c echoContext) Stream(write func(io.Writer, func() error) error) error {
	res := c.c.Response()
	return write(res, func() error { res.Flush(); return nil })
}

func (c echoContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	conn, rw, err := c.c.Response().Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conformance.Upgrade(rw, c.c.Response().Header(), protocol, serve)
}

// EarlyHints bypasses Echo's Response, which treats every status as the final one.
func (c echoContext) EarlyHints(link string) error {
	c.SetHeader("Link", link)
	c.c.Response().Writer.WriteHeader(http.StatusEarlyHints)
	return nil
}

func (c echoContext) Mount(h http.Handler) error { return echo.WrapHandler(h)(c.c) }

func (c echoContext) Forward(path string) error {
	r := c.c.Request().Clone(c.Context())
	r.URL.Path = path
	c.c.Echo().ServeHTTP(c.c.Response(), r)
	return nil
}

func (c echoContext) Reset() { clear(c.c.Response().Header()) }
