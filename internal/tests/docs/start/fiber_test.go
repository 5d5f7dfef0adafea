package start_test

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/scskit/scskit"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
)

func onFiber(store *scskit.Store, sessions *scs.SessionManager) visit {
	app := fiber.New()
	app.Use(recover.New(), scsfiber.LoadAndSave(sessions))

	app.Post("/sign-in", func(c *fiber.Ctx) error {
		ctx := c.UserContext()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, c.FormValue("name"), nil); err != nil {
			return err
		}
		sessions.Put(ctx, "flash", "Welcome!")
		return c.Redirect("/", http.StatusSeeOther)
	})

	app.Get("/", func(c *fiber.Ctx) error {
		ctx := c.UserContext()
		flash := sessions.PopString(ctx, "flash") // shown once
		return c.SendString(flash + " Hello " + sessions.GetString(ctx, "user") + "\n")
	})

	signedIn := func(c *fiber.Ctx) error {
		if !sessions.Exists(c.UserContext(), "user") {
			return c.SendStatus(http.StatusUnauthorized)
		}
		return c.Next()
	}

	app.Post("/sign-out", signedIn, func(c *fiber.Ctx) error {
		if err := scskit.SignOut(c.UserContext(), sessions); err != nil {
			return err
		}
		return c.Redirect("/", http.StatusSeeOther)
	})

	app.Post("/sign-out-everywhere", signedIn, func(c *fiber.Ctx) error {
		if err := signOutEverywhere(c.UserContext(), store, sessions); err != nil {
			return err
		}
		return c.Redirect("/", http.StatusSeeOther)
	})

	return func(t *testing.T, r *http.Request) *http.Response {
		response, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
}
