package adapters_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// TestTwoManagers tests that two managers on one store around one request keep their sessions
// apart.
func TestTwoManagers(t *testing.T) {
	t.Parallel()
	type sm = *scs.SessionManager
	for name, tt := range map[string]struct {
		handle       func(ctx context.Context, one, two sm) error
		oneIn, twoIn bool // whether the browser then has a session of the manager
		oneOld       bool // whether the old token of the first manager still opens a session
	}{
		"both renew": {func(ctx context.Context, one, two sm) error {
			_ = one.RenewToken(ctx)
			return two.RenewToken(ctx)
		}, true, true, false},
		"both renew, one signs out": {func(ctx context.Context, one, two sm) error {
			_ = one.RenewToken(ctx)
			_ = two.RenewToken(ctx)
			return one.Destroy(ctx)
		}, false, true, false},
		"both renew, one commits": {func(ctx context.Context, one, two sm) error {
			_ = one.RenewToken(ctx)
			_ = two.RenewToken(ctx)
			_, _, err := one.Commit(ctx)
			return err
		}, true, true, false},
		"one merges two's, which is renewed": {func(ctx context.Context, one, two sm) error {
			_ = one.MergeSession(ctx, two.Token(ctx))
			return two.RenewToken(ctx)
		}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := memstore.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			one, two := scskit.New(store), scskit.New(store)
			one.Cookie.Name, two.Cookie.Name = "one", "two"
			sign := func(w http.ResponseWriter, r *http.Request) {
				one.Put(r.Context(), "one", 1)
				two.Put(r.Context(), "two", 2)
			}
			visit := func(h http.HandlerFunc, cookies []*http.Cookie) map[string]string {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
				now := make(map[string]string)
				for _, c := range cookies {
					r.AddCookie(c)
					now[c.Name] = c.Value
				}
				w := httptest.NewRecorder()
				scshttp.LoadAndSave(one)(scshttp.LoadAndSave(two)(h)).ServeHTTP(w, r)
				for _, c := range w.Result().Cookies() {
					now[c.Name] = c.Value
				}
				return now
			}
			before := visit(sign, nil)
			var cookies []*http.Cookie
			for _, name := range []string{"one", "two"} {
				cookies = append(cookies, &http.Cookie{Name: name, Value: before[name]})
			}
			after := visit(func(_ http.ResponseWriter, r *http.Request) {
				if err := tt.handle(r.Context(), one, two); err != nil {
					t.Error(err)
				}
			}, cookies)
			live := func(token string) bool {
				_, found, err := store.Find(token)
				return found && err == nil
			}
			if live(after["one"]) != tt.oneIn || live(after["two"]) != tt.twoIn {
				t.Errorf("signed in: one %v, two %v", live(after["one"]), live(after["two"]))
			}
			if live(before["one"]) != tt.oneOld {
				t.Errorf("the old token of one opens a session: %v", live(before["one"]))
			}
			if live(before["two"]) {
				t.Error("the old token of two opens a session")
			}
		})
	}
}
