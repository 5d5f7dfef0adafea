package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleSignIn() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.Cookie.Persist = false // the cookie ends with the browser, unless SignIn says otherwise
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		user := r.FormValue("name") // check the password first
		address, _, _ := net.SplitHostPort(r.RemoteAddr)
		options := &scskit.SignInOptions{
			UserAgent: r.UserAgent(), Address: address, MaxSessions: 10, EndOldest: true,
		}
		if r.FormValue("remember") != "" {
			options.RememberMe = true                 // the cookie outlives the browser, and
			options.Lifetime = 30 * 24 * time.Hour    // the session lasts for a month,
			options.IdleTimeout = 30 * 24 * time.Hour // whether it is used or not
		}
		err := scskit.SignIn(r.Context(), sessions, user, options)
		if err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), sessions); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	_ = scshttp.LoadAndSave(sessions)(mux) // serve it
}

func ExampleStore_DestroySessionOf() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		var devices []scskit.UserSession
		user := sessions.GetString(r.Context(), "user")
		for session, err := range store.SessionsOf(r.Context(), user) {
			if err != nil {
				http.Error(w, "try again later", http.StatusInternalServerError)
				return
			}
			devices = append(devices, session)
		}
		_ = page.Execute(w, devices) // an html/template
	})
	mux.HandleFunc("POST /devices/end", func(w http.ResponseWriter, r *http.Request) {
		user := sessions.GetString(r.Context(), "user")
		if _, err := store.DestroySessionOf(r.Context(), user, r.FormValue("id")); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	})
	_ = scshttp.LoadAndSave(sessions)(mux) // serve it
}

var page = template.Must(template.New("").Parse(`
{{range .}}<form method="post" action="/devices/end">
	{{.UserAgent}}, last seen {{.Seen.Format "2 January 15:04"}} {{if .Current}}(this one){{end}}
	<button name="id" value="{{.ID}}">End</button>
</form>{{end}}`))

func ExampleRequireFresh() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	changePassword := func(w http.ResponseWriter, r *http.Request) {
		err := scskit.RequireFresh(r.Context(), sessions, 15*time.Minute)
		if errors.Is(err, scskit.ErrNotFresh) {
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
			return
		}
		if err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		// change the password, then end the other sessions
		user := sessions.GetString(r.Context(), "user")
		if _, err := store.DestroySessionsOf(r.Context(), user, sessions.Token(r.Context())); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
		}
	}
	_ = changePassword // a route of yours
}

// Administrators get a shorter idle timeout than all others.
func ExampleSetIdleTimeout() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.IdleTimeout = 12 * time.Hour
	ctx, err := sessions.Load(context.Background(), "") // an adapter does this
	if err != nil {
		log.Fatal(err)
	}

	if err := scskit.SignIn(ctx, sessions, "ada", nil); err != nil {
		log.Fatal(err)
	}
	if err := scskit.SetIdleTimeout(ctx, sessions, 15*time.Minute); err != nil {
		log.Fatal(err)
	}

	token, _, err := sessions.Commit(ctx) // an adapter does this
	if err != nil {
		log.Fatal(err)
	}
	for session := range store.SessionsOf(ctx, "ada") {
		fmt.Println(session.ID == scskit.HashToken(token), time.Until(session.Expiry).Round(time.Minute))
	}
	// Output: true 15m0s
}
