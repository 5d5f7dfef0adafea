package conformance

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// adapterCookieChecks cover the session cookie: RFC 6265bis, and what browsers do with it.
var adapterCookieChecks = []check{
	{"cookie/defaults", LevelAdapter, cookieDefaults,
		"OWASP: by default a session cookie is HttpOnly and SameSite=Lax, for the whole " +
			"site, with no other attributes"},
	{"cookie/attributes", LevelAdapter, cookieAttributes,
		"scs.SessionCookie: every attribute is sent as it is set"},
	{"cookie/browser-session", LevelAdapter, cookieBrowserSession,
		"scs.SessionCookie.Persist: if it is false the cookie ends with the browser session: it " +
			"has neither Expires nor Max-Age"},
	{"cookie/remember-me", LevelAdapter, cookieRememberMe,
		"scs.RememberMe: the cookie becomes persistent for this session"},
	{"cookie/max-age", LevelAdapter, cookieMaxAge,
		"RFC 6265bis 5.5: user agents limit the age of a cookie to 400 days, 34560000 seconds"},
	{"cookie/deletion", LevelAdapter, cookieDeletion,
		"RFC 6265bis 5.7: a cookie replaces only one with the same Domain, Path and Partitioned"},
	{"cookie/once", LevelAdapter, cookieOnce,
		"RFC 6265 4.1.1: at most one Set-Cookie of a name; the application's own cookies stay"},
	{"cookie/no-store", LevelAdapter, cookieNoStore,
		"OWASP: no cache may store a response that sets a session cookie"},
	{"cookie/vary", LevelAdapter, cookieVary,
		"RFC 9110 12.5.5: a response that depends on the session varies by the Cookie header"},
	{"cookie/bad-samesite", LevelAdapter, refuses(badSameSite),
		"RFC 6265bis 5.7: SameSite=None without Secure is rejected; building the middleware panics"},
	{"cookie/bad-partitioned", LevelAdapter, refuses(badPartitioned),
		"CHIPS: Partitioned without Secure is rejected; building the middleware panics"},
	{"cookie/bad-prefix", LevelAdapter, refuses(badPrefix),
		"RFC 6265bis 4.1.3: __Host- and __Secure-, in any case, have requirements; building the " +
			"middleware without them panics"},
	{"cookie/bad-name", LevelAdapter, refuses(badName),
		"RFC 6265 4.1.1: the name of a cookie is a token; building the middleware with another panics"},
	{"cookie/bad-size", LevelAdapter, refuses(badSize),
		"RFC 6265bis 5.6: 4096 octets for name and value, 1024 for an attribute; building " +
			"the middleware with more panics"},
	{"cookie/bad-lifetime", LevelAdapter, refuses(badLifetime),
		"RFC 6265bis 5.5: a session of more than 400 days outlives every cookie; " +
			"building the middleware panics"},
}

func cookieDefaults(t *checkT) {
	s := t.newSite().open()
	c := s.browser().put("k", "v").wantCookie(t)
	expires, age := c.attributes["expires"], c.attributes["max-age"]
	delete(c.attributes, "expires")
	delete(c.attributes, "max-age")
	want := map[string]string{"path": "/", "httponly": "", "samesite": "Lax"}
	if c.name != "session" || !maps.Equal(c.attributes, want) {
		t.Errorf("cookie: name %q, attributes %v, want %q and %v", c.name, c.attributes, "session", want)
	}
	if expires == "" || age == "" {
		t.Errorf("cookie: Expires %q, Max-Age %q: want both, for old and new browsers",
			expires, age)
	}
}

// strictest sets every attribute of the cookie.
func strictest(a *App) {
	c := &a.Sessions.Cookie
	c.Name, c.Domain, c.Path = "__Secure-id", "example.org", "/app"
	c.Secure, c.Partitioned, c.SameSite = true, true, http.SameSiteNoneMode
}

func cookieAttributes(t *checkT) {
	s := t.newSite()
	strictest(&s.app)
	s.open()
	c := s.browser().put("k", "v").wantCookie(t)
	delete(c.attributes, "expires")
	delete(c.attributes, "max-age")
	want := map[string]string{
		"domain": "example.org", "path": "/app", "secure": "", "partitioned": "", "samesite": "None",
		"httponly": "",
	}
	if !maps.Equal(c.attributes, want) {
		t.Errorf("cookie: attributes %v, want %v", c.attributes, want)
	}

	bare := t.newSite()
	bare.sm.Cookie.HttpOnly, bare.sm.Cookie.SameSite, bare.sm.Cookie.Path = false, 0, ""
	bare.sm.Cookie.Persist = false
	bare.open()
	if c := bare.browser().put("k", "v").wantCookie(t); len(c.attributes) != 0 {
		t.Errorf("cookie: attributes %v, want none", c.attributes)
	}
}

func cookieBrowserSession(t *checkT) {
	s := t.newSite()
	s.sm.Cookie.Persist = false
	s.open()
	if c := s.browser().put("k", "v").wantCookie(t); c.has("expires") || c.has("max-age") {
		t.Errorf("cookie: attributes %v, want neither Expires nor Max-Age", c.attributes)
	}
}

func cookieRememberMe(t *checkT) {
	s := t.newSite()
	s.sm.Cookie.Persist = false
	s.route("/remember", func(c Context) error {
		s.sm.RememberMe(c.Context(), c.Query("yes") != "")
		return c.Send(http.StatusOK, "ok")
	})
	s.open()
	b := s.browser()
	if c := b.get("/remember?yes=1").wantCookie(t); !c.has("expires") || !c.has("max-age") {
		t.Errorf("cookie after RememberMe(true): attributes %v, want Expires and Max-Age", c.attributes)
	}
	if c := b.put("k", "v").wantCookie(t); !c.has("max-age") {
		t.Error("cookie of a later request: no Max-Age, want one")
	}
	if c := b.get("/remember").wantCookie(t); c.has("expires") || c.has("max-age") {
		t.Errorf("cookie after RememberMe(false): attributes %v, want neither Expires nor Max-Age",
			c.attributes)
	}
}

func cookieMaxAge(t *checkT) {
	const most = 400 * 24 * time.Hour
	s := t.newSite()
	s.sm.Lifetime = most
	s.open()
	c := s.browser().put("k", "v").wantCookie(t)
	seconds := int(most / time.Second)
	age, err := strconv.Atoi(c.attributes["max-age"])
	if err != nil || age > seconds || age < seconds-60 {
		t.Errorf("cookie: Max-Age=%s, want %d to %d", c.attributes["max-age"], seconds-60, seconds)
	}
	if expires, err := http.ParseTime(c.attributes["expires"]); err != nil ||
		time.Until(expires) > most {
		t.Errorf("cookie: Expires=%s, want at most 400 days from now", c.attributes["expires"])
	}
}

func cookieDeletion(t *checkT) {
	s := t.newSite()
	strictest(&s.app)
	s.open()
	b := s.browser()
	given := b.put("k", "v").wantCookie(t)
	a := b.get("/destroy")
	c := a.session(t)
	if c == nil {
		t.Fatal("destroy: the response has no session cookie")
	}
	if !c.deletes() || c.value != "" {
		t.Errorf("destroy: the cookie has the value %q and attributes %v, want none and Max-Age=0",
			c.value, c.attributes)
	}
	if expires, err := http.ParseTime(c.attributes["expires"]); err != nil ||
		!expires.Before(time.Now()) {
		t.Errorf("destroy: Expires=%q, want a time in the past", c.attributes["expires"])
	}
	for _, name := range []string{"domain", "path", "partitioned", "secure", "httponly", "samesite"} {
		if c.has(name) != given.has(name) || c.attributes[name] != given.attributes[name] {
			t.Errorf("destroy: %s is %q, want %q as in the cookie to delete", name,
				c.attributes[name], given.attributes[name])
		}
	}
}

func cookieOnce(t *checkT) {
	s := t.newSite()
	s.route("/own", func(c Context) error {
		c.SetHeader("Set-Cookie", c.Query("cookie"))
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "own")
	})
	s.open()
	for _, own := range []string{"theme=dark", "session2=two", "Session=upper", "sess=part"} {
		b := s.browser()
		a := b.get("/own?cookie=" + own)
		a.wantCookie(t)
		if lines := a.header["Set-Cookie"]; len(lines) != 2 || !slices.Contains(lines, own) {
			t.Errorf("Set-Cookie has %d lines, want the session's and %q", len(lines), own)
		}
		b.wantValue("k", "v")
	}
	b := s.browser()
	if a := b.get("/own?cookie=session=forged"); a.wantCookie(t).value == "forged" ||
		len(a.header["Set-Cookie"]) != 1 {
		t.Errorf("a cookie that the handler has set under the session's name: %d lines, want the "+
			"session's own in its place", len(a.header["Set-Cookie"]))
	}
	b.wantValue("k", "v")
}

func cookieNoStore(t *checkT) {
	s := t.newSite()
	public := func(h Handler) Handler {
		return func(c Context) error {
			c.SetHeader("Cache-Control", "public, max-age=600")
			return h(c)
		}
	}
	for i, r := range s.app.Routes {
		s.app.Routes[i].Handler = public(r.Handler)
	}
	s.open()
	b := s.browser()
	for _, path := range []string{"/put?k=k&v=v", "/renew", "/destroy"} {
		if got := b.get(path).header["Cache-Control"]; len(got) != 1 || got[0] != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store with a session cookie", path, got)
		}
	}
	if got := b.get("/plain").header["Cache-Control"]; len(got) != 1 ||
		got[0] != "public, max-age=600" {
		t.Errorf("no session cookie: Cache-Control is %q, want the handler's", got)
	}
}

func cookieVary(t *checkT) {
	s := t.newSite()
	s.route("/vary", func(c Context) error {
		c.SetHeader("Vary", c.Query("vary"))
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "vary")
	})
	s.open()
	b := s.browser()
	fields := func(path string) []string {
		var fields []string
		for _, line := range b.get(path).header["Vary"] {
			for field := range strings.SplitSeq(line, ",") {
				fields = append(fields, strings.ToLower(strings.TrimSpace(field)))
			}
		}
		slices.Sort(fields)
		return fields
	}
	for path, want := range map[string][]string{
		"/get?k=k":            {"cookie"},
		"/put?k=k&v=v":        {"cookie"},
		"/vary?vary=Accept":   {"accept", "cookie"},
		"/vary?vary=cookie":   {"cookie"},
		"/vary?vary=Origin,X": {"cookie", "origin", "x"},
	} {
		if got := fields(path); !slices.Equal(got, want) {
			t.Errorf("%s: Vary is %q, want %q", path, got, want)
		}
	}
}

// refuses returns a check that building the middleware panics under each of the settings.
func refuses(settings map[string]func(*App)) func(t *checkT) {
	return func(t *checkT) {
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			s := t.newSite()
			settings[name](&s.app)
			if !s.panics() {
				t.Errorf("%s: building the middleware did not panic", name)
			}
		}
	}
}

// panics reports whether building the middleware panics.
func (s *site) panics() (p bool) {
	defer func() {
		if recover() != nil {
			p = true
		}
	}()
	s.open()
	return false
}

var (
	badSameSite = map[string]func(*App){
		"SameSite=None": func(a *App) { a.Sessions.Cookie.SameSite = http.SameSiteNoneMode },
	}
	badPartitioned = map[string]func(*App){
		"Partitioned": func(a *App) { a.Sessions.Cookie.Partitioned = true },
	}
	badPrefix = map[string]func(*App){
		"__Secure-": func(a *App) { a.Sessions.Cookie.Name = "__Secure-id" },
		"__sEcUrE-": func(a *App) { a.Sessions.Cookie.Name = "__sEcUrE-id" },
		"__Host-":   func(a *App) { a.Sessions.Cookie.Name = "__Host-id" },
		"__Host- with a Domain": func(a *App) {
			a.Sessions.Cookie.Name, a.Sessions.Cookie.Secure, a.Sessions.Cookie.Domain = "__Host-id", true,
				"example.org"
		},
		"__HOST- with a Path": func(a *App) {
			a.Sessions.Cookie.Name, a.Sessions.Cookie.Secure, a.Sessions.Cookie.Path = "__HOST-id", true,
				"/app"
		},
		"__host- without a Path": func(a *App) {
			a.Sessions.Cookie.Name, a.Sessions.Cookie.Secure, a.Sessions.Cookie.Path = "__host-id", true, ""
		},
	}
	badName = map[string]func(*App){
		"no name":        func(a *App) { a.Sessions.Cookie.Name = "" },
		"a space":        func(a *App) { a.Sessions.Cookie.Name = "my session" },
		"an equals sign": func(a *App) { a.Sessions.Cookie.Name = "my=session" },
		"a semicolon":    func(a *App) { a.Sessions.Cookie.Name = "my;session" },
		"a line break":   func(a *App) { a.Sessions.Cookie.Name = "my\r\nsession" },
		"not ASCII":      func(a *App) { a.Sessions.Cookie.Name = "séance" },
	}
	badSize = map[string]func(*App){
		"name and value": func(a *App) { a.Sessions.Cookie.Name = strings.Repeat("n", 4090) },
		"path":           func(a *App) { a.Sessions.Cookie.Path = "/" + strings.Repeat("p", 1024) },
		"domain":         func(a *App) { a.Sessions.Cookie.Domain = strings.Repeat("d", 1021) + ".org" },
	}
	badLifetime = map[string]func(*App){
		"401 days": func(a *App) { a.Sessions.Lifetime = 401 * 24 * time.Hour },
		"none":     func(a *App) { a.Sessions.Lifetime = 0 },
	}
)
