// Package harness runs the conformance kit's test applications on Fiber v3. With it you can test
// your own store or adapter together with Fiber v3:
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
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/etag"
	"github.com/gofiber/fiber/v3/middleware/helmet"
	"github.com/gofiber/fiber/v3/middleware/logger"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gofiber/fiber/v3/middleware/static"
	"github.com/gofiber/fiber/v3/middleware/timeout"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

// New returns a conformance.Adapter that serves applications on Fiber v3 behind the middleware.
func New(
	session func(*scs.SessionManager, ...adapters.Option) fiber.Handler,
) conformance.Adapter {
	return conformance.Adapter{
		Name:       "fiberv3",
		Neighbours: conformance.Kinds(fiberv3Neighbours(), conformance.Forward),
		Recovers:   []conformance.Neighbour{conformance.Timeout},
		Serve: func(tb testing.TB, app conformance.App) string {
			server := fiberv3App(app, session)
			config := fiber.ListenConfig{DisableStartupMessage: true}
			return conformance.ListenWith(tb, func(l net.Listener) (serve func() error, stop func()) {
				stop = func() { _ = server.ShutdownWithTimeout(time.Second) }
				return func() error { return server.Listener(l, config) }, stop
			})
		},
	}
}

// abandon answers requests whose handlers take too long.
func abandon(c fiber.Ctx) error {
	c.SetContext(conformance.Abandonable(c.Context()))
	next := func(c fiber.Ctx) error { return c.Next() }
	return timeout.New(next, timeout.Config{Timeout: 10 * time.Minute})(c)
}

// fiberv3Neighbours has no Proxy: fasthttp reuses its context while an http.Transport still reads
// it. Each call returns new middleware, since Fiber's middleware keeps the app of its first
// request.
func fiberv3Neighbours() map[conformance.Neighbour]fiber.Handler {
	next := func(c fiber.Ctx) error { return c.Next() }
	return map[conformance.Neighbour]fiber.Handler{
		conformance.Compress: compress.New(),
		conformance.Timeout:  timeout.New(next, timeout.Config{Timeout: 10 * time.Minute}),
		conformance.Abandon:  abandon,
		conformance.Log:      logger.New(logger.Config{Stream: io.Discard}),
		conformance.Secure:   helmet.New(),
		conformance.ETag:     etag.New(),
		conformance.Files: static.New("", static.Config{
			FS: conformance.StaticFiles(),
			// For a missing file the middleware sets status 404 and calls the next handler.
			Next: func(c fiber.Ctx) bool { return !strings.HasPrefix(c.Path(), "/static/") },
		}),
	}
}

func fiberv3App(
	app conformance.App, session func(*scs.SessionManager, ...adapters.Option) fiber.Handler,
) *fiber.App {
	handler := func(h conformance.Handler) fiber.Handler {
		return func(c fiber.Ctx) error { return h(fiberv3Context{c}) }
	}
	server := fiber.New(fiber.Config{
		// The maximum size of the header, which may carry a session; Fiber's default is 4096.
		ReadBufferSize: 16 << 10,
		ErrorHandler: func(c fiber.Ctx, err error) error {
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
				err = page(fiberv3Context{c}, err)
			}
			if err != nil {
				return fiber.DefaultErrorHandler(c, err)
			}
			return nil
		},
	})
	for _, layer := range conformance.Layers(app, session, recover.New(), fiberv3Neighbours()) {
		server.Use(layer)
	}
	group := server.Group("/")
	if app.Nested {
		group.Use(session(app.Sessions, app.Options...))
	}
	for _, r := range app.Routes {
		if r.Guard == nil {
			group.Add([]string{r.Method}, r.Path, handler(r.Handler))
			continue
		}
		group.Add([]string{r.Method}, r.Path, handler(r.Guard), handler(r.Handler))
	}
	return server
}

type fiberv3Context struct{ c fiber.Ctx }

var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Hinter
	conformance.Mounter
	conformance.Forwarder
	conformance.Resetter
} = fiberv3Context{}

func (c fiberv3Context) Context() context.Context { return c.c.Context() }

func (c fiberv3Context) Query(name string) string { return c.c.Query(name) }

func (c fiberv3Context) SetHeader(name, value string) { c.c.Set(name, value) }

func (c fiberv3Context) Send(status int, body string) error {
	c.c.Status(status)
	if body == "" {
		return nil
	}
	return c.c.SendString(body)
}

func (c fiberv3Context) JSON(status int, v any) error { return c.c.Status(status).JSON(v) }

func (c fiberv3Context) File(name string) error { return c.c.SendFile(name) }

func (c fiberv3Context) Redirect(status int, url string) error {
	return c.c.Redirect().Status(status).To(url)
}

func (c fiberv3Context) Stream(write func(io.Writer, func() error) error) error {
	return c.c.SendStreamWriter(func(w *bufio.Writer) { _ = write(w, w.Flush) })
}

func (c fiberv3Context) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	c.c.Status(http.StatusSwitchingProtocols)
	c.SetHeader(fiber.HeaderConnection, "Upgrade")
	c.SetHeader(fiber.HeaderUpgrade, protocol)
	c.c.RequestCtx().Hijack(func(conn net.Conn) { serve(conn) })
	return nil
}

func (c fiberv3Context) EarlyHints(link string) error {
	return c.c.SendEarlyHints([]string{link})
}

func (c fiberv3Context) Mount(h http.Handler) error { return adaptor.HTTPHandler(h)(c.c) }

func (c fiberv3Context) Forward(path string) error {
	c.c.Path(path)
	return c.c.RestartRouting()
}

func (c fiberv3Context) Reset() { c.c.Response().Reset() }
