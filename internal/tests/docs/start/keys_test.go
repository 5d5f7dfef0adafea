package start_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/scskit/scskit"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/sessiontest"
)

type cart struct{ Items []string }

var cartKey = scskit.NewKey[cart]("cart") // registers the type cart with encoding/gob

func addToCart(ctx context.Context, sessions *scs.SessionManager, item string) {
	c, _ := cartKey.Get(ctx, sessions) // the zero cart if there is none
	c.Items = append(c.Items, item)
	cartKey.Put(ctx, sessions, c)
}

func TestAddToCart(t *testing.T) {
	_, sessions := newSessions()
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sessions))
	app.Post("/cart", func(c *fiber.Ctx) error {
		addToCart(c.UserContext(), sessions, "tea")
		return nil
	})

	session := sessiontest.SignIn(t, sessions, "ada", nil)
	response, err := app.Test(session.Request(http.MethodPost, "/cart", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	session.Receive(response)
	if c, ok := session.Get("cart").(cart); !ok || len(c.Items) != 1 {
		t.Errorf("the cart is %v", session.Get("cart"))
	}
}
