package adapters_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/cookiestore"
)

// ask makes one request with the headers, names and values in turn, to handler.
func ask(
	sm *scs.SessionManager, header []string, handler http.HandlerFunc, opts ...adapters.Option,
) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	opts = append(opts, adapters.Logger(nil))
	scshttp.LoadAndSave(sm, opts...)(handler).ServeHTTP(w, r)
	return w.Result()
}

const tokenHeader = "X-Session-Token"

var inBoth = adapters.Tokens(adapters.InCookie(), adapters.InHeader(tokenHeader))

// answered returns how the response carries a token: "nothing", or what it sets.
func answered(res *http.Response) string {
	var parts []string
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			parts = append(parts, "expired cookie")
		} else {
			parts = append(parts, "cookie")
		}
	}
	if lines, ok := res.Header[tokenHeader]; ok && strings.Join(lines, "") == "" {
		parts = append(parts, "empty header")
	} else if ok {
		parts = append(parts, "header")
	}
	if parts == nil {
		return "nothing"
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		parts = append(parts, "cacheable")
	}
	return strings.Join(parts, ", ")
}

// TestWhichTransportAnswers tests requests that use none, one or both of two transports.
func TestWhichTransportAnswers(t *testing.T) {
	sm := newManager(t, nil)
	live, other := begin(t, sm, map[string]any{"k": 1}), begin(t, sm, map[string]any{"k": 2})
	read := func(_ http.ResponseWriter, r *http.Request) { sm.GetInt(r.Context(), "k") }
	write := func(_ http.ResponseWriter, r *http.Request) { sm.Put(r.Context(), "new", "value") }
	renew := func(_ http.ResponseWriter, r *http.Request) {
		if err := sm.RenewToken(r.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name    string
		header  []string
		handler http.HandlerFunc
		want    string
	}{
		{"no token, reads", nil, read, "nothing"},
		{"no token, writes", nil, write, "cookie"},
		{"asks, reads", []string{tokenHeader, ""}, read, "nothing"},
		{"asks, writes", []string{tokenHeader, ""}, write, "header"},
		{"unknown header", []string{tokenHeader, "unknown"}, read, "empty header"},
		{"unknown header, writes", []string{tokenHeader, "unknown"}, write, "header"},
		{"malformed header", []string{tokenHeader, "a b"}, read, "empty header"},
		{"two lines", []string{tokenHeader, live, tokenHeader, live}, read, "empty header"},
		{"long header", []string{tokenHeader, strings.Repeat("x", 513)}, read, "empty header"},
		{"unknown cookie", []string{"Cookie", "session=unknown"}, read, "expired cookie"},
		{"long cookie", []string{"Cookie", "session=" + strings.Repeat("x", 513)}, read,
			"expired cookie"},
		{"unknown cookie, asks", []string{"Cookie", "session=a", tokenHeader, ""}, write, "cookie"},
		{"live header, reads", []string{tokenHeader, live}, read, "nothing"},
		{"live header, writes", []string{tokenHeader, live}, write, "nothing"},
		{"unknown cookie, live header", []string{"Cookie", "session=a", tokenHeader, live}, write,
			"nothing"},
		{"four unknown cookies, live header",
			[]string{"Cookie", "session=a; session=b; session=c; session=d", tokenHeader, live}, write,
			"nothing"},
		{"live cookie, unknown header", []string{"Cookie", "session=" + live, tokenHeader, "a"}, read,
			"nothing"},
		{"two live sessions, renews", []string{"Cookie", "session=" + other, tokenHeader, live}, renew,
			"cookie"},
		{"live header, renews", []string{tokenHeader, live}, renew, "header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := ask(sm, tt.header, tt.handler, inBoth)
			if got := answered(res); got != tt.want || res.StatusCode != http.StatusOK {
				t.Errorf("got %s, status %d, want %s", got, res.StatusCode, tt.want)
			}
			if got := res.Header.Get("Vary"); got != "Cookie, "+tokenHeader {
				t.Errorf("Vary: got %q", got)
			}
		})
	}
}

// TestBearerAnswersInItsHeader tests InBearer with a header of its own, and Vary beside the
// application's.
func TestBearerAnswersInItsHeader(t *testing.T) {
	sm := newManager(t, nil)
	opts := adapters.Tokens(adapters.InBearer("x-app-token"))
	put := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		sm.Put(r.Context(), "k", "v")
	}
	res := ask(sm, nil, put, opts)
	token := res.Header.Get("X-App-Token")
	if token == "" || len(res.Cookies()) != 0 {
		t.Fatalf("headers %v, want X-App-Token and no cookie", res.Header)
	}
	if got := res.Header["Vary"]; len(got) != 2 || got[1] != "Authorization" {
		t.Errorf("Vary: got %q, want Origin and Authorization", got)
	}
	var got string
	get := func(_ http.ResponseWriter, r *http.Request) { got = sm.GetString(r.Context(), "k") }
	if ask(sm, []string{"Authorization", "bearer " + token}, get, opts); got != "v" {
		t.Errorf("session: got %q, want v", got)
	}
	if ask(sm, []string{"Cookie", "session=" + token}, get, opts); got != "" {
		t.Error("Tokens without InCookie takes a token from the cookie")
	}
}

// TestSharedHeader tests two managers around one request with one header for their tokens.
func TestSharedHeader(t *testing.T) {
	outer, inner := newManager(t, nil), newManager(t, nil)
	for name, tt := range map[string]struct {
		outer, inner adapters.Transport
		status       int
	}{
		"one header":   {adapters.InHeader("X-A"), adapters.InHeader("x-a"), 500},
		"one answer":   {adapters.InHeader("X-A"), adapters.InBearer("X-A"), 500},
		"one bearer":   {adapters.InBearer("X-A"), adapters.InBearer("X-B"), 500},
		"two headers":  {adapters.InHeader("X-A"), adapters.InBearer("X-B"), 200},
		"and a cookie": {adapters.InHeader("X-A"), adapters.InCookie(), 200},
	} {
		handler := scshttp.LoadAndSave(inner, adapters.Tokens(tt.inner), adapters.Logger(nil))(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		res := ask(outer, nil, handler.ServeHTTP, adapters.Tokens(tt.outer))
		if res.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, tt.status)
		}
	}
}

// TestCookiePerRequest tests what the function sees, and that cookies that browsers would drop are
// errors that name the fix.
func TestCookiePerRequest(t *testing.T) {
	type attributes = adapters.CookieAttributes
	for _, tt := range []struct {
		name string
		give attributes
		host bool
		want string // the error, or "" for none
	}{
		{"secure", attributes{Secure: true, SameSite: http.SameSiteNoneMode, Partitioned: true,
			Domain: "example.com"}, false, ""},
		{"none", attributes{}, false, ""},
		{"SameSite", attributes{SameSite: http.SameSiteNoneMode}, false,
			"CookiePerRequest: SameSite is None, which browsers accept only from a secure cookie: set " +
				"Secure"},
		{"Partitioned", attributes{Partitioned: true, Domain: "example.com"}, false,
			"CookiePerRequest: Partitioned is true, which browsers accept only from a secure cookie: set " +
				"Secure"},
		{"a port", attributes{Domain: "example.com:8080"}, false,
			`CookiePerRequest: Domain is "example.com:8080", which is no domain: return one such as ` +
				"example.com, without a port, or none"},
		{"a hostile domain", attributes{Domain: "a.com; Secure"}, false,
			`CookiePerRequest: Domain is "a.com; Secure", which is no domain: return one such as ` +
				"example.com, without a port, or none"},
		{"a host cookie", attributes{Secure: true}, true, ""},
		{"a host cookie with a domain", attributes{Secure: true, Domain: "example.com"}, true,
			`CookiePerRequest: Name is "__Host-session", and browsers accept that prefix only with ` +
				`certain attributes: set Secure and Path "/", and no Domain`},
		{"a host cookie that is not secure", attributes{}, true,
			`CookiePerRequest: Name is "__Host-session", and browsers accept that prefix only with ` +
				`certain attributes: set Secure and Path "/", and no Domain`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sm := newManager(t, nil)
			sm.Cookie.Domain, sm.Cookie.SameSite = "", http.SameSiteStrictMode
			ran, got := false, ""
			opts := []adapters.Option{
				adapters.FailOpen(), // an error in the program fails all the same
				adapters.OnError(func(_ context.Context, err error) error {
					var failure *adapters.Error
					if errors.As(err, &failure) {
						got = failure.Err.Error()
					}
					return nil
				}),
				adapters.CookiePerRequest(func(
					ctx context.Context, conn adapters.Connection, a attributes,
				) attributes {
					want := attributes{SameSite: http.SameSiteStrictMode, Secure: tt.host}
					if a != want || conn != (adapters.Connection{Host: "example.com"}) {
						t.Errorf("the function gets %+v, %+v", conn, a)
					}
					return tt.give
				}),
			}
			if tt.host {
				opts = append(opts, adapters.HostCookie())
			}
			res := ask(sm, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"},
				func(_ http.ResponseWriter, r *http.Request) {
					ran = true
					sm.Put(r.Context(), "k", "v")
				}, opts...)
			if got != tt.want || ran != (tt.want == "") || ran != (res.StatusCode == http.StatusOK) {
				t.Errorf("error %q, want %q; handler ran: %v, status %d", got, tt.want, ran, res.StatusCode)
			}
			if c := res.Cookies(); ran && (len(c) != 1 || c[0].Secure != tt.give.Secure ||
				c[0].Domain != tt.give.Domain || c[0].SameSite != tt.give.SameSite ||
				c[0].Partitioned != tt.give.Partitioned) {
				t.Errorf("cookies %v, want attributes %+v", c, tt.give)
			}
		})
	}
}

// TestHostCookie tests what HostCookie makes of the manager's settings, and what it refuses.
func TestHostCookie(t *testing.T) {
	key := [][]byte{make([]byte, 32)}
	_, _ = rand.Read(key[0])
	for _, tt := range []struct {
		name   string
		change func(sm *scs.SessionManager)
		cookie string // the cookie's name
		panic  string
	}{
		{"default", func(*scs.SessionManager) {}, "__Host-session", ""},
		{"another name", func(sm *scs.SessionManager) { sm.Cookie.Name = "id" }, "__Host-id", ""},
		{"the prefix", func(sm *scs.SessionManager) { sm.Cookie.Name = "__host-id" }, "__host-id", ""},
		{"no path", func(sm *scs.SessionManager) { sm.Cookie.Path = "" }, "__Host-session", ""},
		{"a store in the cookie", func(sm *scs.SessionManager) {
			sm.Store, _ = cookiestore.New(key, &cookiestore.Options{CookieName: "__Host-session"})
		}, "__Host-session", ""},
		{"a store in another cookie", func(sm *scs.SessionManager) {
			sm.Store, _ = cookiestore.New(key, nil)
		}, "", `SessionManager.Cookie.Name is "__Host-session", but the store seals sessions for a ` +
			`cookie "session": set the store's Options.CookieName to "__Host-session"`},
		{"a domain", func(sm *scs.SessionManager) { sm.Cookie.Domain = "example.com" }, "",
			`the option HostCookie is set, but SessionManager.Cookie.Domain is "example.com": leave it ` +
				"empty, since such a cookie is for one host"},
		{"a path", func(sm *scs.SessionManager) { sm.Cookie.Path = "/app" }, "",
			`the option HostCookie is set, but SessionManager.Cookie.Path is "/app": set "/", since such ` +
				"a cookie is for the whole host"},
		{"another prefix", func(sm *scs.SessionManager) { sm.Cookie.Name = "__Secure-id" }, "",
			`the option HostCookie is set, but SessionManager.Cookie.Name is "__Secure-id": leave the ` +
				"prefix out"},
		{"no name", func(sm *scs.SessionManager) { sm.Cookie.Name = "" }, "",
			"SessionManager.Cookie.Name is empty: set one, such as session"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sm := newManager(t, nil)
			tt.change(sm)
			sm.Codec = scskit.Codec{}
			name := sm.Cookie.Name
			defer func() {
				if p := recover(); p != nil && p != "adapters: "+tt.panic || (p != nil) != (tt.panic != "") {
					t.Errorf("panic %v, want %s", p, tt.panic)
				}
			}()
			res := ask(sm, nil, func(_ http.ResponseWriter, r *http.Request) {
				sm.Put(r.Context(), "k", "v")
			}, adapters.HostCookie())
			c := res.Cookies()
			if len(c) != 1 || c[0].Name != tt.cookie || !c[0].Secure || c[0].Path != "/" {
				t.Errorf("cookies %v, want %s with Secure and Path=/", c, tt.cookie)
			}
			if sm.Cookie.Name != name || sm.Cookie.Secure {
				t.Error("the manager has changed")
			}
		})
	}
}

// TestClearSiteData tests when the header is sent, and with what.
func TestClearSiteData(t *testing.T) {
	sm := newManager(t, nil)
	destroy := func(_ http.ResponseWriter, r *http.Request) {
		if err := sm.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name    string
		options []string
		handler http.HandlerFunc
		want    string
	}{
		{"default", nil, destroy, `"cache", "storage"`},
		{"chosen", []string{"*"}, destroy, `"*"`},
		{"beside the handler's", []string{"cache"}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Clear-Site-Data", `"cookies"`)
			destroy(w, r)
		}, `"cookies"|"cache"`},
		{"begun anew", nil, func(w http.ResponseWriter, r *http.Request) {
			destroy(w, r)
			sm.Put(r.Context(), "flash", "signed out")
		}, ""},
		{"too late", nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "the response begins")
			destroy(w, r)
		}, ""},
		{"read", nil, func(_ http.ResponseWriter, r *http.Request) { sm.Get(r.Context(), "k") }, ""},
	} {
		token := begin(t, sm, map[string]any{"k": 1})
		res := ask(sm, []string{"Cookie", "session=" + token}, tt.handler,
			adapters.ClearSiteData(tt.options...))
		if got := strings.Join(res.Header["Clear-Site-Data"], "|"); got != tt.want {
			t.Errorf("%s: Clear-Site-Data is %q, want %q", tt.name, got, tt.want)
		}
	}
	defer func() {
		want := `adapters: the option ClearSiteData has the directive "Cookies": use names of cache, ` +
			"cookies, storage, executionContexts, clientHints, prefetchCache, prerenderCache, *"
		if p := recover(); p != want {
			t.Errorf("panic %v, want %s", p, want)
		}
	}()
	adapters.NewLifecycle(sm, adapters.ClearSiteData("cache", "Cookies"))
}

// TestTokensStaySecret tests that neither the log nor the error of a failed request has its token.
func TestTokensStaySecret(t *testing.T) {
	sm := newManager(t, nil)
	token := begin(t, sm, map[string]any{"k": 1})
	sm.Store = unreachable{errors.New("connection refused")}
	var log strings.Builder
	text := ""
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(tokenHeader, token)
	l := adapters.NewLifecycle(sm, inBoth, adapters.Logger(slog.New(slog.NewTextHandler(&log, nil))),
		adapters.OnError(func(_ context.Context, err error) error { text = err.Error(); return nil }))
	if _, err := l.BeginHTTP(r); err == nil {
		t.Error("no error")
	}
	if log.Len() == 0 || strings.Contains(log.String()+text, token) {
		t.Errorf("log %q and error %q: want both, without the token", log.String(), text)
	}
}
