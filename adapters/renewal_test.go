package adapters_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// TestRenewEveryWithoutResponse tests that a session keeps its token if the client would not get
// the new one.
func TestRenewEveryWithoutResponse(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	hijacked := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/put", func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "user", "ada")
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
		defer close(hijacked)
		_ = sm.GetString(r.Context(), "user")
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	h := scshttp.LoadAndSave(sm, adapters.RenewEvery(time.Nanosecond))(mux)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	res, err := http.Get(server.URL + "/put")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	cookie := res.Cookies()[0]
	request := func(ctx context.Context, path string) *http.Request {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		r.AddCookie(cookie)
		return r
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(gone, "/user"))
	if lines := w.Header().Values("Set-Cookie"); len(lines) > 0 {
		t.Error("a request whose client has gone renews the session")
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/hijack", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(cookie)
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
	}
	<-hijacked
	if _, found, err := store.Find(cookie.Value); !found || err != nil {
		t.Errorf("a hijacked request renews the session: %v, %v", found, err)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, request(t.Context(), "/user"))
	if w.Body.String() != "ada" || len(w.Header().Values("Set-Cookie")) != 1 {
		t.Errorf("a plain request: body %q, %d cookies, want ada and one", w.Body,
			len(w.Header().Values("Set-Cookie")))
	}
}

// TestNestedOptions tests that an inner LoadAndSave must not have options that the outer one lacks.
func TestNestedOptions(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	lock := adapters.Lock(scskit.LockOptions{})
	bearer := adapters.Tokens(adapters.InBearer(""))
	limit := adapters.Limit(adapters.Limits{Load: func(context.Context) error { return nil }})
	for name, tt := range map[string]struct {
		outer, inner []adapters.Option
		option       string // that the error names, or "" for none
	}{
		"none":    {[]adapters.Option{lock}, nil, ""},
		"same":    {[]adapters.Option{lock, bearer, limit}, []adapters.Option{limit, lock, bearer}, ""},
		"lock":    {nil, []adapters.Option{lock}, "Lock"},
		"tokens":  {[]adapters.Option{lock}, []adapters.Option{bearer}, "Tokens"},
		"limit":   {nil, []adapters.Option{limit}, "Limit"},
		"timeout": {nil, []adapters.Option{adapters.CommitTimeout(time.Second)}, "CommitTimeout"},
	} {
		outer, err := adapters.NewLifecycle(sm, tt.outer...).
			Begin(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		tt.inner = append(tt.inner, adapters.Logger(nil))
		_, err = adapters.NewLifecycle(sm, tt.inner...).
			Begin(outer.Context(), http.MethodGet, "/", nil)
		if (err == nil) != (tt.option == "") ||
			err != nil && !strings.Contains(err.Error(), "the option "+tt.option+",") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
