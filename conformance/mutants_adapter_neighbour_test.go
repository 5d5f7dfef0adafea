package conformance

import (
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

// besideMutant is an adapterMutant whose harness has neighbours. It runs only the neighbour checks.
func besideMutant(name, check, defect string, m Middleware, kinds ...Neighbour) mutant {
	mut := adapterMutant(name, check, defect, m)
	mut.adapter.Neighbours = kinds
	mut.group = "neighbour/"
	return mut
}

func adapterNeighbourMutants() []mutant {
	all := Kinds(httpNeighbours, Forward, Proxy)
	return []mutant{
		besideMutant("beside-correct", "", "", plain, all...),
		besideMutant("beside-stock", "neighbour/compress",
			"it is scs's own LoadAndSave",
			func(sm *scs.SessionManager, _ ...adapters.Option) func(http.Handler) http.Handler {
				return sm.LoadAndSave
			}, all...),
		besideMutant("stores-for-nobody", "neighbour/abandon",
			"it wraps a writer that hides whether the request was answered", hidesWriter, Abandon),
		besideMutant("keeps-headers", "neighbour/secure",
			"the error page has the headers of the page that it replaces", keepsHeaders, all...),
	}
}

// hidesWriter hides the optional interfaces of the writer from the adapter.
func hidesWriter(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	return life(func(_ *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
		r *http.Request, next http.Handler) {
		sw := adapters.NewWriter(struct{ http.ResponseWriter }{w}, req)
		defer sw.Disarm()
		next.ServeHTTP(sw.Handler(), r)
		_ = sw.Finish()
	})(sm, opts...)
}

// keepsHeaders sends the headers of a page with the error page that replaces it.
func keepsHeaders(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	answer := sm.ErrorFunc
	return life(func(l *adapters.Lifecycle, req *adapters.Request, w http.ResponseWriter,
		r *http.Request, next http.Handler) {
		sw := adapters.NewWriter(w, req)
		defer sw.Disarm()
		next.ServeHTTP(sw.Handler(), r)
		headers := w.Header().Clone()
		if err := sw.Finish(); err != nil {
			for name, lines := range headers {
				w.Header()[name] = lines
			}
			answer(w, r, err)
		}
	})(sm, opts...)
}
