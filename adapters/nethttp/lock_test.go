package scshttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// An Update after the response has begun is stored and seen, and is no late change. The lock of the
// request is free by then.
func TestUpdateAfterFlush(t *testing.T) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	late := 0
	count := func(ctx context.Context) error { //nolint:unparam // the signature of Update
		sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
		return nil
	}
	h := scshttp.LoadAndSave(sm, adapters.Strict(), adapters.Lock(scskit.LockOptions{MaxWait: -1}),
		adapters.Observe(func(_ context.Context, e scskit.Event) {
			if e.Kind == scskit.KindLate {
				late++
			}
		}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.Update(r.Context(), sm, count); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		lock, err := store.Lock(t.Context(), sm.Token(r.Context()),
			scskit.LockOptions{Lease: time.Minute, MaxWait: -1})
		if err != nil {
			t.Error(err)
		}
		lock.Release(t.Context())
		if err := scskit.Update(r.Context(), sm, count); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, sm.GetInt(r.Context(), "n"))
	}))
	var cookie *http.Cookie
	for _, want := range []string{"2", "4"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Body.String(); got != want || late != 0 {
			t.Errorf("got %s with %d late changes, want %s and none", got, late, want)
		}
		if cookies := w.Result().Cookies(); len(cookies) > 0 {
			cookie = cookies[0]
		}
	}
}

func TestLockOptionChecks(t *testing.T) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a negative lease is accepted")
		}
	}()
	scshttp.LoadAndSave(scskit.New(store), adapters.Lock(scskit.LockOptions{Lease: -1}))
}
