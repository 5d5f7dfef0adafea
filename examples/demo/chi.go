package main

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	scschi "github.com/scskit/scskit/adapters/chi"
)

// mountChi serves the routes on Chi.
func mountChi(a *app, name string) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Use(scschi.LoadAndSave(a.sessions))
	r.Route("/chi", func(r chi.Router) {
		r.Get("/session", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(a.view(r.Context())) // fails if the client has disconnected
		})
		for path, action := range a.actions() {
			r.Post("/"+path, func(w http.ResponseWriter, r *http.Request) {
				err := action(r.Context(), change{
					By:    name,
					Key:   r.PostFormValue("key"),
					Value: r.PostFormValue("value"),
					Gate:  r.PostFormValue("gate"),
				})
				if err != nil {
					code, text := status(err)
					http.Error(w, text, code)
					return
				}
				http.Redirect(w, r, back(r.Header.Get(requestIDHeader)), http.StatusSeeOther)
			})
		}
	})
	return r
}
