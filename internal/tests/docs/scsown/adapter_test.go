// Package scsown_test is the net/http adapter that docs/new-adapter.md shows. The test runs each
// check.
package scsown_test

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	l := adapters.NewLifecycle(sm, opts...) // panics if the manager is unusable: let it
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := l.BeginHTTP(r)
			if err != nil {
				l.HandleError(w, r, err) // the handler must not run
				return
			}
			inner := r.WithContext(req.Context())
			defer adapters.GiveBack(r, inner)
			sw := adapters.NewWriter(w, req)
			sw.Serve(func() { next.ServeHTTP(sw.Handler(), inner) }) // a panic stores nothing
			if err := sw.Finish(); err != nil {
				l.HandleError(w, r, err)
			}
		})
	}
}

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, conformance.HTTP("own", LoadAndSave))
}
