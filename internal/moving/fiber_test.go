package moving

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/migrate/legacy"
)

func fiberBefore(storage fiber.Storage) *fiber.App {
	store := session.New(session.Config{Storage: storage})
	app := fiber.New()
	app.Post("/sign-in", func(c *fiber.Ctx) error {
		sess, err := store.Get(c)
		if err != nil {
			return err
		}
		sess.Set("user", c.FormValue("user"))
		return sess.Save()
	})
	app.Get("/", func(c *fiber.Ctx) error {
		sess, err := store.Get(c)
		if err != nil {
			return err
		}
		user, _ := sess.Get("user").(string)
		return c.SendString(user)
	})
	app.Post("/values", func(c *fiber.Ctx) error {
		sess, err := store.Get(c)
		if err != nil {
			return err
		}
		for key, value := range examples(c.FormValue("user")) {
			sess.Set(key, value)
		}
		return sess.Save()
	})
	app.Get("/values", func(c *fiber.Ctx) error {
		sess, err := store.Get(c)
		if err != nil {
			return err
		}
		return c.SendString(text(func(k string) any { return sess.Get(k) }))
	})
	return app
}

func fiberAfter(
	storage fiber.Storage, backend *scskit.Store, o adapters.AdoptOptions,
) *fiber.App {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Fiber(storage, legacy.FiberOptions{})
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(manager, adapters.Adopt(old, o)))
	app.Post("/sign-in", func(c *fiber.Ctx) error {
		return scskit.SignIn(c.UserContext(), manager, c.FormValue("user"), nil)
	})
	app.Get("/", func(c *fiber.Ctx) error {
		user := manager.GetString(c.UserContext(), "user")
		return c.SendString(user)
	})
	app.Get("/values", func(c *fiber.Ctx) error {
		return c.SendString(text(func(k string) any { return manager.Get(c.UserContext(), k) }))
	})
	return app
}
