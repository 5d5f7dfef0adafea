package csrf_test

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/csrf"

	scsfiber "github.com/scskit/scskit/adapters/fiber"
)

var onFiber = []protection{
	{name: "fiber/CrossOriginProtection", orders: both, app: fiberCrossOrigin, noOrigin: true},
	{name: "fiber/csrf", orders: both, app: fiberCSRF, cookie: "__Host-csrf", needsPage: true,
		renews: true},
}

func fiberRoutes(app *fiber.App, sessions *scs.SessionManager, renew fiber.Handler) {
	app.Get("/form", func(c *fiber.Ctx) error {
		page(c.UserContext(), sessions)
		token, _ := c.Locals("csrf").(string)
		return c.SendString(token)
	})
	app.Get("/", func(c *fiber.Ctx) error {
		return c.SendString(show(c.UserContext(), sessions))
	})
	app.Post("/note", func(c *fiber.Ctx) error {
		sessions.Put(c.UserContext(), "note", c.Query("text"))
		return nil
	})
	app.Post("/sign-in", func(c *fiber.Ctx) error {
		if err := signIn(c.UserContext(), sessions); err != nil {
			return err
		}
		return renew(c)
	})
	app.Post("/sign-out", func(c *fiber.Ctx) error {
		if err := sessions.Destroy(c.UserContext()); err != nil {
			return err
		}
		return renew(c)
	})
}

func fiberCrossOrigin(sessions *scs.SessionManager, o order) serve {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	protection := http.NewCrossOriginProtection()
	protect := func(c *fiber.Ctx) error {
		r, err := adaptor.ConvertRequest(c, false)
		if err != nil {
			return err
		}
		if protection.Check(r) != nil {
			return fiber.ErrForbidden
		}
		return c.Next()
	}
	if o == inside {
		app.Use(scsfiber.LoadAndSave(sessions), protect)
	} else {
		app.Use(protect, scsfiber.LoadAndSave(sessions))
	}
	fiberRoutes(app, sessions, func(*fiber.Ctx) error { return nil })
	return app.Listener
}

func fiberCSRF(sessions *scs.SessionManager, o order) serve {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	protect := csrf.New(csrf.Config{
		CookieName: "__Host-csrf", CookiePath: "/", CookieSecure: true, CookieHTTPOnly: true,
		ContextKey: "csrf", // of the token, in c.Locals
	})
	if o == inside {
		app.Use(scsfiber.LoadAndSave(sessions), protect)
	} else {
		app.Use(protect, scsfiber.LoadAndSave(sessions))
	}
	fiberRoutes(app, sessions, func(c *fiber.Ctx) error {
		// At every sign-in and sign-out.
		return c.Locals(csrf.ConfigDefault.HandlerContextKey).(*csrf.CSRFHandler).DeleteToken(c)
	})
	return app.Listener
}
