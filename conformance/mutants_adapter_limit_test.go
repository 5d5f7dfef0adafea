package conformance

import (
	"context"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

func adapterLimitMutants() []mutant {
	unlimited := func(l adapters.Limits) Middleware {
		return func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
			return plain(sm, append(opts, adapters.Limit(l))...)
		}
	}
	all := []mutant{
		adapterMutant("limits-no-load", "limit/load",
			"Limits.Load is not called", unlimited(adapters.Limits{})),
		adapterMutant("tells-no-unknown", "limit/unknown",
			"unknown tokens are not reported",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				deaf := adapters.Observe(func(context.Context, scskit.Event) {})
				return plain(sm, append(opts, deaf)...)
			}),
		adapterMutant("always-500", "limit/status",
			"every failure has the status 500",
			func(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
				sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return plain(sm, opts...)
			}),
		adapterMutant("limits-no-creation", "limit/create",
			"Limits.Create is not called", unlimited(adapters.Limits{})),
	}
	for i := range all {
		all[i].group = "limit/"
	}
	return all
}
