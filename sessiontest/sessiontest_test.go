package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/memstore"
)

// managers are of a store that keeps records and of one that keeps none, with each kind of cookie.
func managers(t *testing.T) map[string]*scs.SessionManager {
	t.Helper()
	memory, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := cookiestore.New([][]byte{[]byte("a key for tests, of 32 bytes, yes")[:32]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	host := scskit.New(memory)
	host.Cookie.Name, host.Cookie.Secure = "__Host-session", true
	below := scskit.New(memory)
	below.Cookie.Path, below.Cookie.Domain = "/app", "shop.example.org"
	return map[string]*scs.SessionManager{
		"memory": scskit.New(memory), "cookie": scskit.New(cookie), "__Host-": host, "path": below,
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
			s, other := sessiontest.New(t, sm, map[string]any{"user": "ada", "count": 3}),
				sessiontest.New(t, sm, nil)
			if values := other.Values(); len(values) != 0 {
				t.Errorf("a visitor has %v", values)
			}
			visit(s, "/app/add")
			visit(s, "/app/renew")
			visit(s, "/app/add")
			visit(other, "/app/add")
			if s.Get("user") != "ada" || s.Get("count") != 5 || other.Get("count") != 1 ||
				other.Get("user") != nil {
				t.Errorf("the sessions hold %v and %v", s.Values(), other.Values())
			}
			visit(s, "/app/end")
			if values := s.Values(); len(values) != 0 {
				t.Errorf("after Destroy: %v", values)
			}
			if other.Get("count") != 1 {
				t.Error("the other session has ended, too")
			}
		})
	}
}
