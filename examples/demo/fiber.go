package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	scsfiber "github.com/scskit/scskit/adapters/fiber"
)

// mountFiber serves the routes on Fiber, which does not run on net/http but on fasthttp. It has a
// listener of its own on the loopback interface, behind a reverse proxy. Fiber's adaptor
// for net/http would need none, but it converts every request and response: what
// would be shown is the adaptor, and not how Fiber's server reads cookies, uses its buffers
// again and writes headers.
func mountFiber(ctx context.Context, a *app, name string) (_ http.Handler, shutdown func() error, err error) {
	server := fiber.New(fiber.Config{BodyLimit: maxBody, DisableStartupMessage: true})
	server.Use(recover.New())
	server.Use(func(c *fiber.Ctx) error {
		c.SetUserContext(withFramework(c.UserContext(), name))
		return c.Next()
	})
	server.Use(scsfiber.LoadAndSave(a.sessions))
	r := server.Group("/fiber")
	r.Get("/session", func(c *fiber.Ctx) error {
		return c.JSON(a.view(c.UserContext()))
	})
	for path, action := range a.actions() {
		r.Post("/"+path, func(c *fiber.Ctx) error {
			// These strings are views of Fiber's buffers. They are put into the session, which
			// is encoded before the buffers are used again.
			err := action(c.UserContext(), change{
				By: name, Key: c.FormValue("key"), Value: c.FormValue("value"), Gate: c.FormValue("gate"),
			})
			if err != nil {
				code, text := status(err)
				return c.Status(code).SendString(text)
			}
			return c.Redirect(back(c.Get(requestIDHeader)), http.StatusSeeOther)
		})
	}

	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Listener(listener) }()
	shutdown = func() error {
		err := server.Shutdown()
		_ = listener.Close() // if the server has not begun, Shutdown does nothing
		return errors.Join(err, <-served)
	}
	target := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: cells},
	}, shutdown, nil
}
