// Command fiberv3 is a small shop on Fiber v3. It keeps each visitor's cart in a session.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/scskit/scskit"
	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/examples/internal/page"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
	_ "modernc.org/sqlite" // for sqlite:PATH
)

func main() {
	listen := flag.String("listen", "localhost:8080", "`address` to listen on")
	where := flag.String("store", "memory:", "`URL` of the backend:\n"+stores.Usage())
	flag.Parse()
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	store, closeStore, err := stores.Open(ctx, *where, &scskit.Options{UserKey: "user"})
	if err == nil {
		err = store.CreateSchema(ctx) // does nothing if the schema exists
	}
	if err != nil {
		log.Fatal(err)
	}
	app := newShop(store)
	go func() {
		config := fiber.ListenConfig{DisableStartupMessage: true}
		if err := app.Listen(*listen, config); err != nil { // Listen returns nil after a shutdown
			log.Fatal(err)
		}
	}()
	log.Printf("http://%s (Ctrl-C stops)", *listen)
	<-ctx.Done()
	release() // a second Ctrl-C ends the program without waiting for running requests
	if err := errors.Join(app.ShutdownWithContext(context.Background()), closeStore()); err != nil {
		log.Print(err)
	}
}

type shop struct{ sessions *scs.SessionManager }

// newShop returns the shop. Options.UserKey of the store is "user".
func newShop(store scs.Store) *fiber.App {
	s := shop{scskit.New(store)} // with HTTPS, set s.sessions.Cookie.Secure
	app := fiber.New(fiber.Config{
		BodyLimit:   64 << 10,
		ReadTimeout: 5 * time.Second,
		IdleTimeout: time.Minute,
	})
	app.Use(recover.New(), scsfiber.LoadAndSave(s.sessions))
	app.Get("/", s.show)
	// CSRF protection: these handlers accept only POST, and browsers do not send a SameSite=Lax
	// cookie with a POST from another site.
	app.Post("/signin", s.signIn)
	app.Post("/cart", s.signedIn, s.add)
	app.Post("/cart/remove", s.signedIn, s.remove)
	app.Post("/signout", s.signedIn, s.signOut)
	return app
}

func (s shop) signedIn(c fiber.Ctx) error {
	if !s.sessions.Exists(c, "user") {
		return c.Redirect().Status(http.StatusSeeOther).To("/")
	}
	return c.Next()
}

func (s shop) show(c fiber.Ctx) error {
	cart := map[string]string{}
	for _, key := range s.sessions.Keys(c) {
		if name, ok := strings.CutPrefix(key, "cart:"); ok {
			cart[name] = s.sessions.GetString(c, key)
		}
	}
	c.Type("html", "utf-8")
	flash := s.sessions.PopString(c, "flash")
	user := s.sessions.GetString(c, "user")
	return page.Template.Execute(c, fiber.Map{"Flash": flash, "User": user, "Cart": cart})
}

func (s shop) signIn(c fiber.Ctx) error {
	// A real shop checks a password first. SignIn renews the token, against session fixation: a token
	// that an attacker planted earlier becomes worthless.
	// Fiber's strings are valid until the request ends. The session is encoded before that.
	user := cmp.Or(c.FormValue("name"), "guest")
	if err := scskit.SignIn(c, s.sessions, user, nil); err != nil {
		return err
	}
	s.sessions.Put(c, "flash", "Welcome!")
	return c.Redirect().Status(http.StatusSeeOther).To("/")
}

func (s shop) add(c fiber.Ctx) error {
	// One key for each item: two that are added at the same moment are both kept.
	s.sessions.Put(c, "cart:"+c.FormValue("item"), c.FormValue("note"))
	s.sessions.Put(c, "flash", "Added "+c.FormValue("item")+".")
	return c.Redirect().Status(http.StatusSeeOther).To("/")
}

func (s shop) remove(c fiber.Ctx) error {
	s.sessions.Remove(c, "cart:"+c.FormValue("item"))
	return c.Redirect().Status(http.StatusSeeOther).To("/")
}

func (s shop) signOut(c fiber.Ctx) error {
	if err := scskit.SignOut(c, s.sessions); err != nil {
		return err
	}
	return c.Redirect().Status(http.StatusSeeOther).To("/")
}
