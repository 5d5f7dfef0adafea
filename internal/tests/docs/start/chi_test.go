package start_test

import (
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/scskit/scskit"
	scschi "github.com/scskit/scskit/adapters/chi"
)

func onChi(store *scskit.Store, sessions *scs.SessionManager) visit {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, scschi.LoadAndSave(sessions))

	r.Post("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, r.FormValue("name"), nil); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		sessions.Put(ctx, "flash", "Welcome!")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})

	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		flash := sessions.PopString(ctx, "flash") // shown once
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s Hello %s\n", flash, sessions.GetString(ctx, "user"))
	})

	signedIn := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !sessions.Exists(r.Context(), "user") {
				http.Error(w, "sign in first", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}

	r.With(signedIn).Post("/sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), sessions); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})

	everywhere := func(w http.ResponseWriter, r *http.Request) {
		if err := signOutEverywhere(r.Context(), store, sessions); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	r.With(signedIn).Post("/sign-out-everywhere", everywhere)

	return onHandler(r)
}
