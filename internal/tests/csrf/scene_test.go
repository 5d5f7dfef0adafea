package csrf_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

func newSessions(t *testing.T) *scs.SessionManager {
	t.Helper()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.Cookie.Name = "__Host-session"
	sessions.Cookie.Secure = true
	return sessions
}

// order is where the protection stands.
type order bool

const (
	outside order = false // of the session's middleware
	inside  order = true
)

func (o order) String() string {
	if o == inside {
		return "inside"
	}
	return "outside"
}

// serve serves an application over a listener until that is closed.
type serve func(net.Listener) error

func handler(h http.Handler) serve {
	return func(l net.Listener) error { return http.Serve(l, h) } //nolint:gosec // in a test
}

// protection is a way to protect an application from CSRF.
type protection struct {
	name   string
	orders []order
	app    func(*scs.SessionManager, order) serve

	cookie    string // of its token, or empty if it has none
	metadata  bool   // a request with Sec-Fetch-Site needs no token, and sets no such cookie
	noOrigin  bool   // passes a request without Sec-Fetch-Site, Origin and token
	needsPage bool   // refuses requests from pages with the policy no-referrer
	renews    bool   // a sign-in makes a new token
}

var both = []order{outside, inside}

// The routes of every application. A page puts something into the session, so that the response to
// the first request sets the cookies of both.

func page(ctx context.Context, sessions *scs.SessionManager) {
	sessions.Put(ctx, "seen", true)
}

func signIn(ctx context.Context, sessions *scs.SessionManager) error {
	if err := sessions.RenewToken(ctx); err != nil {
		return err
	}
	sessions.Put(ctx, "user", "ada")
	return nil
}

func show(ctx context.Context, sessions *scs.SessionManager) string {
	return sessions.GetString(ctx, "user") + " " + sessions.GetString(ctx, "note")
}

// routes are the routes on net/http. token returns the token for a page.
func routes(sessions *scs.SessionManager, token func(*http.Request) string) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /form", func(w http.ResponseWriter, r *http.Request) {
		page(r.Context(), sessions)
		_, _ = io.WriteString(w, token(r))
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, show(r.Context(), sessions))
	})
	mux.HandleFunc("POST /note", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "note", r.URL.Query().Get("text"))
	})
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := signIn(r.Context(), sessions); err != nil {
			http.Error(w, "", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			http.Error(w, "", http.StatusInternalServerError)
		}
	})
	return mux
}

func noToken(*http.Request) string { return "" }

// browser is a browser of one user.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
	modern bool // sends Sec-Fetch-Site
}

// open serves the application over TLS, and returns a browser that has no cookies.
func open(t *testing.T, serve serve, modern bool) *browser {
	t.Helper()
	server := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(server.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	config := &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}
	go func() { _ = serve(tls.NewListener(l, config)) }()
	client := server.Client()
	if client.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return &browser{t, "https://" + l.Addr().String(), client, modern}
}

// site is where a request comes from.
type site uint8

const (
	own     site = iota
	other        // another site, whose request carries the cookies
	sibling      // another host of the same site
	silent       // another site, and a browser that says nothing about it
	private      // the application's page, with the Referrer-Policy no-referrer
)

func (b *browser) send(method, path, token string, from site) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("X-CSRF-Token", token)
	}
	origin, metadata := b.base, "same-origin"
	switch from {
	case other, silent:
		origin, metadata = "https://evil.example", "cross-site"
	case sibling:
		origin, metadata = "https://blog.test", "same-site"
	}
	switch from {
	case silent:
	case private:
		r.Header.Set("Origin", "null")
		r.Header.Set("Sec-Fetch-Site", metadata)
	default:
		r.Header.Set("Referer", origin+"/form")
		if method != http.MethodGet {
			r.Header.Set("Origin", origin)
		}
		if b.modern {
			r.Header.Set("Sec-Fetch-Site", metadata)
		}
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return response
}

func (b *browser) read(response *http.Response) string {
	b.t.Helper()
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *browser) form() string {
	b.t.Helper()
	return b.read(b.send(http.MethodGet, "/form", "", own))
}

func (b *browser) post(path, token string, from site) (status int, h http.Header) {
	b.t.Helper()
	response := b.send(http.MethodPost, path, token, from)
	b.read(response)
	return response.StatusCode, response.Header
}

func (b *browser) wantPassed(path string) http.Header {
	b.t.Helper()
	status, h := b.post(path, b.form(), own)
	if status != http.StatusOK {
		b.t.Fatalf("%s from the own site: status %d, want 200", path, status)
	}
	return h
}

// wantRefused posts, and wants a refusal that leaves the session and its cookie alone.
func (b *browser) wantRefused(why, token string, from site) {
	b.t.Helper()
	before, session := b.read(b.send(http.MethodGet, "/", "", own)), b.session()
	status, h := b.post("/note?text=forged", token, from)
	if status != http.StatusForbidden && status != http.StatusBadRequest {
		b.t.Errorf("%s: status %d, want 403 or 400", why, status)
	}
	if slices.Contains(names(h), "__Host-session") {
		b.t.Errorf("%s: the response sets the session cookie", why)
	}
	after := b.read(b.send(http.MethodGet, "/", "", own))
	if after != before || b.session() != session {
		b.t.Errorf("%s: the session has changed from %q to %q", why, before, after)
	}
}

func (b *browser) wantShown(when, want string) {
	b.t.Helper()
	if got := b.read(b.send(http.MethodGet, "/", "", own)); got != want {
		b.t.Errorf("%s: the session shows %q, want %q", when, got, want)
	}
}

// session returns the session token that the browser has, or "".
func (b *browser) session() string {
	b.t.Helper()
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "__Host-session" {
			return c.Value
		}
	}
	return ""
}

// names returns the sorted names of the cookies that a response sets.
func names(h http.Header) []string {
	var all []string
	for _, line := range h.Values("Set-Cookie") {
		name, _, _ := strings.Cut(line, "=")
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// varies reports whether a response varies by the Cookie header.
func varies(h http.Header) bool {
	fields := strings.Split(strings.Join(h.Values("Vary"), ","), ",")
	return slices.ContainsFunc(fields, func(f string) bool {
		return strings.EqualFold(strings.TrimSpace(f), "Cookie")
	})
}
