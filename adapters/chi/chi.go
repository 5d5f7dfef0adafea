// Package scschi keeps scs sessions in applications on chi.
package scschi

import (
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// LoadAndSave returns middleware for chi's Use and With. Chi's handlers and middleware are those of
// net/http, and so is this: see scshttp.LoadAndSave.
//
// With Use on the root router the not-found and method-not-allowed pages have a session as
// well. Inside a Group or Route they have none; adapters.HasSession tells.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	return scshttp.LoadAndSave(sm, opts...)
}
