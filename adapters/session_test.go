package adapters_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// trip makes one request to handler, with a session cookie unless token is empty.
func trip(
	sm *scs.SessionManager, token string, handler http.HandlerFunc, opts ...adapters.Option,
) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: sm.Cookie.Name, Value: token})
	}
	w := httptest.NewRecorder()
	scshttp.LoadAndSave(sm, opts...)(handler).ServeHTTP(w, r)
	return w.Result()
}

func newManager(t *testing.T, opts *memstore.Options) *scs.SessionManager {
	t.Helper()
	store, err := memstore.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return scskit.New(store)
}

// begin stores a session with the given values and returns its token.
func begin(t *testing.T, sm *scs.SessionManager, values map[string]any) string {
	t.Helper()
	resp := trip(sm, "", func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "", nil)
		sm.Remove(r.Context(), "")
		for k, v := range values {
			sm.Put(r.Context(), k, v)
		}
	})
	if len(resp.Cookies()) != 1 {
		t.Fatalf("cookies %v", resp.Cookies())
	}
	return resp.Cookies()[0].Value
}

// values returns the keys of the stored session, or the error.
func values(sm *scs.SessionManager, token string) string {
	ctx, err := sm.Load(context.Background(), token)
	if err != nil {
		return err.Error()
	}
	return strings.Join(sm.Keys(ctx), " ")
}

// TestLookingAgain tests handlers that read the record again. What other requests have stored
// between the two reads must not be removed by this request's commit.
func TestLookingAgain(t *testing.T) {
	for name, look := range map[string]func(context.Context, *scs.SessionManager) error{
		"merge with itself": func(ctx context.Context, sm *scs.SessionManager) error {
			return sm.MergeSession(ctx, sm.Token(ctx))
		},
		"iterate": func(ctx context.Context, sm *scs.SessionManager) error {
			return sm.Iterate(ctx, func(context.Context) error { return nil })
		},
	} {
		for _, plain := range []bool{false, true} {
			sm := newManager(t, &memstore.Options{Options: scskit.Options{PlainIDs: plain}})
			token := begin(t, sm, map[string]any{"a": 1})
			trip(sm, token, func(_ http.ResponseWriter, r *http.Request) {
				ctx := r.Context()
				trip(sm, token, func(_ http.ResponseWriter, r *http.Request) { sm.Put(r.Context(), "b", 2) })
				if err := look(ctx, sm); err != nil {
					t.Error(err)
				}
				sm.Put(ctx, "c", 3)
			})
			if got := values(sm, token); got != "a b c" {
				t.Errorf("%s, plain ids %v: the session holds %q, want a b c", name, plain, got)
			}
		}
	}
}

// TestAfterLosing deletes the session while a request uses it. The request then renews it, or
// destroys it and begins a new one.
func TestAfterLosing(t *testing.T) {
	for name, tt := range map[string]struct {
		before map[string]any
		do     func(ctx context.Context, sm *scs.SessionManager)
		stored bool
	}{
		"renewed, every value changed": {map[string]any{"n": 1},
			func(ctx context.Context, sm *scs.SessionManager) {
				_ = sm.RenewToken(ctx)
				sm.Put(ctx, "n", 2)
			}, false},
		"begun anew with a value of before": {map[string]any{"lang": "en"},
			func(ctx context.Context, sm *scs.SessionManager) {
				_ = sm.Destroy(ctx)
				sm.Put(ctx, "lang", "en")
			}, true},
		"begun anew and renewed with a value of before": {map[string]any{"user": "bob"},
			func(ctx context.Context, sm *scs.SessionManager) {
				_ = sm.Destroy(ctx)
				_ = sm.RenewToken(ctx)
				sm.Put(ctx, "user", "bob")
			}, true},
		"begun anew after an empty one": {nil, func(ctx context.Context, sm *scs.SessionManager) {
			_ = sm.Destroy(ctx)
			sm.Put(ctx, "flash", "signed out")
		}, true},
	} {
		sm := newManager(t, nil)
		token := begin(t, sm, tt.before)
		resp := trip(sm, token, func(_ http.ResponseWriter, r *http.Request) {
			_ = sm.GetString(r.Context(), "x")
			if err := sm.Store.Delete(token); err != nil {
				t.Error(err)
			}
			tt.do(r.Context(), sm)
		})
		cookies := resp.Cookies()
		stored := len(cookies) == 1 && cookies[0].MaxAge > 0
		if stored != tt.stored || len(cookies) > 1 {
			t.Errorf("%s: cookies %v, want the cookie of a stored session: %v", name, cookies, tt.stored)
		}
		if ok := resp.StatusCode == http.StatusOK; ok != tt.stored {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
}

// TestStockOutside tests that the middleware leaves the commit to scs's own middleware if that has
// loaded the session.
func TestStockOutside(t *testing.T) {
	sm := newManager(t, nil)
	w := httptest.NewRecorder()
	inner := scshttp.LoadAndSave(sm)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "a", 1)
	}))
	sm.LoadAndSave(inner).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if n := len(w.Result().Cookies()); n != 1 {
		t.Errorf("%d session cookies, want 1", n)
	}
}

// TestCallbacksAndTheSession tests that an Observer and an OnError may use the session. scs holds
// its lock during an event, but the call must not block or panic.
func TestCallbacksAndTheSession(t *testing.T) {
	var sm *scs.SessionManager
	events := 0
	observer := func(ctx context.Context, _ scskit.Event) {
		events++
		sm.GetString(ctx, "user")
	}
	options := scskit.Options{MaxSize: 100, Observer: observer}
	store, err := memstore.New(&memstore.Options{Options: options})
	if err != nil {
		t.Fatal(err)
	}
	sm = scskit.New(store)
	handler := func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "user", strings.Repeat("x", 200))
	}
	onError := adapters.OnError(func(ctx context.Context, err error) error {
		_ = sm.GetString(ctx, "user")
		return err
	})
	done := make(chan *http.Response, 1)
	go func() { done <- trip(sm, "", handler, onError) }()
	select {
	case resp := <-done:
		if resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) != 0 {
			t.Errorf("status %d, cookies %v", resp.StatusCode, resp.Cookies())
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the request hangs")
	}
	if events == 0 {
		t.Error("no event for a session that is too large")
	}
}

// TestManyCookies tests that the cookie is not removed if the live session may be behind more
// cookies than the middleware tries.
func TestManyCookies(t *testing.T) {
	sm := newManager(t, nil)
	token := begin(t, sm, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "session=1; session=2; session=3; session=4; session="+token)
	w := httptest.NewRecorder()
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	scshttp.LoadAndSave(sm)(handler).ServeHTTP(w, r)
	if c := w.Result().Cookies(); len(c) != 0 {
		t.Errorf("cookies %v", c)
	}
}

// TestLazyAfterTheResponse reads a session with an idle timeout after the response has begun. scs
// counts that as a change, but it must not be reported as late.
func TestLazyAfterTheResponse(t *testing.T) {
	sm := newManager(t, nil)
	sm.IdleTimeout = time.Hour
	token := begin(t, sm, map[string]any{"user": "ada"})
	trip(sm, token, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		if got := sm.GetString(r.Context(), "user"); got != "ada" {
			t.Errorf("user %q", got)
		}
	}, adapters.Lazy(), adapters.Strict())
}

// TestLazyFailureAfterTheResponse tests that OnError gets a load error after the response has
// begun.
func TestLazyFailureAfterTheResponse(t *testing.T) {
	sm := scskit.New(brokenStore{})
	var reported []error
	resp := trip(sm, "token", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = sm.GetString(r.Context(), "user")
	}, adapters.Lazy(), adapters.OnError(func(_ context.Context, err error) error {
		reported = append(reported, err)
		return nil
	}))
	if resp.StatusCode != http.StatusOK || len(reported) != 1 ||
		!errors.Is(reported[0], errBroken) {
		t.Errorf("status %d, errors %v", resp.StatusCode, reported)
	}
}

var errBroken = errors.New("broken")

type brokenStore struct{ scs.Store }

func (brokenStore) Find(string) ([]byte, bool, error) { return nil, false, errBroken }
