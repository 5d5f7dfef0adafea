package main

import (
	"context"
	"net"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
)

// mountFiberV3 serves the routes on Fiber v3, behind a proxy. The handlers could pass c itself to
// the session manager, but only c.Context() holds the framework's name for the events.
func mountFiberV3(
	ctx context.Context, a *app, name string,
) (_ http.Handler, shutdown func() error, err error) {
	server := fiber.New(fiber.Config{BodyLimit: maxBody})
	server.Use(recover.New())
	server.Use(func(c fiber.Ctx) error {
		c.SetContext(withFramework(c.Context(), name))
		return c.Next()
	})
	server.Use(scsfiber.LoadAndSave(a.sessions))
	r := server.Group("/fiberv3")
	r.Get("/session", func(c fiber.Ctx) error {
		return c.JSON(a.view(c.Context()))
	})
	for path, action := range a.actions() {
		r.Post("/"+path, func(c fiber.Ctx) error {
			// Fiber's strings are valid until the request ends. The session is encoded before that.
			err := action(c.Context(), change{
				By:    name,
				Key:   c.FormValue("key"),
				Value: c.FormValue("value"),
				Gate:  c.FormValue("gate"),
			})
			if err != nil {
				code, text := status(err)
				return c.Status(code).SendString(text)
			}
			return c.Redirect().Status(http.StatusSeeOther).To(back(c.Get(requestIDHeader)))
		})
	}
	serve := func(l net.Listener) error {
		return server.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
	}
	return behindProxy(ctx, serve, server.Shutdown)
}
