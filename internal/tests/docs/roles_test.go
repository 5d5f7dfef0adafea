package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// docs/security.md contains this code.

func newRoles() (*scskit.Store, error) {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		UserKey: "user",
		Merge:   map[string]scskit.MergeFunc{"admin": scskit.MergeFirst},
	}})
	return store, err
}

func demote(ctx context.Context, store *scskit.Store, user string) error {
	_, err := store.UpdateSessionsOf(ctx, user, func(values map[string]any) error {
		delete(values, "admin")
		return nil
	})
	return err
}

func signInAgain(ctx context.Context, sessions *scs.SessionManager, user string) error {
	if err := scskit.SignIn(ctx, sessions, user, nil); err != nil {
		return err
	}
	return scskit.SetIdleTimeout(ctx, sessions, 0) // back to the manager's
}

// TestDemote takes a role away while a request puts it into the session.
func TestDemote(t *testing.T) {
	store, err := newRoles()
	if err != nil {
		t.Fatal(err)
	}
	sessions := scskit.New(store)
	session := sessiontest.SignIn(t, sessions, "ada", map[string]any{"admin": "some"})
	handler := func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "admin", "all")
		if err := demote(r.Context(), store, "ada"); err != nil {
			t.Error(err)
		}
	}
	scshttp.LoadAndSave(sessions)(http.HandlerFunc(handler)).
		ServeHTTP(httptest.NewRecorder(), session.Request(http.MethodPost, "/", nil))
	if admin := session.Get("admin"); admin != nil || session.Get("user") != "ada" {
		t.Errorf("after the role was taken away, the session holds %v", session.Values())
	}
}

// TestSignInAgain signs a user in who had a short idle timeout as an administrator.
func TestSignInAgain(t *testing.T) {
	store, err := newRoles()
	if err != nil {
		t.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.IdleTimeout = 12 * time.Hour
	session := sessiontest.New(t, sessions, nil)
	for _, tt := range []struct {
		signIn func(ctx context.Context) error
		want   time.Duration
	}{
		{func(ctx context.Context) error {
			return scskit.SignIn(ctx, sessions, "ada",
				&scskit.SignInOptions{IdleTimeout: 15 * time.Minute})
		}, 15 * time.Minute},
		{func(ctx context.Context) error { return scskit.SignIn(ctx, sessions, "ada", nil) },
			15 * time.Minute},
		{func(ctx context.Context) error { return signInAgain(ctx, sessions, "ada") }, 12 * time.Hour},
	} {
		handler := func(_ http.ResponseWriter, r *http.Request) {
			if err := tt.signIn(r.Context()); err != nil {
				t.Error(err)
			}
		}
		recorder := httptest.NewRecorder()
		scshttp.LoadAndSave(sessions)(http.HandlerFunc(handler)).
			ServeHTTP(recorder, session.Request(http.MethodPost, "/", nil))
		session.Receive(recorder.Result())
		for s, err := range store.SessionsOf(t.Context(), "ada") {
			if left := time.Until(s.Expiry).Round(5 * time.Minute); err != nil || left != tt.want {
				t.Errorf("the session ends in %v, want %v; %v", left, tt.want, err)
			}
		}
	}
}
