// Package sessiontest helps to test your handlers with a session, on every framework:
//
//	session := sessiontest.New(t, sessions, map[string]any{"user": "ada"})
//	r := session.Request(http.MethodPost, "/sign-out", nil)
//
// Serve the request as the framework's tests do: by ServeHTTP and an httptest.ResponseRecorder on
// net/http, Chi, Gin and Echo, by app.Test on Fiber. Then look at what the session holds:
//
//	session.Receive(recorder.Result())
//	if user := session.Get("user"); user != nil {
//		t.Errorf("%v is still signed in", user)
//	}
//
// The session is a real one, in the manager's own store: a test that uses package memstore needs no
// server.
package sessiontest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/alexedwards/scs/v2"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// Session is a session as one browser has it. It is for one goroutine.
type Session struct {
	tb       testing.TB
	sessions *scs.SessionManager
	jar      http.CookieJar
	site     *url.URL
}

// New stores a session with the given values, as a request would, and returns it. Without values
// there is no session yet, as for a visitor who comes for the first time. It ends the test if the
// session cannot be stored.
func New(tb testing.TB, sessions *scs.SessionManager, values map[string]any) *Session {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	path := sessions.Cookie.Path
	if path == "" {
		path = "/"
	}
	host := sessions.Cookie.Domain
	if host == "" {
		host = "example.com"
	}
	// By HTTPS a browser sends every cookie, those with Secure too.
	s := &Session{tb: tb, sessions: sessions, jar: jar,
		site: &url.URL{Scheme: "https", Host: host, Path: path}}
	if len(values) > 0 {
		s.use(func(ctx context.Context) {
			for key, value := range values {
				sessions.Put(ctx, key, value)
			}
		})
	}
	return s
}

// Request returns a request of the session's browser. The target is a path, or a whole URL.
func (s *Session) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(s.tb.Context(), method, target, body)
	s.Send(r)
	return r
}

// Send adds the session's cookies to a request that was made in another way.
func (s *Session) Send(r *http.Request) {
	for _, c := range s.jar.Cookies(s.site) {
		r.AddCookie(c)
	}
}

// Receive takes the cookies of a response, as a browser does. Without it the session goes on with
// the cookie that it has, and does not follow a RenewToken or Destroy.
func (s *Session) Receive(response *http.Response) {
	s.jar.SetCookies(s.site, response.Cookies())
}

// Get returns what the session holds under the key now, or nil.
func (s *Session) Get(key string) any { return s.Values()[key] }

// Values returns what the session holds now. It is empty if there is none, because it was destroyed
// for instance.
func (s *Session) Values() map[string]any {
	s.tb.Helper()
	values := make(map[string]any)
	s.use(func(ctx context.Context) {
		for _, key := range s.sessions.Keys(ctx) {
			values[key] = s.sessions.Get(ctx, key)
		}
	})
	return values
}

// use has a request of the browser do something with the session.
func (s *Session) use(do func(ctx context.Context)) {
	s.tb.Helper()
	handler := scshttp.LoadAndSave(s.sessions)(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			do(r.Context())
		}))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, s.Request(http.MethodGet, s.site.Path, http.NoBody))
	response := recorder.Result()
	if response.StatusCode != http.StatusOK {
		s.tb.Fatal(errors.New("sessiontest: the session cannot be loaded or stored; the log says why"))
	}
	s.Receive(response)
}
