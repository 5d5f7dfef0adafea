package scskit_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// TestStockMiddleware checks that scs's own LoadAndSave works with a Store, and that the log warns
// about it once.
func TestStockMiddleware(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })

	events := 0
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		Observer: func(_ context.Context, e scskit.Event) {
			if e.Kind == scskit.KindUntracked {
				events++
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	put := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", "v")
	})
	for range 3 {
		w := httptest.NewRecorder()
		sm.LoadAndSave(put).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if len(w.Result().Cookies()) != 1 {
			t.Error("scs's own middleware sets no cookie")
		}
	}
	if events != 3 {
		t.Errorf("got %d KindUntracked events, want 3", events)
	}
	scshttp.LoadAndSave(sm)(put).ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequest(http.MethodGet, "/", nil))
	if _, err := sm.Load(t.Context(), ""); err != nil || events != 3 {
		t.Errorf("%d events after an adapter's request, want 3; error %v", events, err)
	}
	if n := strings.Count(log.String(), "scshttp.LoadAndSave(sessions)"); n != 1 {
		t.Errorf("the log shows the fix %d times, want once:\n%s", n, log.String())
	}
}
