package moving

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

// twoNames returns a store for two named sessions, and the middleware for both.
func twoNames(backend, carts *scskit.Store, mux http.Handler) (*shim.Store, http.Handler) {
	account, cart := scskit.New(backend), scskit.New(carts)
	account.Cookie.Name, cart.Cookie.Name = "account_id", "cart_id"
	over := shim.New(shim.Managers{"account": account, "cart": cart}, nil)
	h := scshttp.LoadAndSave(cart, adapters.Lazy())(mux)
	return over, scshttp.LoadAndSave(account, adapters.Lazy())(h)
}

// TestTwoNames ends one of two sessions of a browser.
func TestTwoNames(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	over, h := twoNames(newBackend(t), newBackend(t), mux)
	mux.HandleFunc("/put", func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"account", "cart"} {
			session, _ := over.Get(r, name)
			session.Values["v"] = name
		}
		if err := sessions.Save(r, w); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		account, _ := over.Get(r, "account")
		cart, _ := over.Get(r, "cart")
		fmt.Fprint(w, account.Values["v"], " ", cart.Values["v"])
	})
	mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		account, _ := over.Get(r, "account")
		account.Options.MaxAge = -1
		if err := sessions.Save(r, w); err != nil {
			t.Error(err)
		}
	})
	v := visit(t, h)
	v.do("/put", "", "")
	if got := v.do("/get", "", ""); got != "account cart" {
		t.Errorf("the sessions are %q", got)
	}
	v.do("/end", "", "")
	if got := v.do("/get", "", ""); got != "<nil> cart" {
		t.Errorf("after the end of one, the sessions are %q", got)
	}
}

// withGothic returns an application that signs users in with a provider of OAuth.
func withGothic(backend, states *scskit.Store, mux *http.ServeMux) http.Handler {
	manager, oauth := scskit.New(backend), scskit.New(states)
	manager.Cookie.Name, oauth.Cookie.Name = "id", "oauth_id"
	gothic.Store = shim.New(shim.Managers{gothic.SessionName: oauth}, nil)
	mux.HandleFunc("/auth", gothic.BeginAuthHandler)
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, r)
		if err == nil {
			err = scskit.SignIn(r.Context(), manager, user.UserID, nil)
		}
		if err != nil {
			http.Error(w, "try again", http.StatusForbidden)
		}
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, manager.GetString(r.Context(), "user"))
	})
	h := scshttp.LoadAndSave(oauth, adapters.Lazy())(mux)
	return scshttp.LoadAndSave(manager)(h)
}

// TestGothic signs in with the real package gothic, from the start to the callback. It is the only
// test that sets gothic.Store, a variable of that package.
func TestGothic(t *testing.T) {
	t.Parallel()
	goth.UseProviders(&faux.Provider{})
	states := newBackend(t)
	v := visit(t, withGothic(newBackend(t), states, http.NewServeMux()))
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	get := func(path string) (int, string, *url.URL) {
		t.Helper()
		res, err := v.client.Get(v.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := res.Location()
		return res.StatusCode, string(body), at
	}
	count := func(want int) {
		t.Helper()
		if all, err := states.All(); err != nil || len(all) != want {
			t.Errorf("%d sessions of gothic, %v, want %d", len(all), err, want)
		}
	}
	if status, _, _ := get("/callback?provider=faux&state=x"); status != http.StatusForbidden {
		t.Errorf("a callback without a start: status %d", status)
	}
	status, body, at := get("/auth?provider=faux")
	if status != http.StatusTemporaryRedirect || at == nil || at.Host != "example.com" {
		t.Fatalf("start: status %d, %s, location %v", status, body, at)
	}
	count(1)
	callback := "/callback?provider=faux&state=" + url.QueryEscape(at.Query().Get("state"))
	if status, body, _ := get(callback); status != http.StatusOK {
		t.Fatalf("callback: status %d, %s", status, body)
	}
	count(0) // gothic has ended its session
	if _, user, _ := get("/user"); user != "id" {
		t.Errorf("the user is %q", user)
	}
	if status, _, _ := get(callback); status != http.StatusForbidden {
		t.Errorf("the callback again: status %d", status)
	}
	get("/auth?provider=faux")
	if status, _, _ := get("/callback?provider=faux&state=forged"); status != http.StatusForbidden {
		t.Errorf("a forged state: status %d", status)
	}
	count(0)
}
