// Package sessiontest helps you test handlers that use a session, on every framework:
//
//	session := sessiontest.SignIn(t, sessions, "ada", nil)
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
// New makes a session in which nobody has signed in. InHeader and InBearer are for applications
// with tokens in headers.
//
// The session is real and is in the manager's own store. With package memstore a test needs no
// server.
package sessiontest

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// Session is the session of one browser, or of one client that keeps its token in a header. It is
// not safe for concurrent use.
type Session struct {
	tb       testing.TB
	sessions *scs.SessionManager
	opts     []adapters.Option
	jar      http.CookieJar
	site     *url.URL
	header   *header // nil for a browser
}

// header is how a client without cookies carries its token.
type header struct {
	request, prefix string // the name of the request's header, and what is before the token
	response        string // the name of the response's header
	token           string
}

// New stores a session with the given values, as a request would, and returns it. Without values
// nothing is stored, as for a first-time visitor. If the session cannot be stored, New ends the
// test.
//
// A user among the values has not signed in: scskit.RequireFresh refuses the session. SignIn makes
// one that it accepts.
//
// opts are the options of your LoadAndSave that change the name of the cookie, which is
// adapters.HostCookie. Leave adapters.Tokens out: if a header carries the token, call InHeader or
// InBearer of the session.
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
		s.use(func(ctx context.Context) { s.put(ctx, values) })
		s.mustHaveCookie()
	}
	return s
}

// SignIn signs the user in to a new session with scskit.SignIn, puts the values there, stores it,
// and returns it. The sign-in is fresh for scskit.RequireFresh, from the moment that Options.Now
// returns. The store needs Options.UserKey. If the sign-in fails, or the session cannot be stored,
// SignIn ends the test. opts are as for New.
func SignIn[U ~string | ~int | ~int8 | ~int16 | ~int32 | ~int64 |
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](
	tb testing.TB, sessions *scs.SessionManager, user U, values map[string]any,
	opts ...adapters.Option,
) *Session {
	tb.Helper()
	s := New(tb, sessions, nil, opts...)
	var err error
	s.use(func(ctx context.Context) {
		err = scskit.SignIn(ctx, sessions, user, nil)
		s.put(ctx, values)
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.mustHaveCookie()
	return s
}

// InHeader makes the session one of a client that has no cookies, for an application with
// adapters.InHeader of the same name. Request and Send then put the token into the header, and
// Receive takes a new one from there. A session without a token sends the header empty. InHeader
// returns s.
func (s *Session) InHeader(name string) *Session {
	s.tb.Helper()
	s.header = &header{request: name, response: name, token: s.Token()}
	return s
}

// InBearer is InHeader for an application with adapters.InBearer. The token is in the header
// Authorization of requests, and in the header named response of responses, or in X-Session-Token
// if that is empty.
func (s *Session) InBearer(response string) *Session {
	s.tb.Helper()
	response = cmp.Or(response, "X-Session-Token")
	s.header = &header{"Authorization", "Bearer ", response, s.Token()}
	return s
}

// Token returns the token of the session, or "" if there is no session in the store. Its hash, by
// scskit.HashToken, is scskit.UserSession.ID.
func (s *Session) Token() (token string) {
	s.tb.Helper()
	s.use(func(ctx context.Context) { token = s.sessions.Token(ctx) })
	return token
}

// Request returns a request with the session's cookies or its header. The target is a path or a
// URL.
func (s *Session) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(s.tb.Context(), method, target, body)
	s.Send(r)
	return r
}

// Send adds the session's cookies or its header to a request that you made without Request.
func (s *Session) Send(r *http.Request) {
	if h := s.header; h != nil {
		r.Header.Set(h.request, h.prefix+h.token)
		return
	}
	for _, c := range s.jar.Cookies(s.site) {
		r.AddCookie(c)
	}
}

// Receive keeps the cookies of a response, as a browser does, or the token in its header. If you do
// not call it, the session keeps its old token and does not follow a RenewToken or Destroy.
func (s *Session) Receive(response *http.Response) {
	if h := s.header; h != nil {
		if lines := response.Header.Values(h.response); len(lines) > 0 {
			h.token = lines[0]
		}
		return
	}
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

func (s *Session) put(ctx context.Context, values map[string]any) {
	for key, value := range values {
		s.sessions.Put(ctx, key, value)
	}
}

// mustHaveCookie ends the test if the session that was stored has set no cookie.
func (s *Session) mustHaveCookie() {
	s.tb.Helper()
	if len(s.jar.Cookies(s.site)) == 0 {
		s.tb.Fatal("sessiontest: the session has no cookie: leave adapters.Tokens out, and call " +
			"InHeader or InBearer of the session")
	}
}

// use calls do with the session, in a request of the client.
func (s *Session) use(do func(ctx context.Context)) {
	s.tb.Helper()
	opts := s.opts
	if h := s.header; h != nil {
		transport := adapters.InHeader(h.request)
		if h.prefix != "" {
			transport = adapters.InBearer(h.response)
		}
		opts = []adapters.Option{adapters.Tokens(transport)}
	}
	handler := func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) }
	recorder := httptest.NewRecorder()
	request := s.Request(http.MethodGet, s.site.Path, http.NoBody)
	scshttp.LoadAndSave(s.sessions, opts...)(http.HandlerFunc(handler)).ServeHTTP(recorder, request)
	response := recorder.Result()
	if response.StatusCode != http.StatusOK {
		s.tb.Fatal("sessiontest: cannot load or store the session; see the log for the reason")
	}
	s.Receive(response)
}
