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

// trip serves one request by handler, with a session cookie unless token is empty.
func trip(sm *scs.SessionManager, token string, handler http.HandlerFunc,
	opts ...adapters.Option) *http.Response {
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

// begin stores a session with the values given and returns its token.
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

func values(sm *scs.SessionManager, token string) string {
	ctx, err := sm.Load(context.Background(), token)
	if err != nil {
		return err.Error()
	}
	return strings.Join(sm.Keys(ctx), " ")
}

// TestLookingAgain: scs lets a handler read a record a second time. What others stored
// between the two must not count as known to this request.
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

// TestAfterLosing has another request sign out while this one holds the session, and then
// renews it or destroys it and begins anew.
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
		if stored := len(cookies) == 1 && cookies[0].MaxAge > 0; stored != tt.stored || len(cookies) > 1 {
			t.Errorf("%s: cookies %v, want one of a stored session: %v", name, cookies, tt.stored)
		}
		if ok := resp.StatusCode == http.StatusOK; ok != tt.stored {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
}

// TestStockOutside: what scs's own middleware has loaded is scs's to save.
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

// TestCallbacksAndTheSession: scs holds its lock when events happen, and there is no session to
// use where loading failed. Neither may hang or panic.
func TestCallbacksAndTheSession(t *testing.T) {
	var sm *scs.SessionManager
	events := 0
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{MaxSize: 100,
		Observer: func(ctx context.Context, _ scskit.Event) {
			events++
			sm.GetString(ctx, "user")
		}}})
	if err != nil {
		t.Fatal(err)
	}
	sm = scskit.New(store)
	done := make(chan *http.Response, 1)
	go func() {
		done <- trip(sm, "", func(_ http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "user", strings.Repeat("x", 200))
		},
			adapters.OnError(func(ctx context.Context, err error) error {
				_ = sm.GetString(ctx, "user")
				return err
			}))
	}()
	select {
	case resp := <-done:
		if resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) != 0 {
			t.Errorf("status %d, cookies %v", resp.StatusCode, resp.Cookies())
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the request hangs")
	}
	if events == 0 {
		t.Error("a session that is too large is no event")
	}
}

// TestManyCookies: a live session behind more cookies than are looked at must not be forgotten.
func TestManyCookies(t *testing.T) {
	sm := newManager(t, nil)
	token := begin(t, sm, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "session=1; session=2; session=3; session=4; session="+token)
	w := httptest.NewRecorder()
	scshttp.LoadAndSave(sm)(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	if c := w.Result().Cookies(); len(c) != 0 {
		t.Errorf("cookies %v", c)
	}
}

// TestLazyAfterTheResponse reads an idle session when the response has begun, which scs counts as a
// change.
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

// TestLazyFailureAfterTheResponse: there is no response left for the error, but it must not be
// silent.
func TestLazyFailureAfterTheResponse(t *testing.T) {
	sm := scskit.New(brokenStore{})
	var told []error
	resp := trip(sm, "token", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = sm.GetString(r.Context(), "user")
	}, adapters.Lazy(), adapters.OnError(func(_ context.Context, err error) error {
		told = append(told, err)
		return nil
	}))
	if resp.StatusCode != http.StatusOK || len(told) != 1 || !errors.Is(told[0], errBroken) {
		t.Errorf("status %d, errors %v", resp.StatusCode, told)
	}
}

var errBroken = errors.New("broken")

type brokenStore struct{ scs.Store }

func (brokenStore) Find(string) ([]byte, bool, error) { return nil, false, errBroken }
