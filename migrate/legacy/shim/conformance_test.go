package shim_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

// TestConformance runs the checks of an adapter with a session of the shim in each request. The
// session is loaded before the handler and saved after it, and must not change what the handler and
// other requests do with the manager.
func TestConformance(t *testing.T) {
	t.Parallel()
	a := conformance.HTTP("shim", around)
	a.Exempt = map[string]string{
		"adapter/lazy-untouched": "the middleware of this test calls Get in each request, which loads " +
			"the session",
	}
	report := conformance.RunAdapter(t.Context(), a)
	for _, r := range report.Results {
		if r.Outcome == conformance.Failed {
			t.Errorf("%s: %s", r.Check, r.Reason)
		}
	}
	if n := report.Count(conformance.Passed); n < 100 {
		t.Errorf("only %d checks have passed", n)
	}
}

// stores counts the stores, since gorilla has one session of a name in a request.
var stores atomic.Int64

func around(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	load := scshttp.LoadAndSave(sm, opts...)
	name := fmt.Sprintf("session%d", stores.Add(1))
	store := shim.New(shim.Managers{name: sm}, nil)
	return func(next http.Handler) http.Handler {
		return load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, err := store.Get(r, name)
			next.ServeHTTP(w, r)
			if err != nil {
				return // of a manager that a check made wrong
			}
			if err := session.Save(r, w); err != nil {
				panic(err)
			}
		}))
	}
}
