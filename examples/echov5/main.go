// Command echov5 is a small shop on Echo v5. It keeps each visitor's cart in a session.
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
	"github.com/labstack/echo/v5"
	"github.com/scskit/scskit"
	scsecho "github.com/scskit/scskit/adapters/echov5"
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
	server := &http.Server{Addr: *listen, Handler: newShop(store), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	log.Printf("http://%s (Ctrl-C stops)", *listen)
	<-ctx.Done()
	release() // a second Ctrl-C ends the program without waiting for running requests
	if err := errors.Join(server.Shutdown(context.Background()), closeStore()); err != nil {
		log.Print(err)
	}
}

type shop struct{ sessions *scs.SessionManager }

// newShop returns the shop. Options.UserKey of the store is "user".
func newShop(store scs.Store) http.Handler {
	s := shop{scskit.New(store)} // with HTTPS, set s.sessions.Cookie.Secure
	e := echo.New()
	e.Use(scsecho.LoadAndSave(s.sessions))
	e.GET("/", s.show)
	// CSRF protection: these handlers accept only POST, and browsers do not send a SameSite=Lax
	// cookie with a POST from another site.
	e.POST("/signin", s.signIn)
	e.POST("/cart", s.add, s.signedIn)
	e.POST("/cart/remove", s.remove, s.signedIn)
	e.POST("/signout", s.signOut, s.signedIn)
	return http.MaxBytesHandler(e, 64<<10)
}

func (s shop) signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if !s.sessions.Exists(c.Request().Context(), "user") {
			return c.Redirect(http.StatusSeeOther, "/")
		}
		return next(c)
	}
}

func (s shop) show(c *echo.Context) error {
	ctx := c.Request().Context()
	cart := map[string]string{}
	for _, key := range s.sessions.Keys(ctx) {
		if name, ok := strings.CutPrefix(key, "cart:"); ok {
			cart[name] = s.sessions.GetString(ctx, key)
		}
	}
	flash := s.sessions.PopString(ctx, "flash")
	user := s.sessions.GetString(ctx, "user")
	data := map[string]any{"Flash": flash, "User": user, "Cart": cart}
	return page.Template.Execute(c.Response(), data)
}

func (s shop) signIn(c *echo.Context) error {
	ctx := c.Request().Context()
	// A real shop checks a password first. SignIn renews the token, against session fixation: a token
	// that an attacker planted earlier becomes worthless.
	user := cmp.Or(c.FormValue("name"), "guest")
	if err := scskit.SignIn(ctx, s.sessions, user, nil); err != nil {
		return err
	}
	s.sessions.Put(ctx, "flash", "Welcome!")
	return c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) add(c *echo.Context) error {
	// One key for each item: two that are added at the same moment are both kept.
	s.sessions.Put(c.Request().Context(), "cart:"+c.FormValue("item"), c.FormValue("note"))
	s.sessions.Put(c.Request().Context(), "flash", "Added "+c.FormValue("item")+".")
	return c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) remove(c *echo.Context) error {
	s.sessions.Remove(c.Request().Context(), "cart:"+c.FormValue("item"))
	return c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) signOut(c *echo.Context) error {
	if err := scskit.SignOut(c.Request().Context(), s.sessions); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}
