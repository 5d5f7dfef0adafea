package conformance

import (
	"compress/gzip"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
)

// adapterNeighbourChecks cover the session middleware together with other middleware, which is
// outside or inside it.
var adapterNeighbourChecks = []check{
	{"neighbour/compress", LevelAdapter, beside(Compress),
		"the cookie and the record agree: beside middleware that compresses"},
	{"neighbour/timeout", LevelAdapter, beside(Timeout),
		"the cookie and the record agree: beside middleware that limits the time of handlers"},
	{"neighbour/dump", LevelAdapter, beside(Dump),
		"the cookie and the record agree: beside middleware that reads responses"},
	{"neighbour/log", LevelAdapter, beside(Log),
		"the cookie and the record agree: beside middleware that logs requests"},
	{"neighbour/secure", LevelAdapter, beside(Secure),
		"the cookie and the record agree: beside middleware that sets headers"},
	{"neighbour/etag", LevelAdapter, beside(ETag),
		"the cookie and the record agree: beside middleware that makes ETags"},
	{"neighbour/files", LevelAdapter, beside(Files, (*neighbourhood).static),
		"the cookie and the record agree: beside middleware that serves " +
			"static files, which stay cacheable"},
	{"neighbour/forward", LevelAdapter, forwarded,
		"the cookie and the record agree: a request that goes through the framework again"},
	{"neighbour/proxy", LevelAdapter, proxied,
		"a failed commit sends an error, not the page: httputil.ReverseProxy, " +
			"which panics if it cannot write"},
}

// sorry is the body of the error page.
const sorry = "sorry"

// beside returns the check of a session beside a neighbour. It also calls more.
func beside(kind Neighbour, more ...func(*neighbourhood)) func(*checkT) {
	return func(t *checkT) {
		t.needs(kind)
		for _, place := range []Placement{Outside, Inside} {
			s := t.newSite()
			s.app.Neighbour, s.app.Beside, s.app.Recover = kind, place, Outside
			n := &neighbourhood{site: s, w: s.watch(), paths: s.pages(kind)}
			s.open()
			n.healthy()
			n.panicking()
			n.failing()
			n.concurrent()
			for _, f := range more {
				f(n)
			}
		}
	}
}

// needs ends the check as not applicable if the harness does not list the neighbour.
func (t *checkT) needs(kind Neighbour) {
	if !slices.Contains(t.adapter.Neighbours, kind) {
		t.notApplicable("Adapter.Neighbours does not have " + string(kind))
	}
}

type neighbourhood struct {
	*site
	w     *spy
	paths map[string]page
}

// page is the expected response of a path.
type page struct {
	status   int
	body     string // % stands for the user's name
	location string
}

func (p page) of(user string) string { return strings.ReplaceAll(p.body, "%", user) }

// pages adds a route for each way to answer. Each puts the user into the session, and with the
// query "fail" also a value that cannot be stored.
func (s *site) pages(kind Neighbour) map[string]page {
	paths := make(map[string]page)
	add := func(path string, p page, answer func(c Context, body string) error) {
		paths[path] = p
		s.route(path, func(c Context) error {
			user := strings.Clone(c.Query("user"))
			s.sm.Put(c.Context(), "user", user)
			if c.Query("fail") != "" {
				s.sm.Put(c.Context(), "unstorable", make(chan int))
			}
			c.SetHeader("X-Accel-Redirect", "/of/"+user)
			return answer(c, p.of(user))
		})
	}
	long := strings.Repeat("the handler's page for %. ", 200) // long enough to be compressed
	add("/page", page{http.StatusOK, long, ""}, func(c Context, body string) error {
		return c.Send(http.StatusOK, body)
	})
	add("/error", page{http.StatusTeapot, "teapot", ""},
		func(Context, string) error { return errTeapot })
	add("/redirect", page{http.StatusSeeOther, "*", "/elsewhere"}, func(c Context, _ string) error {
		r, err := contextAs[Renderer](s, c)
		if err != nil {
			return err
		}
		return r.Redirect(http.StatusSeeOther, "/elsewhere")
	})
	if kind != Timeout { // http.TimeoutHandler buffers the whole response
		add("/stream", page{http.StatusOK, long + long, ""}, func(c Context, body string) error {
			r, err := contextAs[Streamer](s, c)
			if err != nil {
				return err
			}
			return r.Stream(func(w io.Writer, flush func() error) error {
				for part := range slices.Chunk([]byte(body), len(body)/2) {
					if _, err := w.Write(part); err != nil {
						return err
					}
					if err := flush(); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	s.route("/panic", func(c Context) error {
		s.sm.Put(c.Context(), "user", "half done")
		panic("in a handler")
	})
	s.app.OnError = func(c Context, err error) error {
		if errors.Is(err, errTeapot) {
			return c.Send(http.StatusTeapot, "teapot")
		}
		return c.Send(http.StatusInternalServerError, sorry)
	}
	return paths
}

// visit requests a path and decompresses the response.
func (s *site) visit(b *browser, path string) *answer {
	s.t.Helper()
	a := b.do(http.MethodGet, path, "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "gzip" || a.body == "" {
		return a
	}
	unpacked, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		s.t.Errorf("%s: the response is not valid gzip: %v: %s", path, err, brief([]byte(a.body)))
		return a
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		s.t.Errorf("%s: decompress the response: %v", path, err)
	}
	a.body = string(body)
	return a
}

// wantResponse checks that the response is the page, for the user.
func (p page) wantResponse(t *checkT, path string, a *answer, user string) {
	t.Helper()
	if want := p.of(user); a.status != p.status || p.body != "*" && a.body != want ||
		a.header.Get("Location") != p.location {
		t.Errorf("%s: status %d, Location %q and body %s; want status %d, Location %q and body %s",
			path, a.status, a.header.Get("Location"), brief([]byte(a.body)), p.status, p.location,
			brief([]byte(want)))
	}
}

// wantErrorPage checks that the response is the error page, with nothing of the handler's response.
func (s *site) wantErrorPage(path string, a *answer) {
	s.t.Helper()
	a.wantError(s.t)
	if a.status != http.StatusInternalServerError || strings.TrimSpace(a.body) != sorry {
		s.t.Errorf("%s: status %d and body %s, want the error page", path, a.status,
			brief([]byte(a.body)))
	}
	if got := a.header.Get("X-Accel-Redirect"); got != "" {
		s.t.Errorf("%s: the error page has the handler's X-Accel-Redirect %q", path, got)
	}
}

func (n *neighbourhood) healthy() {
	n.t.Helper()
	for path, p := range n.paths {
		b := n.browser()
		a := n.visit(b, path+"?user=ada")
		p.wantResponse(n.t, path, a, "ada")
		n.wantStored(b, a, "user", "ada")
	}
}

func (n *neighbourhood) panicking() {
	n.t.Helper()
	commits := n.w.count("commit")
	b := n.browser()
	a := n.visit(b, "/panic")
	if a.status != http.StatusInternalServerError {
		n.t.Errorf("/panic: status %d, want 500", a.status)
	}
	if n.app.Beside == Inside && slices.Contains(n.t.adapter.Recovers, n.app.Neighbour) {
		n.wantStored(b, a, "user", "half done")
		return
	}
	a.wantNoCookie(n.t)
	if got := n.w.count("commit") - commits; got != 0 {
		n.t.Errorf("/panic: the store got %d commits, want none", got)
	}
}

func (n *neighbourhood) failing() {
	n.t.Helper()
	n.w.fail(failing("commit"))
	defer n.w.fail(nil)
	for path := range n.paths {
		n.wantErrorPage(path, n.visit(n.browser(), path+"?user=ada"))
	}
}

// concurrent runs requests that fail and requests that succeed concurrently. Each must get its own
// response.
func (n *neighbourhood) concurrent() {
	n.t.Helper()
	n.t.each(n.t.crowd(8, 20), func(int) {
		for visit := 0; visit < 10 && !n.t.Failed(); visit++ {
			n.wantErrorPage("/page", n.visit(n.browser(), "/page?user=ada&fail=1"))
			n.paths["/page"].wantResponse(n.t, "/page", n.visit(n.browser(), "/page?user=bob"), "bob")
		}
	})
}

// static requests a static file, with and without a session.
func (n *neighbourhood) static() {
	n.t.Helper()
	b := n.browser()
	n.visit(b, "/page?user=ada")
	commits := n.w.count("commit")
	for _, b := range []*browser{b, n.browser()} {
		a := n.visit(b, "/"+staticFile)
		a.want(n.t, http.StatusOK, staticText)
		a.wantNoCookie(n.t)
		if n.app.Beside == Outside {
			vary, control := a.header.Get("Vary"), a.header.Get("Cache-Control")
			if strings.Contains(vary, "Cookie") || strings.Contains(control, "no-store") {
				n.t.Errorf("static file outside the session: Vary %q, Cache-Control %q", vary, control)
			}
		}
	}
	if got := n.w.count("commit") - commits; got != 0 {
		n.t.Errorf("static file: the store got %d commits, want none", got)
	}
}

func forwarded(t *checkT) {
	t.needs(Forward)
	s := t.newSite()
	s.app.OnError = func(c Context, _ error) error {
		return c.Send(http.StatusInternalServerError, sorry)
	}
	s.route("/from", func(c Context) error {
		f, err := contextAs[Forwarder](s, c)
		if err != nil {
			return err
		}
		return f.Forward("/target")
	})
	s.route("/target", func(c Context) error {
		if err := s.sm.RenewToken(c.Context()); err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "the handler's")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	for range 2 {
		a := b.get("/from")
		a.want(t, http.StatusOK, "the handler's")
		s.wantStored(b, a, "k", "v")
	}
	w.fail(failing("commit"))
	s.wantErrorPage("/from", s.browser().get("/from"))
}

func proxied(t *checkT) {
	t.needs(Proxy)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("the handler's page ", 5000))
	}))
	defer behind.Close()
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	s := t.newSite()
	s.app.Recover = Outside // so that guarded does not recover the panic of the proxy
	s.app.OnError = func(c Context, _ error) error {
		return c.Send(http.StatusInternalServerError, sorry)
	}
	s.route("/proxy", func(c Context) error {
		m, err := contextAs[Mounter](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return m.Mount(proxy)
	})
	w := s.watch()
	s.open()
	b := s.browser()
	a := b.get("/proxy")
	if a.status != http.StatusOK {
		t.Errorf("/proxy: status %d, want 200", a.status)
	}
	s.wantStored(b, a, "k", "v")
	w.fail(failing("commit"))
	s.wantErrorPage("/proxy", s.browser().get("/proxy"))
}
