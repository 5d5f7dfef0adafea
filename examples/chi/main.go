// Command chi is a small shop on chi that keeps its visitors' carts in sessions.
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"flag"
	"html/template"
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
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
	_ "modernc.org/sqlite" // for sqlite:PATH
)

//go:embed page.html
var files embed.FS
var page = template.Must(template.ParseFS(files, "page.html"))

func main() {
	listen := flag.String("listen", "localhost:8080", "`address` to listen on")
	where := flag.String("store", "memory:", "`URL` of the backend:\n"+stores.Usage())
	flag.Parse()
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	store, closeStore, err := stores.Open(ctx, *where, nil)
	if err == nil {
		err = store.CreateSchema(ctx) // if it is not there
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
	release() // Shutdown waits for the requests that run; a second Ctrl-C does not
	if err := errors.Join(server.Shutdown(context.Background()), closeStore()); err != nil {
		log.Print(err)
	}
}

type shop struct{ sessions *scs.SessionManager }

func newShop(store scs.Store) http.Handler {
	s := shop{scskit.New(store)} // wherever browsers come by HTTPS: s.sessions.Cookie.Secure = true
	r := chi.NewRouter()
	r.Use(scschi.LoadAndSave(s.sessions))
	r.Get("/", s.show)
	// Against CSRF: changes are POSTs, and SameSite=Lax keeps the cookie from other sites' forms.
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
	flash, user := s.sessions.PopString(r.Context(), "flash"),
		s.sessions.GetString(r.Context(), "user")
	// fails if the visitor has gone
	_ = page.Execute(w, map[string]any{"Flash": flash, "User": user, "Cart": cart})
}

func (s shop) signIn(w http.ResponseWriter, r *http.Request) {
	// A real shop checks a password first. The new token makes one that was planted before
	// worthless.
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		http.Error(w, "The session could not be renewed.", http.StatusInternalServerError)
		return
	}
	s.sessions.Put(r.Context(), "user", cmp.Or(r.PostFormValue("name"), "guest"))
	s.sessions.Put(r.Context(), "flash", "Welcome!")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) add(w http.ResponseWriter, r *http.Request) {
	// a key for each item: two added at once are both kept
	s.sessions.Put(r.Context(), "cart:"+r.PostFormValue("item"), r.PostFormValue("note"))
	s.sessions.Put(r.Context(), "flash", "Added "+r.PostFormValue("item")+".")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) remove(w http.ResponseWriter, r *http.Request) {
	s.sessions.Remove(r.Context(), "cart:"+r.PostFormValue("item"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s shop) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
