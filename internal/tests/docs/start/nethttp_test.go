package start_test

import (
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

func onHTTP(store *scskit.Store, sessions *scs.SessionManager) visit {
	mux := http.NewServeMux()
	handler := scshttp.LoadAndSave(sessions)(mux)

	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, r.FormValue("name"), nil); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		sessions.Put(ctx, "flash", "Welcome!")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})

	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		flash := sessions.PopString(ctx, "flash") // shown once
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s Hello %s\n", flash, sessions.GetString(ctx, "user"))
	})

	signedIn := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !sessions.Exists(r.Context(), "user") {
				http.Error(w, "sign in first", http.StatusUnauthorized)
				return
			}
			next(w, r)
		}
	}

	mux.HandleFunc("POST /sign-out", signedIn(func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), sessions); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}))

	mux.HandleFunc("POST /sign-out-everywhere", signedIn(func(w http.ResponseWriter, r *http.Request) {
		if err := signOutEverywhere(r.Context(), store, sessions); err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}))

	return onHandler(handler)
}
