package moving

import (
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy"
)

func gorillaBefore(store sessions.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		session.Values["user"] = r.FormValue("user")
		if err := session.Save(r, w); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "app")
		user, _ := session.Values["user"].(string)
		fmt.Fprint(w, user)
	})
	values(mux, func(w http.ResponseWriter, r *http.Request) access {
		s, _ := store.Get(r, "app")
		return gorillaSession{s, func() error { return s.Save(r, w) }}
	})
	return mux
}

func gorillaAfter(
	store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions,
) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignIn(r.Context(), manager, r.FormValue("user"), nil); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		user := manager.GetString(r.Context(), "user")
		fmt.Fprint(w, user)
	})
	values(mux, func(_ http.ResponseWriter, r *http.Request) access {
		return scsSession{manager, r.Context()}
	})
	return scshttp.LoadAndSave(manager, adapters.Adopt(old, o))(mux)
}
