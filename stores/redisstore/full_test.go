package redisstore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/internal/testenv"
)

// With noeviction, a Redis whose memory is full refuses writes. A request that changes its session
// then fails. A request that only reads succeeds: Redis refuses its touch, which is an event, and
// the session keeps its expiry.
func TestFullServer(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	client := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = client.Close() })
	var refused atomic.Int64
	store, err := New(client, &Options{Options: scskit.Options{
		TouchInterval: -1,
		Observer: func(_ context.Context, e scskit.Event) {
			if e.Kind == scskit.KindTouch && e.Outcome == scskit.OutcomeFailed {
				refused.Add(1)
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.IdleTimeout = time.Hour
	var cookie *http.Cookie
	request := func(handler http.HandlerFunc) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		scshttp.LoadAndSave(sm)(handler).ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookie = c
		}
		return w.Code
	}
	write := func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "at", time.Now().String())
	}
	read := func(w http.ResponseWriter, r *http.Request) {
		if sm.GetString(r.Context(), "at") == "" {
			w.WriteHeader(http.StatusTeapot)
		}
	}
	maxMemory := func(limit string) {
		t.Helper()
		if err := client.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if code := request(write); code != http.StatusOK || cookie == nil {
		t.Fatalf("first request: got status %d and cookie %v, want 200 and a cookie", code, cookie)
	}
	maxMemory("1")
	if code := request(write); code != http.StatusInternalServerError {
		t.Errorf("write with full memory: got status %d, want 500", code)
	}
	for end := time.Now().Add(5 * time.Minute); refused.Load() == 0; {
		if code := request(read); code != http.StatusOK {
			t.Fatalf("read with full memory: got status %d, want 200", code)
		}
		if time.Now().After(end) {
			t.Fatal("Redis refused no touch")
		}
	}
	if code := request(read); code != http.StatusOK || cookie.MaxAge < 0 {
		t.Errorf("second read: got status %d, cookie %v, want 200 and a valid cookie", code, cookie)
	}
	maxMemory("0")
	for _, handler := range []http.HandlerFunc{read, write, read} {
		if code := request(handler); code != http.StatusOK {
			t.Errorf("with free memory: got status %d, want 200", code)
		}
	}
}
