package adapters_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// A client without cookies asks for a token with an empty header, and sends the one that it gets
// with each request. Browsers use the cookie.
func ExampleTokens() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignIn(r.Context(), sessions, "ada", nil); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /name", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.GetString(r.Context(), "user"))
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), sessions); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
	tokens := adapters.Tokens(adapters.InCookie(), adapters.InHeader("X-Session-Token"))
	handler := scshttp.LoadAndSave(sessions, tokens)(mux)

	token := "" // the client keeps it
	send := func(method, path string) {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("X-Session-Token", token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if lines, ok := w.Result().Header["X-Session-Token"]; ok {
			token = lines[0] // empty if the session is gone
		}
		fmt.Printf("%s %q, has a token: %v, cookies: %d\n", path, w.Body, token != "",
			len(w.Result().Cookies()))
	}
	send(http.MethodPost, "/sign-in")
	send(http.MethodGet, "/name")
	send(http.MethodPost, "/sign-out")
	// Output:
	// /sign-in "", has a token: true, cookies: 0
	// /name "ada", has a token: true, cookies: 0
	// /sign-out "", has a token: false, cookies: 0
}

func ExampleHostCookie() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "seen", true)
	})
	w := httptest.NewRecorder()
	handler := scshttp.LoadAndSave(sessions, adapters.HostCookie(), adapters.ClearSiteData())(page)
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, c := range w.Result().Cookies() {
		fmt.Println(c.Name, c.Path, c.Secure, c.HttpOnly)
	}
	// Output: __Host-session / true true
}

// One program serves a shop over HTTPS, and its API on plain HTTP within the data center.
func ExampleCookiePerRequest() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "seen", true)
	})
	attributes := adapters.CookiePerRequest(func(
		_ context.Context, conn adapters.Connection, a adapters.CookieAttributes,
	) adapters.CookieAttributes {
		a.Secure = conn.TLS
		if conn.Host == "www.example.com" { // a host that is known: the client chooses it
			a.Domain = "example.com"
		}
		return a
	})
	handler := scshttp.LoadAndSave(sessions, attributes)(page)
	for _, url := range []string{"https://www.example.com/", "http://10.0.0.1:8080/"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		for _, c := range w.Result().Cookies() {
			fmt.Printf("%s: Domain %q, Secure %v\n", url, c.Domain, c.Secure)
		}
	}
	// Output:
	// https://www.example.com/: Domain "example.com", Secure true
	// http://10.0.0.1:8080/: Domain "", Secure false
}
