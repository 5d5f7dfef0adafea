// Command gin is a small shop on Gin. It keeps each visitor's cart in a session.
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
	"github.com/gin-gonic/gin"
	"github.com/scskit/scskit"
	scsgin "github.com/scskit/scskit/adapters/gin"
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
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.SetHTMLTemplate(page.Template)
	r.Use(gin.Logger(), gin.Recovery(), scsgin.LoadAndSave(s.sessions))
	r.GET("/", s.show)
	// CSRF protection: these handlers accept only POST, and browsers do not send a SameSite=Lax
	// cookie with a POST from another site.
	r.POST("/signin", s.signIn)
	r.POST("/cart", s.signedIn, s.add)
	r.POST("/cart/remove", s.signedIn, s.remove)
	r.POST("/signout", s.signedIn, s.signOut)
	return http.MaxBytesHandler(r, 64<<10)
}

func (s shop) signedIn(c *gin.Context) {
	if !s.sessions.Exists(c.Request.Context(), "user") {
		c.Redirect(http.StatusSeeOther, "/")
		c.Abort()
	}
}

func (s shop) show(c *gin.Context) {
	cart := map[string]string{}
	for _, key := range s.sessions.Keys(c.Request.Context()) {
		if name, ok := strings.CutPrefix(key, "cart:"); ok {
			cart[name] = s.sessions.GetString(c.Request.Context(), key)
		}
	}
	flash := s.sessions.PopString(c.Request.Context(), "flash")
	user := s.sessions.GetString(c.Request.Context(), "user")
	c.HTML(http.StatusOK, "page.html", gin.H{"Flash": flash, "User": user, "Cart": cart})
}

func (s shop) signIn(c *gin.Context) {
	ctx := c.Request.Context()
	// A real shop checks a password first. SignIn renews the token, against session fixation: a token
	// that an attacker planted earlier becomes worthless.
	user := cmp.Or(c.PostForm("name"), "guest")
	if err := scskit.SignIn(ctx, s.sessions, user, nil); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	s.sessions.Put(ctx, "flash", "Welcome!")
	c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) add(c *gin.Context) {
	// One key for each item: two that are added at the same moment are both kept.
	s.sessions.Put(c.Request.Context(), "cart:"+c.PostForm("item"), c.PostForm("note"))
	s.sessions.Put(c.Request.Context(), "flash", "Added "+c.PostForm("item")+".")
	c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) remove(c *gin.Context) {
	s.sessions.Remove(c.Request.Context(), "cart:"+c.PostForm("item"))
	c.Redirect(http.StatusSeeOther, "/")
}

func (s shop) signOut(c *gin.Context) {
	if err := scskit.SignOut(c.Request.Context(), s.sessions); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}
