// Command chi is a small shop on Chi. It keeps each visitor's cart in a session.
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
	"github.com/go-chi/chi/v5"
	"github.com/scskit/scskit"
	scschi "github.com/scskit/scskit/adapters/chi"
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
	r := chi.NewRouter()
	r.Use(scschi.LoadAndSave(s.sessions))
	r.Get("/", s.show)
	// CSRF protection: these handlers accept only POST, and browsers do not send a SameSite=Lax
	// cookie with a POST from another site.
	r.Post("/signin", s.signIn)
	r.With(s.signedIn).Post("/cart", s.add)
	r.With(s.signedIn).Post("/cart/remove", s.remove)
	r.With(s.signedIn).Post("/signout", s.signOut)
	return http.MaxBytesHandler(r, 64<<10)
}

func (s shop) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.sessions.Exists(r.Context(), "user") {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s shop) show(w http.ResponseWriter, r *http.Request) {
	cart := map[string]string{}
	for _, key := range s.sessions.Keys(r.Context()) {
		if name, ok := strings.CutPrefix(key, "cart:"); ok {
			cart[name] = s.sessions.GetString(r.Context(), key)
		}
	}
	flash := s.sessions.PopString(r.Context(), "flash")
	user := s.sessions.GetString(r.Context(), "user")
	data := map[string]any{"Flash": flash, "User": user, "Cart": cart}
	_ = page.Template.Execute(w, data) // fails if the client has disconnected
}

func (s shop) signIn(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	// A real shop checks a password first. SignIn renews the token, against session fixation: a token
	// that an attacker planted earlier becomes worthless.
	user := cmp.Or(r.PostFormValue("name"), "guest")
	if err := scskit.SignIn(ctx, s.sessions, user, nil); err != nil {
		http.Error(w, "You could not be signed in.", http.StatusInternalServerError)
		return
	}
	s.sessions.Put(ctx, "flash", "Welcome!")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) add(w http.ResponseWriter, r *http.Request) {
	// One key for each item: two that are added at the same moment are both kept.
	s.sessions.Put(r.Context(), "cart:"+r.PostFormValue("item"), r.PostFormValue("note"))
	s.sessions.Put(r.Context(), "flash", "Added "+r.PostFormValue("item")+".")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) remove(w http.ResponseWriter, r *http.Request) {
	s.sessions.Remove(r.Context(), "cart:"+r.PostFormValue("item"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) signOut(w http.ResponseWriter, r *http.Request) {
	if err := scskit.SignOut(r.Context(), s.sessions); err != nil {
		http.Error(w, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
