package conformance

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/scskit/scskit/adapters"
)

// adapterOptionChecks cover options of the adapters for the cookie and other headers.
var adapterOptionChecks = []check{
	{"cookie/host", LevelAdapter, cookieHost,
		"RFC 6265bis 4.1.3.2: adapters.HostCookie makes a cookie that no other host can set"},
	{"cookie/per-request", LevelAdapter, cookiePerRequest,
		"adapters.CookiePerRequest: attributes follow the connection and the host, and no header that " +
			"a client can send; the cookie that deletes has them too"},
	{"cookie/per-request-bad", LevelAdapter, cookiePerRequestBad,
		"RFC 6265bis 5.7: attributes with which browsers drop the cookie fail the request before its " +
			"handler runs"},
	{"transport/headers", LevelAdapter, transportHeaders,
		"RFC 9110 12.5.5: a response that depends on a header varies by it; a value that is no token68 " +
			"(11.2), or comes in two lines, is unknown"},
	{"adapter/clear-site-data", LevelAdapter, clearSiteData,
		"W3C Clear Site Data: adapters.ClearSiteData sends its header after a sign-out, and only then"},
}

func cookieHost(t *checkT) {
	s := t.newSite()
	s.option(adapters.HostCookie())
	s.open()
	const name = "__Host-session"
	line := func(a *answer) *setCookie {
		t.Helper()
		if lines := a.header["Set-Cookie"]; len(lines) != 1 {
			t.Fatalf("the response has %d lines of Set-Cookie, want one", len(lines))
		}
		c := parseCookie(a.header.Get("Set-Cookie"))
		if c.name != name || !c.has("secure") || c.attributes["path"] != "/" || c.has("domain") {
			t.Errorf("cookie %q with attributes %v, want %q with Secure, Path=/ and no Domain", c.name,
				c.attributes, name)
		}
		return c
	}
	c := line(s.browser().put("k", "v"))
	send := func(path, name string) *answer {
		t.Helper()
		return s.browser().do(http.MethodGet, path, "Cookie", name+"="+c.value)
	}
	send("/get?k=k", name).want(t, http.StatusOK, "v")
	send("/get?k=k", "session").want(t, http.StatusOK, none)
	send("/get?k=k", "__host-session").want(t, http.StatusOK, none)
	if !line(send("/destroy", name)).deletes() {
		t.Error("destroy: the cookie was not cleared")
	}
	for what, change := range map[string]func(*App){
		"a domain": func(a *App) { a.Sessions.Cookie.Domain = "example.org" },
		"a path":   func(a *App) { a.Sessions.Cookie.Path = "/app" },
	} {
		bad := t.newSite()
		bad.option(adapters.HostCookie())
		change(&bad.app)
		if !bad.panics() {
			t.Errorf("HostCookie with %s: building the middleware did not panic", what)
		}
	}
}

func cookiePerRequest(t *checkT) {
	s := t.newSite()
	var mu sync.Mutex
	var seen []adapters.Connection
	s.option(adapters.CookiePerRequest(func(
		_ context.Context, conn adapters.Connection, a adapters.CookieAttributes,
	) adapters.CookieAttributes {
		mu.Lock()
		seen = append(seen, conn)
		mu.Unlock()
		if strings.HasPrefix(conn.Host, "shop.example.org:") {
			a.Domain, a.Secure, a.Partitioned, a.SameSite = "example.org", true, true, http.SameSiteNoneMode
		}
		return a
	}))
	s.open()
	// Clients can send the headers of a proxy. They must not count.
	get := func(path, host, cookie string) *answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("X-Forwarded-Proto", "https")
		req.Header.Set("X-Forwarded-Ssl", "on")
		req.Header.Set("X-Forwarded-Host", "other.example.net")
		req.Header.Set("Forwarded", "proto=https;host=other.example.net")
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
		}
		a, err := s.browser().send(req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	given := get("/put?k=k&v=v", "Shop.example.org:8080", "").wantCookie(t)
	gone := get("/destroy", "shop.example.org:8080", given.name+"="+given.value).session(t)
	if gone == nil || !gone.deletes() {
		t.Fatal("destroy: the cookie was not cleared")
	}
	for _, c := range []*setCookie{given, gone} {
		if c.attributes["domain"] != "example.org" || !c.has("secure") || !c.has("partitioned") ||
			c.attributes["samesite"] != "None" {
			t.Errorf("cookie: attributes %v, want those of the request", c.attributes)
		}
	}
	if c := get("/put?k=k&v=v", "intranet", "").wantCookie(t); c.has("domain") || c.has("secure") ||
		c.has("partitioned") || c.attributes["samesite"] != "Lax" {
		t.Errorf("cookie for another host: attributes %v, want those of the manager", c.attributes)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, host := range []string{"shop.example.org:8080", "shop.example.org:8080", "intranet"} {
		if len(seen) != 3 || seen[i] != (adapters.Connection{Host: host}) {
			t.Fatalf("the function has seen %+v, want the host %q on a connection without TLS as number %d",
				seen, host, i)
		}
	}
}

func cookiePerRequestBad(t *checkT) {
	for name, bad := range map[string]adapters.CookieAttributes{
		"SameSite=None without Secure": {SameSite: http.SameSiteNoneMode},
		"Partitioned without Secure":   {Partitioned: true},
		"a Domain with a port":         {Secure: true, Domain: "example.org:8080"},
		"a Domain with an attribute":   {Secure: true, Domain: "example.org; Path=/app"},
		"__Secure- without Secure":     {},
	} {
		s := t.newSite()
		if strings.HasPrefix(name, "__") {
			s.sm.Cookie.Name, s.sm.Cookie.Secure = "__Secure-session", true
		}
		s.option(adapters.FailOpen()) // for failures of the store, not for this
		s.option(adapters.CookiePerRequest(func(
			context.Context, adapters.Connection, adapters.CookieAttributes,
		) adapters.CookieAttributes {
			return bad
		}))
		s.route("/run", func(c Context) error {
			t.Errorf("%s: the handler has run", name)
			return c.Send(http.StatusOK, "the handler's")
		})
		w := s.watch()
		s.open()
		s.browser().get("/run").wantError(t)
		if n := w.count(); n != 0 {
			t.Errorf("%s: the store got %d calls, want none", name, n)
		}
	}
}

func transportHeaders(t *checkT) {
	s := t.newSite()
	s.option(adapters.Tokens(adapters.InCookie(), inHeader.transport, inBearer.transport))
	w := s.watch()
	s.open()
	a := s.browser().get("/get?k=k")
	vary := strings.ToLower(strings.Join(a.header["Vary"], ","))
	for _, name := range []string{"cookie", "authorization", "x-session-token"} {
		if !strings.Contains(vary, name) {
			t.Errorf("Vary is %q, want %s among it", vary, name)
		}
	}
	p := s.program(inHeader)
	p.get("/put?k=k&v=v")
	finds := w.count("find")
	for _, value := range []string{
		p.token + " " + p.token, p.token + "," + p.token, `"` + p.token + `"`, "Bearer " + p.token,
		p.token + ";a=b", "=" + p.token,
	} {
		(&program{s, inHeader, value}).wantValue(none).wantEmptyToken(t)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/get?k=k", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header[tokenHeader] = []string{p.token, p.token}
	a, err = s.browser().send(req)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, http.StatusOK, none)
	a.wantEmptyToken(t)
	for _, other := range []string{"Basic " + p.token, "Bear " + p.token, p.token} {
		s.browser().do(http.MethodGet, "/get?k=k", "Authorization", other).wantNoToken(t)
	}
	if n := w.count("find") - finds; n != 0 {
		t.Errorf("the store was asked %d times for values that are no token", n)
	}
	for _, line := range []string{"Bearer " + p.token, "bEARER   " + p.token} {
		s.browser().do(http.MethodGet, "/get?k=k", "Authorization", line).want(t, http.StatusOK, "v")
	}
}

func clearSiteData(t *checkT) {
	for _, transport := range []adapters.Transport{adapters.InCookie(), inHeader.transport} {
		s := t.newSite()
		s.option(adapters.Tokens(transport))
		s.option(adapters.ClearSiteData())
		s.route("/again", func(c Context) error {
			if err := s.sm.Destroy(c.Context()); err != nil {
				return err
			}
			s.sm.Put(c.Context(), "k", "new")
			return c.Send(http.StatusOK, "again")
		})
		w := s.watch()
		s.open()
		p := s.program(inHeader) // sends the empty header to a site that uses the cookie
		b := s.browser()
		get := func(path string) []string {
			t.Helper()
			if transport == adapters.InCookie() {
				return b.get(path).header["Clear-Site-Data"]
			}
			return p.get(path).header["Clear-Site-Data"]
		}
		for _, path := range []string{"/put?k=k&v=v", "/get?k=k", "/renew", "/plain", "/again"} {
			if got := get(path); got != nil {
				t.Errorf("%s: Clear-Site-Data is %q, want none", path, got)
			}
		}
		w.fail(failing("delete"))
		if got := get("/destroy"); got != nil {
			t.Errorf("a sign-out that failed: Clear-Site-Data is %q, want none", got)
		}
		w.fail(nil)
		if got := get("/destroy"); len(got) != 1 || got[0] != `"cache", "storage"` {
			t.Errorf("destroy: Clear-Site-Data is %q, want \"cache\", \"storage\"", got)
		}
	}
}
