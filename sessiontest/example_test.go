package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// application returns the application's handlers behind the middleware.
func application(sessions *scs.SessionManager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	return scshttp.LoadAndSave(sessions)(mux)
}

func newSessions(t *testing.T) *scs.SessionManager {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return scskit.New(store)
}

func TestSignOut(t *testing.T) {
	sessions := newSessions(t)
	session := sessiontest.New(t, sessions, map[string]any{"user": "ada"})
	recorder := httptest.NewRecorder()
	application(sessions).ServeHTTP(recorder, session.Request(http.MethodPost, "/sign-out", nil))
	session.Receive(recorder.Result())
	if user := session.Get("user"); user != nil {
		t.Errorf("%v is still signed in", user)
	}
}
