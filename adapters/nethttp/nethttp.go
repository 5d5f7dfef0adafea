// Package scshttp provides scs session middleware for net/http.
package scshttp

import (
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it before the
// response begins. Handlers pass the request's context to the manager. If the session cannot be
// loaded or stored, adapters.Lifecycle.HandleError writes the response, with the manager's
// ErrorFunc if you set one.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := l.BeginHTTP(r)
			if err != nil {
				l.HandleError(w, r, err)
				return
			}
			if req.Idle() {
				next.ServeHTTP(w, r)
				return
			}
			sw := adapters.NewWriter(w, req)
			inner := r.WithContext(req.Context())
			defer adapters.GiveBack(r, inner)
			sw.Serve(func() { next.ServeHTTP(sw.Handler(), inner) })
			if err := sw.Finish(); err != nil {
				l.HandleError(w, r, err)
			}
		})
	}
}
