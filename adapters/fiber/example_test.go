package scsfiber_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/scskit/scskit"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleLoadAndSave() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sessions))
	app.Get("/sign-in", func(c *fiber.Ctx) error {
		if err := scskit.SignIn(c.UserContext(), sessions, "ada", nil); err != nil {
			return err
		}
		return c.SendString("welcome")
	})
	app.Get("/", func(c *fiber.Ctx) error {
		return c.SendString("hello, " + sessions.GetString(c.UserContext(), "user"))
	})

	var cookies []*http.Cookie
	for _, path := range []string{"/sign-in", "/"} {
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		res, err := app.Test(req)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		cookies = append(cookies, res.Cookies()...)
		fmt.Println(string(body))
	}
	// Output:
	// welcome
	// hello, ada
}
