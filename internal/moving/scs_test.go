package moving

import (
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy"
)

func scsBefore(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		sessions.Put(r.Context(), "user", r.FormValue("user"))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.GetString(r.Context(), "user"))
	})
	values(mux, func(_ http.ResponseWriter, r *http.Request) access {
		return scsSession{sessions, r.Context()}
	})
	return sessions.LoadAndSave(mux)
}

func scsAfter(store scs.Store, backend *scskit.Store, o adapters.AdoptOptions) http.Handler {
	old := scs.New()
	old.Store = store
	sessions := scskit.New(backend)
	sessions.Cookie.Name = "id"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignIn(r.Context(), sessions, r.FormValue("user"), nil); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.GetString(r.Context(), "user"))
	})
	values(mux, func(_ http.ResponseWriter, r *http.Request) access {
		return scsSession{sessions, r.Context()}
	})
	return scshttp.LoadAndSave(sessions, adapters.Adopt(legacy.SCS(old), o))(mux)
}

// scsHashedBefore and scsHashedAfter have other settings of the old manager.
func scsHashedBefore(store scs.Store) http.Handler {
	sessions := hashed(store)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "user", r.FormValue("user"))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.GetString(r.Context(), "user"))
	})
	values(mux, func(_ http.ResponseWriter, r *http.Request) access {
		return scsSession{sessions, r.Context()}
	})
	return sessions.LoadAndSave(mux)
}

func scsHashedAfter(store scs.Store, backend *scskit.Store, o adapters.AdoptOptions) http.Handler {
	return manager(backend, adapters.Adopt(legacy.SCS(hashed(store)), o))
}

func hashed(store scs.Store) *scs.SessionManager {
	sm := scs.New()
	sm.Store, sm.HashTokenInStore, sm.Cookie.Name = store, true, "sid"
	return sm
}
