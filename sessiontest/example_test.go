package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

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
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		err := scskit.SignIn(r.Context(), sessions, r.PostFormValue("name"), nil)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), sessions); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.RequireFresh(r.Context(), sessions, time.Minute); err != nil {
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
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

	session := sessiontest.SignIn(t, sessions, "ada", nil)
	recorder := httptest.NewRecorder()
	app.ServeHTTP(recorder, session.Request(http.MethodPost, "/sign-out", nil))
	session.Receive(recorder.Result())
	if user := session.Get("user"); user != nil {
		t.Errorf("%v is still signed in", user)
	}
}

func TestFresh(t *testing.T) {
	store, sessions := newSessions(t)
	app := application(store, sessions)
	fresh := sessiontest.SignIn(t, sessions, "ada", map[string]any{"theme": "dark"})
	stale := sessiontest.New(t, sessions, map[string]any{"user": "ada", "theme": "dark"})
	for session, want := range map[*sessiontest.Session]int{
		fresh: http.StatusOK,
		stale: http.StatusSeeOther, // to the sign-in
	} {
		recorder := httptest.NewRecorder()
		app.ServeHTTP(recorder, session.Request(http.MethodPost, "/password", nil))
		if recorder.Code != want {
			t.Errorf("%v: status %d, want %d", session.Values(), recorder.Code, want)
		}
	}
}

func TestBearer(t *testing.T) {
	store, sessions := newSessions(t)
	app := application(store, sessions, adapters.Tokens(adapters.InBearer("")))

	session := sessiontest.SignIn(t, sessions, "ada", nil).InBearer("")
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
