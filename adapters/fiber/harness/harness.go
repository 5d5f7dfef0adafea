// Package harness runs the conformance kit's test applications on Fiber v2. With it you can test
// your own store or adapter together with Fiber v2:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scsfiber.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/etag"
	"github.com/gofiber/fiber/v2/middleware/filesystem"
	"github.com/gofiber/fiber/v2/middleware/helmet"
	"github.com/gofiber/fiber/v2/middleware/logger"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/timeout"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Fiber v2 behind the middleware.
func New(
	session func(*scs.SessionManager, ...adapters.Option) fiber.Handler,
) conformance.Adapter {
	return conformance.Adapter{
		Name:       "fiber",
		Neighbours: conformance.Kinds(fiberNeighbours(), conformance.Forward),
		Serve: func(tb testing.TB, app conformance.App) string {
			server := fiberApp(app, session)
			return conformance.ListenWith(tb, func(l net.Listener) (serve func() error, stop func()) {
				stop = func() { _ = server.ShutdownWithTimeout(time.Second) }
				return func() error { return server.Listener(l) }, stop
			})
		},
	}
}

// fiberNeighbours has no Proxy: fasthttp reuses its context while an http.Transport still reads it.
// Each call returns new middleware, since Fiber's middleware keeps the app of its first request.
func fiberNeighbours() map[conformance.Neighbour]fiber.Handler {
	next := func(c *fiber.Ctx) error { return c.Next() }
	return map[conformance.Neighbour]fiber.Handler{
		conformance.Compress: compress.New(),
		conformance.Timeout:  timeout.NewWithContext(next, 10*time.Minute),
		conformance.Log:      logger.New(logger.Config{Output: io.Discard}),
		conformance.Secure:   helmet.New(),
		conformance.ETag:     etag.New(),
		conformance.Files: filesystem.New(filesystem.Config{
			Root: http.FS(conformance.StaticFiles()),
			// For a missing file the middleware sets status 404 and calls the next handler.
			Next: func(c *fiber.Ctx) bool { return !strings.HasPrefix(c.Path(), "/static/") },
		}),
	}
}

func fiberApp(
	app conformance.App, session func(*scs.SessionManager, ...adapters.Option) fiber.Handler,
) *fiber.App {
	handler := func(h conformance.Handler) fiber.Handler {
		return func(c *fiber.Ctx) error { return h(fiberContext{c}) }
	}
	server := fiber.New(fiber.Config{
		// The maximum size of the header, which may carry a session; Fiber's default is 4096.
		ReadBufferSize:        16 << 10,
		DisableStartupMessage: true,
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			page := app.OnError
			var known *fiber.Error
			switch {
			case !errors.As(err, &known):
			case app.NotFound != nil && known.Code == http.StatusNotFound:
				page = func(c conformance.Context, _ error) error { return app.NotFound(c) }
			case app.NotAllowed != nil && known.Code == http.StatusMethodNotAllowed:
				page = func(c conformance.Context, _ error) error { return app.NotAllowed(c) }
			}
			if page != nil {
				err = page(fiberContext{c}, err)
			}
			if err != nil {
				return fiber.DefaultErrorHandler(c, err)
			}
			return nil
		},
	})
	for _, layer := range conformance.Layers(app, session, recover.New(), fiberNeighbours()) {
		server.Use(layer)
	}
	group := server.Group("/")
	if app.Nested {
		group.Use(session(app.Sessions, app.Options...))
	}
	for _, r := range app.Routes {
		if r.Guard == nil {
			group.Add(r.Method, r.Path, handler(r.Handler))
			continue
		}
		group.Add(r.Method, r.Path, handler(r.Guard), handler(r.Handler))
	}
	return server
}

// fiberContext has no EarlyHints: the fasthttp versions that Fiber v2 allows cannot send them.
type fiberContext struct{ c *fiber.Ctx }

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Mounter
	conformance.Forwarder
	conformance.Resetter
} = fiberContext{}

func (c fiberContext) Context() context.Context { return c.c.UserContext() }

func (c fiberContext) Query(name string) string { return c.c.Query(name) }

func (c fiberContext) SetHeader(name, value string) { c.c.Set(name, value) }

func (c fiberContext) Send(status int, body string) error {
	c.c.Status(status)
	if body == "" {
		return nil
	}
	return c.c.SendString(body)
}

func (c fiberContext) JSON(status int, v any) error { return c.c.Status(status).JSON(v) }

func (c fiberContext) File(name string) error { return c.c.SendFile(name) }

func (c fiberContext) Redirect(status int, url string) error { return c.c.Redirect(url, status) }

func (c fiberContext) Stream(write func(io.Writer, func() error) error) error {
	c.c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { _ = write(w, w.Flush) })
	return nil
}

func (c fiberContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	c.c.Status(http.StatusSwitchingProtocols)
	c.SetHeader(fiber.HeaderConnection, "Upgrade")
	c.SetHeader(fiber.HeaderUpgrade, protocol)
	c.c.Context().Hijack(func(conn net.Conn) { serve(conn) })
	return nil
}

func (c fiberContext) Mount(h http.Handler) error { return adaptor.HTTPHandler(h)(c.c) }

func (c fiberContext) Forward(path string) error {
	c.c.Path(path)
	return c.c.RestartRouting()
}

func (c fiberContext) Reset() { c.c.Response().Reset() }
