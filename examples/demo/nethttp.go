package main

import (
	"encoding/json"
	"net/http"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// mountNetHTTP serves the routes on net/http alone.
func mountNetHTTP(a *app, name string) http.Handler {
	return scshttp.LoadAndSave(a.sessions)(netHTTPRoutes(a, "/nethttp/", name))
}

// netHTTPRoutes returns the routes without session middleware. Stock scs uses them too.
func netHTTPRoutes(a *app, prefix, name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.view(r.Context())) // fails if the client has disconnected
	})
	for path, action := range a.actions() {
		mux.HandleFunc("POST "+prefix+path, func(w http.ResponseWriter, r *http.Request) {
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
	return mux
}
