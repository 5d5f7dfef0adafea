package main

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	scsfiber "github.com/scskit/scskit/adapters/fiber"
)

// mountFiber serves the routes on Fiber v2, behind a proxy.
func mountFiber(
	ctx context.Context, a *app, name string,
) (_ http.Handler, shutdown func() error, err error) {
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
			// Fiber's strings are valid until the request ends. The session is encoded before that.
			err := action(c.UserContext(), change{
				By:    name,
				Key:   c.FormValue("key"),
				Value: c.FormValue("value"),
				Gate:  c.FormValue("gate"),
			})
			if err != nil {
				code, text := status(err)
				return c.Status(code).SendString(text)
			}
			return c.Redirect(back(c.Get(requestIDHeader)), http.StatusSeeOther)
		})
	}
	return behindProxy(ctx, server.Listener, server.Shutdown)
}
