// Package scschi provides scs session middleware for Chi.
package scschi

import (
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// LoadAndSave returns middleware for Chi's Use and With. Chi uses net/http's handlers and
// middleware, so it is the middleware of scshttp.LoadAndSave.
//
// With Use on the root router, the not-found and method-not-allowed handlers have a session too.
// With Use in a Group or Route they have none; adapters.HasSession reports which.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	return scshttp.LoadAndSave(sm, opts...)
}
