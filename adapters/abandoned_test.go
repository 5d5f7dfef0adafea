package adapters_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// TestEarlierDeadline: the request's own deadline is over, and http.TimeoutHandler still waits.
func TestEarlierDeadline(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	handler := scshttp.LoadAndSave(sm)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", "v")
		<-r.Context().Done()
	}))
	bounded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Millisecond)
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
	recorder := httptest.NewRecorder()
	http.TimeoutHandler(bounded, time.Hour, "").ServeHTTP(recorder,
		httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusOK || len(recorder.Result().Cookies()) != 1 {
		t.Errorf("status %d, cookies %v", recorder.Code, recorder.Result().Cookies())
	}
}
