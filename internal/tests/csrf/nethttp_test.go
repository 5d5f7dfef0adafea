package csrf_test

import (
	"crypto/rand"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/csrf"

	scschi "github.com/scskit/scskit/adapters/chi"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

var onHTTP = []protection{
	{name: "nethttp/CrossOriginProtection", orders: both, app: httpCrossOrigin, noOrigin: true},
	{name: "nethttp/gorilla", orders: both, app: httpGorilla, cookie: "__Host-csrf", needsPage: true},
	{name: "chi/CrossOriginProtection", orders: both, app: chiCrossOrigin, noOrigin: true},
	{name: "chi/gorilla", orders: both, app: chiGorilla, cookie: "__Host-csrf", needsPage: true},
}

// newKey returns a key as an application would read it from its configuration.
func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

func httpCrossOrigin(sessions *scs.SessionManager, o order) serve {
	mux := routes(sessions, noToken)
	if o == inside {
		return handler(scshttp.LoadAndSave(sessions)(http.NewCrossOriginProtection().Handler(mux)))
	}
	protection := http.NewCrossOriginProtection()
	app := protection.Handler(scshttp.LoadAndSave(sessions)(mux))
	return handler(app)
}

func httpGorilla(sessions *scs.SessionManager, o order) serve {
	mux, key := routes(sessions, csrf.Token), newKey()
	protect := csrf.Protect(key, csrf.CookieName("__Host-csrf"), csrf.Path("/"))
	if o == inside {
		return handler(scshttp.LoadAndSave(sessions)(protect(mux)))
	}
	app := protect(scshttp.LoadAndSave(sessions)(mux))
	return handler(app)
}

func chiCrossOrigin(sessions *scs.SessionManager, o order) serve {
	r := chi.NewRouter()
	if o == inside {
		r.Use(scschi.LoadAndSave(sessions), http.NewCrossOriginProtection().Handler)
	} else {
		r.Use(http.NewCrossOriginProtection().Handler, scschi.LoadAndSave(sessions))
	}
	r.Mount("/", routes(sessions, noToken))
	return handler(r)
}

func chiGorilla(sessions *scs.SessionManager, o order) serve {
	protect := csrf.Protect(newKey(), csrf.CookieName("__Host-csrf"), csrf.Path("/"))
	r := chi.NewRouter()
	if o == inside {
		r.Use(scschi.LoadAndSave(sessions), protect)
	} else {
		r.Use(protect, scschi.LoadAndSave(sessions))
	}
	r.Mount("/", routes(sessions, csrf.Token))
	return handler(r)
}
