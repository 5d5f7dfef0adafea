package start_test

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/scskit/scskit"
	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
)

func onFiberV3(store *scskit.Store, sessions *scs.SessionManager) visit {
	app := fiber.New()
	app.Use(recover.New(), scsfiber.LoadAndSave(sessions))

	app.Post("/sign-in", func(c fiber.Ctx) error {
		ctx := c.Context()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, c.FormValue("name"), nil); err != nil {
			return err
		}
		sessions.Put(ctx, "flash", "Welcome!")
		return c.Redirect().Status(http.StatusSeeOther).To("/")
	})

	app.Get("/", func(c fiber.Ctx) error {
		ctx := c.Context()
		flash := sessions.PopString(ctx, "flash") // shown once
		return c.SendString(flash + " Hello " + sessions.GetString(ctx, "user") + "\n")
	})

	signedIn := func(c fiber.Ctx) error {
		if !sessions.Exists(c.Context(), "user") {
			return c.SendStatus(http.StatusUnauthorized)
		}
		return c.Next()
	}

	app.Post("/sign-out", signedIn, func(c fiber.Ctx) error {
		if err := scskit.SignOut(c.Context(), sessions); err != nil {
			return err
		}
		return c.Redirect().Status(http.StatusSeeOther).To("/")
	})

	app.Post("/sign-out-everywhere", signedIn, func(c fiber.Ctx) error {
		if err := signOutEverywhere(c.Context(), store, sessions); err != nil {
			return err
		}
		return c.Redirect().Status(http.StatusSeeOther).To("/")
	})

	return func(t *testing.T, r *http.Request) *http.Response {
		response, err := app.Test(r, fiber.TestConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
}
