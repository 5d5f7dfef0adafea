package conformance

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairTransportChecks cover tokens in headers, for clients that keep no cookies.
var pairTransportChecks = []check{
	{"transport/header", LevelPair, transportRoundTrip(inHeader),
		"adapters.InHeader: a session is begun, read, changed, renewed and destroyed by a token in a " +
			"header, without a cookie"},
	{"transport/bearer", LevelPair, transportRoundTrip(inBearer),
		"RFC 6750 2.1: the same with the token as a bearer token of the Authorization header"},
	{"transport/both", LevelPair, transportBoth,
		"adapters.Tokens: the transport in which the live session was found answers, or else the " +
			"first that the request has used"},
	{"transport/renew-every", LevelPair, transportRenewEvery,
		"RenewEvery: the new token is in a header, and the old one goes on with the session for a " +
			"moment"},
	{"transport/failure", LevelPair, transportFailure,
		"the token and the record agree: if the session is not stored, or another request has " +
			"destroyed it, the response has no token"},
	{"token/oversized", LevelPair, tokenOversized,
		"the store is not asked for values that are too long to be a token, of cookies and of headers"},
}

// tokenHeader is the response header of the clients.
const tokenHeader = "X-Session-Token"

// way is a way to carry the token in headers.
type way struct {
	transport adapters.Transport
	request   string // the request's header
	scheme    string // before the token
}

var (
	inHeader = way{adapters.InHeader(tokenHeader), tokenHeader, ""}
	inBearer = way{adapters.InBearer(""), "Authorization", "Bearer "}
)

// program is a client of a site that keeps a token and no cookies.
type program struct {
	s     *site
	way   way
	token string
}

func (s *site) program(w way) *program { return &program{s: s, way: w} }

// get requests a path with the token, and keeps the token of the response. It ends the check if
// there is a Set-Cookie, or a token in a response that caches may store.
func (p *program) get(path string) *answer {
	p.s.t.Helper()
	a := p.s.browser().do(http.MethodGet, path, p.way.request, p.way.scheme+p.token)
	p.s.t.wantNoSetCookie(a)
	if lines := a.header[tokenHeader]; len(lines) > 0 {
		if len(lines) > 1 || a.header.Get("Cache-Control") != "no-store" {
			p.s.t.Fatalf("%s: %d lines of %s and Cache-Control %q, want one and no-store", path, len(lines),
				tokenHeader, a.header["Cache-Control"])
		}
		p.token = lines[0]
	}
	return a
}

func (t *checkT) wantNoSetCookie(a *answer) {
	t.Helper()
	if lines := a.header["Set-Cookie"]; len(lines) > 0 {
		t.Fatalf("the response has Set-Cookie (%d lines), want the token in a header", len(lines))
	}
}

// wantNoToken ends the check if the response says anything about the token.
func (a *answer) wantNoToken(t *checkT) {
	t.Helper()
	if lines, ok := a.header[tokenHeader]; ok {
		t.Fatalf("the response has %s with %d bytes, want none (status %d)", tokenHeader, len(lines[0]),
			a.status)
	}
}

// wantEmptyToken ends the check unless the response says that the token is of no use.
func (a *answer) wantEmptyToken(t *checkT) {
	t.Helper()
	if lines := a.header[tokenHeader]; len(lines) != 1 || lines[0] != "" {
		t.Fatalf("the response has %d lines of %s, want one that is empty", len(lines), tokenHeader)
	}
}

// wantValue ends the check unless the session of the token has the value under the key k.
func (p *program) wantValue(value string) *answer {
	p.s.t.Helper()
	a := p.get("/get?k=k")
	a.want(p.s.t, http.StatusOK, value)
	return a
}

// newSiteOf returns an application with the transports. If the store keeps sessions in the cookie,
// it checks that the middleware cannot be built, and ok is false.
func (t *checkT) newSiteOf(transports ...adapters.Transport) (s *site, ok bool) {
	t.Helper()
	s = t.newSite()
	s.option(adapters.Tokens(transports...))
	if !s.inCookie() {
		return s, true
	}
	if !s.panics() {
		t.Error("the store keeps sessions in the cookie, and Tokens has a header: building the " +
			"middleware did not panic")
	}
	return s, false
}

func transportRoundTrip(w way) func(t *checkT) {
	return func(t *checkT) {
		s, ok := t.newSiteOf(w.transport)
		if !ok {
			return
		}
		s.open()
		p := s.program(w)
		p.wantValue(none).wantNoToken(t)
		p.get("/put?k=k&v=v").want(t, http.StatusOK, "put")
		token := p.token
		if token == "" {
			t.Fatalf("a new session: the response has no %s", tokenHeader)
		}
		p.wantValue("v").wantNoToken(t)
		p.get("/put?k=k&v=w").wantNoToken(t) // the token stays
		p.wantValue("w")

		p.get("/renew").want(t, http.StatusOK, "renewed")
		if p.token == token || p.token == "" {
			t.Fatal("a renewal: the response has no new token")
		}
		p.wantValue("w")
		(&program{s, w, token}).wantValue(none) // the response may leave the new token alone

		token = p.token
		p.get("/destroy").wantEmptyToken(t)
		old := &program{s, w, token}
		old.wantValue(none).wantEmptyToken(t)
		if !t.gone(s.store, token) {
			t.Error("the destroyed session is still in the store")
		}

		made := &program{s, w, strings.Repeat("a", len(token))}
		made.get("/put?k=k&v=x").want(t, http.StatusOK, "put")
		if made.token == strings.Repeat("a", len(token)) || made.token == "" {
			t.Error("a made-up token: it was adopted, or not replaced")
		}
		s.browser().do(http.MethodGet, "/get?k=k", "Cookie", s.sm.Cookie.Name+"="+made.token).
			want(t, http.StatusOK, none)
		s.browser().get("/get?k=k&"+url.Values{tokenHeader: {made.token}}.Encode()).
			want(t, http.StatusOK, none)
		made.wantValue("x")
	}
}

func transportRenewEvery(t *checkT) {
	s := t.renewing()
	s.option(adapters.Tokens(inHeader.transport))
	s.open()
	p := s.program(inHeader)
	p.get("/put?k=k&v=v").want(t, http.StatusOK, "put")
	old := &program{s, inHeader, p.token}
	t.pause(every)
	p.wantValue("v")
	if p.token == old.token {
		t.Fatal("the token is not renewed")
	}
	old.wantValue("v").wantNoToken(t)
	old.get("/put?k=k&v=w").wantNoToken(t)
	p.wantValue("w")
	old.get("/destroy").wantEmptyToken(t)
	p.wantValue(none)
}

func transportBoth(t *checkT) {
	s, ok := t.newSiteOf(adapters.InCookie(), inHeader.transport, inBearer.transport)
	if !ok {
		return
	}
	s.open()
	b := s.browser()
	b.put("k", "browser").wantCookie(t)
	b.get("/get?k=k").wantNoToken(t)
	p, q := s.program(inHeader), s.program(inBearer)
	p.get("/put?k=k&v=header")
	q.get("/put?k=k&v=bearer")
	if p.token == "" || q.token == "" {
		t.Fatal("a client with an empty header got no token")
	}
	// Each transport finds the session, and the first with a live one answers.
	(&program{s, inBearer, p.token}).wantValue("header")
	(&program{s, inHeader, b.token()}).wantValue("browser")
	cookie := s.sm.Cookie.Name + "="
	for _, tt := range []struct {
		cookie, header, bearer string
		value                  string
		answer                 string // to a renewal
	}{
		{b.token(), p.token, q.token, "browser", "Set-Cookie"},
		{"unknown", p.token, q.token, "header", tokenHeader},
		{"unknown", "unknown", q.token, "bearer", tokenHeader},
	} {
		header := []string{"Cookie", cookie + tt.cookie, tokenHeader, tt.header, "Authorization",
			"Bearer " + tt.bearer}
		s.browser().do(http.MethodGet, "/get?k=k", header...).want(t, http.StatusOK, tt.value)
		a := s.browser().do(http.MethodGet, "/renew", header...)
		a.want(t, http.StatusOK, "renewed")
		for _, name := range []string{"Set-Cookie", tokenHeader} {
			if got := len(a.header[name]); got > 1 || (got == 1) != (name == tt.answer) {
				t.Errorf("renewal of the session %q: %d lines of %s, want the answer in %s", tt.value, got,
					name, tt.answer)
			}
		}
	}
	// None is live: the first that was used answers.
	a := s.browser().do(http.MethodGet, "/get?k=k", "Cookie", cookie+"unknown", tokenHeader, "unknown")
	if c := a.session(t); c == nil || !c.deletes() {
		t.Error("an unknown cookie and an unknown header: the cookie was not cleared")
	}
	a.wantNoToken(t)
	a = s.browser().do(http.MethodGet, "/get?k=k", tokenHeader, "unknown", "Authorization", "Bearer")
	t.wantNoSetCookie(a)
	a.wantEmptyToken(t)
	s.browser().put("k", "v").wantNoToken(t)
}

func transportFailure(t *checkT) {
	s, ok := t.newSiteOf(adapters.InCookie(), inHeader.transport)
	if !ok {
		return
	}
	w := s.watch()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "slow")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	p, fresh := s.program(inHeader), s.program(inHeader)
	p.get("/put?k=k&v=v")
	for _, op := range []string{"commit", "find"} {
		w.fail(failing(op))
		for _, a := range []*answer{p.get("/put?k=k&v=w"), p.get("/renew")} {
			a.wantError(t)
			a.wantNoToken(t)
		}
	}
	w.fail(failing("commit"))
	a := fresh.get("/put?k=k&v=w")
	a.wantError(t)
	a.wantNoToken(t)
	w.fail(nil)
	if _, ok := s.store.(*scskit.Store); !ok {
		return // scs has deleted the old session of the renewal, and overwrites in the race below
	}
	p.wantValue("v").wantNoToken(t)

	slow := make(chan *answer, 1)
	ended := t.start(func() { slow <- (&program{s, inHeader, p.token}).get("/slow") })
	g.await(1)
	(&program{s, inHeader, p.token}).get("/destroy").wantEmptyToken(t)
	g.open()
	<-ended
	select {
	case a = <-slow:
		a.wantNoToken(t)
	default:
		t.Fatal("the request in flight has failed")
	}
	p.wantValue(none).wantEmptyToken(t)
}

func tokenOversized(t *checkT) {
	s := t.newSite()
	if !s.inCookie() {
		s.option(adapters.Tokens(adapters.InCookie(), inHeader.transport, inBearer.transport))
	}
	w := s.watch()
	s.open()
	long := strings.Repeat("x", 513)
	cookies := []string{long, strings.Repeat("y", 1000) + "; " + s.sm.Cookie.Name + "=" + long}
	if s.inCookie() { // longer values can be sessions, but have at most 16 parts
		cookies = []string{"17." + long, "99999999999999999999." + long, "2." + long}
	}
	for _, value := range cookies {
		a := s.browser().do(http.MethodGet, "/get?k=k", "Cookie", s.sm.Cookie.Name+"="+value)
		a.want(t, http.StatusOK, none)
		if c := a.session(t); c == nil || !c.deletes() {
			t.Errorf("a cookie of %d bytes was not cleared", len(value))
		}
	}
	if !s.inCookie() {
		for _, w := range []way{inHeader, inBearer} {
			p := &program{s, w, long}
			p.wantValue(none).wantEmptyToken(t)
		}
	}
	if n := w.count("find"); n != 0 {
		t.Errorf("the store was asked %d times for values that are too long", n)
	}
	if s.inCookie() {
		return
	}
	for _, w := range []way{inHeader, inBearer} {
		p := &program{s, w, long[:512]}
		p.wantValue(none).wantEmptyToken(t)
	}
	if n := w.count("find"); n != 2 {
		t.Errorf("the store was asked %d times for two values of 512 bytes, want 2", n)
	}
}
