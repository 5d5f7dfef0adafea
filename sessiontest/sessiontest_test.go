package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/memstore"
)

// managers returns session managers for stores with and without records, and for several kinds of
// cookie.
func managers(t *testing.T) map[string]*scs.SessionManager {
	t.Helper()
	memory, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Parse(keyring.New())
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := cookiestore.New(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	host := scskit.New(memory)
	host.Cookie.Name, host.Cookie.Secure = "__Host-session", true
	path := scskit.New(memory)
	path.Cookie.Path, path.Cookie.Domain = "/app", "shop.example.org"
	return map[string]*scs.SessionManager{
		"memory":  scskit.New(memory),
		"cookie":  scskit.New(cookie),
		"__Host-": host,
		"path":    path,
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	for name, sm := range managers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("POST /app/add", func(_ http.ResponseWriter, r *http.Request) {
				sm.Put(r.Context(), "count", sm.GetInt(r.Context(), "count")+1)
			})
			mux.HandleFunc("POST /app/renew", func(_ http.ResponseWriter, r *http.Request) {
				if err := sm.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
			})
			mux.HandleFunc("POST /app/end", func(_ http.ResponseWriter, r *http.Request) {
				if err := sm.Destroy(r.Context()); err != nil {
					t.Error(err)
				}
			})
			handler := scshttp.LoadAndSave(sm)(mux)
			visit := func(s *sessiontest.Session, path string) {
				t.Helper()
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, s.Request(http.MethodPost, path, nil))
				if recorder.Code != http.StatusOK {
					t.Fatalf("%s: status %d", path, recorder.Code)
				}
				s.Receive(recorder.Result())
			}
			s := sessiontest.New(t, sm, map[string]any{"user": "ada", "count": 3})
			other := sessiontest.New(t, sm, nil)
			if values := other.Values(); len(values) != 0 {
				t.Errorf("a new session holds %v", values)
			}
			visit(s, "/app/add")
			visit(s, "/app/renew")
			visit(s, "/app/add")
			visit(other, "/app/add")
			if s.Get("user") != "ada" || s.Get("count") != 5 {
				t.Errorf("the session holds %v", s.Values())
			}
			if other.Get("user") != nil || other.Get("count") != 1 {
				t.Errorf("the other session holds %v", other.Values())
			}
			visit(s, "/app/end")
			if values := s.Values(); len(values) != 0 {
				t.Errorf("after Destroy the session holds %v", values)
			}
			if other.Get("count") != 1 {
				t.Error("Destroy has also ended the other session")
			}
		})
	}
}

// TestHostCookie tests a session whose cookie gets its name from an option of the middleware.
func TestHostCookie(t *testing.T) {
	t.Parallel()
	sm := managers(t)["memory"]
	s := sessiontest.New(t, sm, map[string]any{"user": "ada"}, adapters.HostCookie())
	recorder := httptest.NewRecorder()
	user := ""
	handler := func(_ http.ResponseWriter, r *http.Request) {
		user = sm.GetString(r.Context(), "user")
		sm.Put(r.Context(), "seen", true)
	}
	scshttp.LoadAndSave(sm, adapters.HostCookie())(http.HandlerFunc(handler)).
		ServeHTTP(recorder, s.Request(http.MethodGet, "/", nil))
	s.Receive(recorder.Result())
	if seen := s.Get("seen"); user != "ada" || seen != true {
		t.Errorf("user %q, seen %v", user, seen)
	}
}
