// Package harness runs the conformance kit's test applications on Echo v5. With it you can test
// your own store or adapter together with Echo v5:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scsecho.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Echo v5 behind the middleware.
func New(
	session func(*scs.SessionManager, ...adapters.Option) echo.MiddlewareFunc,
) conformance.Adapter {
	return conformance.Adapter{
		Name:       "echov5",
		Neighbours: conformance.Kinds(echov5Neighbours, conformance.Forward, conformance.Proxy),
		Serve: func(tb testing.TB, app conformance.App) string {
			return conformance.Listen(tb, echov5Server(app, session))
		},
	}
}

// dump restores the response after BodyDump, as BodyDump itself does since Echo 5.4. Before that,
// an error page goes into a buffer that may already belong to another request.
func dump(next echo.HandlerFunc) echo.HandlerFunc {
	dumped := middleware.BodyDump(func(*echo.Context, []byte, []byte, error) {})(next)
	return func(c *echo.Context) error {
		response := c.Response()
		defer c.SetResponse(response)
		return dumped(c)
	}
}

var echov5Neighbours = map[conformance.Neighbour]echo.MiddlewareFunc{
	conformance.Compress: middleware.Gzip(),
	conformance.Timeout:  middleware.ContextTimeout(10 * time.Minute),
	conformance.Dump:     dump,
	conformance.Log:      middleware.RequestLogger(),
	conformance.Secure:   middleware.Secure(),
	conformance.Files: middleware.StaticWithConfig(middleware.StaticConfig{
		Filesystem: conformance.StaticFiles(),
	}),
}

func echov5Server(
	app conformance.App, session func(*scs.SessionManager, ...adapters.Option) echo.MiddlewareFunc,
) *echo.Echo {
	handler := func(h conformance.Handler) echo.HandlerFunc {
		return func(c *echo.Context) error { return h(echov5Context{c}) }
	}
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler) // Recover logs panics
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		page := app.OnError
		switch {
		case response(c).Committed:
			return
		case app.NotFound != nil && errors.Is(err, echo.ErrNotFound):
			page = func(c conformance.Context, _ error) error { return app.NotFound(c) }
		case app.NotAllowed != nil && errors.Is(err, echo.ErrMethodNotAllowed):
			page = func(c conformance.Context, _ error) error { return app.NotAllowed(c) }
		}
		if page != nil {
			err = page(echov5Context{c}, err)
		}
		if err != nil {
			echo.DefaultHTTPErrorHandler(false)(c, err)
		}
	}
	e.Use(conformance.Layers(app, session, middleware.Recover(), echov5Neighbours)...)
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

func response(c *echo.Context) *echo.Response {
	res, _ := echo.UnwrapResponse(c.Response())
	return res
}

type echov5Context struct{ c *echo.Context }

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Hinter
	conformance.Mounter
	conformance.Forwarder
	conformance.Resetter
} = echov5Context{}

func (c echov5Context) Context() context.Context { return c.c.Request().Context() }

func (c echov5Context) Query(name string) string { return c.c.QueryParam(name) }

func (c echov5Context) SetHeader(name, value string) { c.c.Response().Header().Set(name, value) }

func (c echov5Context) Send(status int, body string) error {
	if body == "" {
		return c.c.NoContent(status)
	}
	return c.c.String(status, body)
}

func (c echov5Context) JSON(status int, v any) error { return c.c.JSON(status, v) }

// File opens the file's directory, since Echo serves only files of its own Filesystem.
func (c echov5Context) File(name string) error {
	return c.c.FileFS(filepath.Base(name), os.DirFS(filepath.Dir(name)))
}

func (c echov5Context) Redirect(status int, url string) error { return c.c.Redirect(status, url) }

func (c echov5Context) Stream(write func(io.Writer, func() error) error) error {
	res := c.c.Response()
	return write(res, http.NewResponseController(res).Flush)
}

func (c echov5Context) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	conn, rw, err := http.NewResponseController(c.c.Response()).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conformance.Upgrade(rw, c.c.Response().Header(), protocol, serve)
}

// EarlyHints bypasses Echo's Response, which treats every status as the final one.
func (c echov5Context) EarlyHints(link string) error {
	c.SetHeader("Link", link)
	response(c.c).ResponseWriter.WriteHeader(http.StatusEarlyHints)
	return nil
}

func (c echov5Context) Mount(h http.Handler) error { return echo.WrapHandler(h)(c.c) }

func (c echov5Context) Forward(path string) error {
	r := c.c.Request().Clone(c.Context())
	r.URL.Path = path
	c.c.Echo().ServeHTTP(c.c.Response(), r)
	return nil
}

func (c echov5Context) Reset() { clear(c.c.Response().Header()) }
