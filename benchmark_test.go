package scskit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// BenchmarkRequest measures whole requests: the handler alone, with stock scs, and with scskit. The
// session has three keys.
func BenchmarkRequest(b *testing.B) {
	stock := scs.New()
	stock.Store = scsmem.NewWithCleanupInterval(0)
	store, err := memstore.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	kit := scskit.New(store)
	type stack struct {
		name string
		sm   *scs.SessionManager
		wrap func(http.Handler) http.Handler
	}
	bare := stack{"bare", nil, func(h http.Handler) http.Handler { return h }}
	stockStack := stack{"scs", stock, stock.LoadAndSave}
	kitStack := stack{"scskit", kit, scshttp.LoadAndSave(kit)}
	lazyStack := stack{"scskit", kit, scshttp.LoadAndSave(kit, adapters.Lazy())}

	ops := []struct {
		name    string
		stacks  []stack
		handler func(sm *scs.SessionManager) http.HandlerFunc
	}{
		{"read", []stack{stockStack, kitStack}, func(sm *scs.SessionManager) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if sm.GetString(r.Context(), "user") == "" {
					b.Error("no session")
				}
				w.WriteHeader(http.StatusOK)
			}
		}},
		{"write", []stack{stockStack, kitStack}, func(sm *scs.SessionManager) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
				w.WriteHeader(http.StatusOK)
			}
		}},
		{"untouched", []stack{bare, stockStack, kitStack}, func(*scs.SessionManager) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
		}},
		{"lazy-untouched", []stack{bare, lazyStack}, func(*scs.SessionManager) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
		}},
	}
	for _, op := range ops {
		for _, st := range op.stacks {
			b.Run("op="+op.name+"/stack="+st.name, func(b *testing.B) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				if st.sm != nil {
					r.Header.Set("Cookie", "theme=dark; "+st.sm.Cookie.Name+"="+newSession(b, st.sm))
				}
				h := st.wrap(op.handler(st.sm))
				w := &sink{header: http.Header{}}
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					clear(w.header)
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}

// newSession stores a session with three keys and returns its token.
func newSession(tb testing.TB, sm *scs.SessionManager) string {
	tb.Helper()
	ctx, err := sm.Load(context.Background(), "")
	if err != nil {
		tb.Fatal(err)
	}
	sm.Put(ctx, "user", "8f14e45f-ceea-467f-9575-6d2b5f2e0a11")
	sm.Put(ctx, "visits", 41)
	sm.Put(ctx, "theme", "dark")
	token, expiry, err := sm.Commit(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	if time.Until(expiry) <= 0 {
		tb.Fatal("session is expired")
	}
	return token
}

// sink is a ResponseWriter that discards the response.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}
