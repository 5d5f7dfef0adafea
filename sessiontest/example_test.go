package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// application returns the application's handlers behind the middleware.
func application(store *scskit.Store, sessions *scs.SessionManager,
	opts ...adapters.Option) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "user", r.PostFormValue("name"))
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /sign-out-everywhere", func(w http.ResponseWriter, r *http.Request) {
		user := sessions.GetString(r.Context(), "user")
		if _, err := store.DestroySessionsOf(r.Context(), user); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	return scshttp.LoadAndSave(sessions, opts...)(mux)
}

func newSessions(t *testing.T) (*scskit.Store, *scs.SessionManager) {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	return store, scskit.New(store)
}

func TestSignOut(t *testing.T) {
	store, sessions := newSessions(t)
	app := application(store, sessions, adapters.Strict())

	session := sessiontest.New(t, sessions, map[string]any{"user": "ada"})
	recorder := httptest.NewRecorder()
	app.ServeHTTP(recorder, session.Request(http.MethodPost, "/sign-out", nil))
	session.Receive(recorder.Result())
	if user := session.Get("user"); user != nil {
		t.Errorf("%v is still signed in", user)
	}
}

func TestSignIn(t *testing.T) {
	store, sessions := newSessions(t)
	app := application(store, sessions)

	session := sessiontest.New(t, sessions, nil) // a visitor who is not signed in
	form := url.Values{"name": {"ada"}}
	r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	session.Send(r)
	recorder := httptest.NewRecorder()
	app.ServeHTTP(recorder, r)
	session.Receive(recorder.Result())
	if user := session.Get("user"); user != "ada" {
		t.Errorf("signed in is %v, want ada", user)
	}
}
