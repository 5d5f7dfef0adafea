// Package sessiontest helps you test handlers that use a session, on every framework:
//
//	session := sessiontest.New(t, sessions, map[string]any{"user": "ada"})
//	r := session.Request(http.MethodPost, "/sign-out", nil)
//
// Serve the request as usual in tests of your framework: with ServeHTTP and an
// httptest.ResponseRecorder on net/http, Chi, Gin and Echo, or with app.Test on Fiber. Then check
// what the session holds:
//
//	session.Receive(recorder.Result())
//	if user := session.Get("user"); user != nil {
//		t.Errorf("%v is still signed in", user)
//	}
//
// The session is real and is in the manager's own store. With package memstore a test needs no
// server.
package sessiontest

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// Session is the session of one browser. It is not safe for concurrent use.
type Session struct {
	tb       testing.TB
	sessions *scs.SessionManager
	opts     []adapters.Option
	jar      http.CookieJar
	site     *url.URL
}

// New stores a session with the given values, as a request would, and returns it. Without values
// nothing is stored, as for a first-time visitor. If the session cannot be stored, New ends the
// test.
//
// opts are the options of your LoadAndSave that change the name of the cookie, which is
// adapters.HostCookie. The session is in the cookie, also if the application has Tokens in headers.
func New(
	tb testing.TB, sessions *scs.SessionManager, values map[string]any, opts ...adapters.Option,
) *Session {
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
	// Over HTTPS a browser also sends cookies with the Secure attribute.
	site := &url.URL{Scheme: "https", Host: host, Path: path}
	s := &Session{tb: tb, sessions: sessions, opts: opts, jar: jar, site: site}
	if len(values) > 0 {
		s.use(func(ctx context.Context) {
			for key, value := range values {
				sessions.Put(ctx, key, value)
			}
		})
	}
	return s
}

// Request returns a request with the session's cookies. The target is a path or a URL.
func (s *Session) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(s.tb.Context(), method, target, body)
	s.Send(r)
	return r
}

// Send adds the session's cookies to a request that you made without Request.
func (s *Session) Send(r *http.Request) {
	for _, c := range s.jar.Cookies(s.site) {
		r.AddCookie(c)
	}
}

// Receive keeps the cookies of a response, as a browser does. If you do not call it, the session
// keeps its old cookie and does not follow a RenewToken or Destroy.
func (s *Session) Receive(response *http.Response) {
	s.jar.SetCookies(s.site, response.Cookies())
}

// Get returns the stored value of the key, or nil.
func (s *Session) Get(key string) any { return s.Values()[key] }

// Values returns the stored values of the session. The map is empty if there is no session, for
// example because it was destroyed.
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

// use calls do with the session, in a request of the browser.
func (s *Session) use(do func(ctx context.Context)) {
	s.tb.Helper()
	handler := func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) }
	recorder := httptest.NewRecorder()
	request := s.Request(http.MethodGet, s.site.Path, http.NoBody)
	scshttp.LoadAndSave(s.sessions, s.opts...)(http.HandlerFunc(handler)).ServeHTTP(recorder, request)
	response := recorder.Result()
	if response.StatusCode != http.StatusOK {
		s.tb.Fatal("sessiontest: cannot load or store the session; see the log for the reason")
	}
	s.Receive(response)
}
