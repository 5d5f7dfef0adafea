package moving

import (
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsfiberv3 "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/migrate/legacy"
)

func fiberV3Before(storage fiber.Storage) *fiber.App {
	app := fiber.New()
	app.Use(session.New(session.Config{Storage: storage}))
	app.Post("/sign-in", func(c fiber.Ctx) error {
		session.FromContext(c).Set("user", c.FormValue("user"))
		return nil
	})
	app.Get("/", func(c fiber.Ctx) error {
		user, _ := session.FromContext(c).Get("user").(string)
		return c.SendString(user)
	})
	fiberV3Values(app)
	return app
}

// fiberV3AbsoluteBefore has the setting for which Fiber stores when a session ends.
func fiberV3AbsoluteBefore(storage fiber.Storage) *fiber.App {
	app := fiber.New()
	app.Use(session.New(session.Config{Storage: storage, AbsoluteTimeout: time.Hour}))
	app.Post("/sign-in", func(c fiber.Ctx) error {
		session.FromContext(c).Set("user", c.FormValue("user"))
		return nil
	})
	app.Get("/", func(c fiber.Ctx) error {
		user, _ := session.FromContext(c).Get("user").(string)
		return c.SendString(user)
	})
	fiberV3Values(app)
	return app
}

func fiberV3Values(app *fiber.App) {
	app.Post("/values", func(c fiber.Ctx) error {
		for key, value := range examples(c.FormValue("user")) {
			session.FromContext(c).Set(key, value)
		}
		return nil
	})
	app.Get("/values", func(c fiber.Ctx) error {
		return c.SendString(text(func(k string) any { return session.FromContext(c).Get(k) }))
	})
}

func fiberV3After(
	storage fiber.Storage, backend *scskit.Store, o adapters.AdoptOptions,
) *fiber.App {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Fiber(storage, legacy.FiberOptions{})
	app := fiber.New()
	app.Use(scsfiberv3.LoadAndSave(manager, adapters.Adopt(old, o)))
	app.Post("/sign-in", func(c fiber.Ctx) error {
		return scskit.SignIn(c.Context(), manager, c.FormValue("user"), nil)
	})
	app.Get("/", func(c fiber.Ctx) error {
		user := manager.GetString(c.Context(), "user")
		return c.SendString(user)
	})
	app.Get("/values", func(c fiber.Ctx) error {
		return c.SendString(text(func(k string) any { return manager.Get(c.Context(), k) }))
	})
	return app
}
