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

// TestEarlierDeadline tests a request whose own deadline has passed while http.TimeoutHandler still
// waits for it: the session is stored.
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
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	http.TimeoutHandler(bounded, time.Hour, "").ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || len(recorder.Result().Cookies()) != 1 {
		t.Errorf("status %d, cookies %v", recorder.Code, recorder.Result().Cookies())
	}
}
