package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// visit is a client that keeps cookies and follows redirects, as a browser without JavaScript does.
type visit struct {
	t      *testing.T
	url    *url.URL
	client *http.Client
}

// serveDemo serves the demo with the store at the URL spec.
func serveDemo(t *testing.T, spec string) *visit {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	d, err := newDemo(t.Context(), spec, server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = d
	server.Start()
	t.Cleanup(func() {
		d.events.close()
		server.Close()
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visit{t: t, url: base, client: &http.Client{Jar: jar}}
}

func serveSQLite(t *testing.T) *visit {
	t.Helper()
	return serveDemo(t, "sqlite:"+filepath.Join(t.TempDir(), "demo.db"))
}

func (v *visit) do(
	method, path string, form url.Values, header ...string,
) (*http.Response, string) {
	v.t.Helper()
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url.String()+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res, string(page)
}

// post sends a form and returns the page that the response redirects to.
func (v *visit) post(path string, fields ...string) string {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	res, body := v.do(http.MethodPost, path, form)
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/" {
		v.t.Fatalf("POST %s redirects to %s, status %d: %.300s",
			path, res.Request.URL.Path, res.StatusCode, body)
	}
	return body
}

func (v *visit) get(path string) string {
	v.t.Helper()
	res, body := v.do(http.MethodGet, path, nil)
	if res.StatusCode != http.StatusOK {
		v.t.Fatalf("GET %s: status %d", path, res.StatusCode)
	}
	return body
}

func (v *visit) token() string {
	for _, c := range v.client.Jar.Cookies(v.url) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

var slugs = []string{"gin", "echo", "echov5", "fiber", "fiberv3", "chi", "nethttp"}

func TestOneSessionThroughAll(t *testing.T) {
	v := serveSQLite(t)
	if body := v.get("/"); strings.Count(body, "No session") != len(slugs) || v.token() != "" {
		t.Errorf("the first visit has a session:\n%s", body)
	}
	for _, slug := range slugs {
		body := v.post("/"+slug+"/put", "key", "from-"+slug, "value", "<"+slug+">")
		if n := strings.Count(body, "&lt;"+slug+"&gt;"); n != len(slugs) {
			t.Errorf("%s: %d frameworks show the escaped value, want %d", slug, n, len(slugs))
		}
		for _, want := range []string{
			"POST /" + slug + "/put", "303 See Other", "Set-Cookie", "HttpOnly; SameSite=Lax",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the page does not show %q of the response", slug, want)
			}
		}
		if v.token() == "" {
			t.Errorf("%s: there is no session cookie", slug)
		} else if strings.Contains(body, v.token()) {
			t.Errorf("%s: the page shows the token", slug)
		}
	}
	for i, slug := range slugs {
		body := v.post("/"+slug+"/remove", "key", "from-"+slugs[(i+1)%len(slugs)])
		if strings.Contains(body, "&lt;"+slugs[(i+1)%len(slugs)]+"&gt;") {
			t.Errorf("%s did not remove the key", slug)
		}
	}
	for i, slug := range slugs {
		before := v.token()
		body := v.post("/"+slug+"/signin", "value", "Ada")
		if strings.Count(body, ">Ada</b>") != 1 || strings.Contains(body, ">"+reserved) {
			t.Errorf("%s: not signed in, or a reserved key is shown", slug)
		}
		if v.token() == before {
			t.Errorf("%s: the sign-in did not change the token", slug)
		}
		other := slugs[(i+2)%len(slugs)]
		body = v.post("/" + other + "/signout")
		if strings.Count(body, "No session") != len(slugs) || v.token() != "" {
			t.Errorf("%s: not signed out", other)
		}
	}
}

func TestTrials(t *testing.T) {
	specs := map[string]string{
		"memory": "memory:",
		"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "demo.db"),
		"Redis":  "redis://" + testenv.Redis(t) + "?prefix=" + testenv.Name(t) + ":",
	}
	for name, spec := range specs {
		t.Run(name, func(t *testing.T) {
			v := serveDemo(t, spec)
			body := v.post("/try/fifty")
			kept := regexp.MustCompile(`data-kept="\w+">\d+<`).FindAllString(body, -1)
			// All requests load the session before the first one saves, so stock scs keeps one write.
			want := []string{`data-kept="scskit">50<`, `data-kept="stock">1<`}
			if !slices.Equal(kept, want) {
				t.Errorf("the page shows %q, want %q", kept, want)
			}
			if n := strings.Count(body, `class="kept `); n != 51 {
				t.Errorf("%d cells are filled, want 51", n)
			}
			body = v.post("/try/race")
			for _, want := range []string{
				`data-race="scskit"><b>stays gone<`, `data-race="stock"><b>came back<`,
			} {
				if !strings.Contains(body, want) {
					t.Errorf("the race does not end with %s", want)
				}
			}
			if n := strings.Count(body, "cookie left"); n != len(slugs) {
				t.Errorf("%d frameworks leave the cookie as it is, want %d", n, len(slugs))
			}
			if v.token() != "" {
				t.Error("a trial gave the visitor a session")
			}
		})
	}
}

func TestDamage(t *testing.T) {
	v := serveSQLite(t)
	if body := v.post("/try/damage"); !strings.Contains(body, "no session to damage") {
		t.Error("the page does not say that there is no session to damage")
	}
	v.post("/fiber/put", "key", "color", "value", "green")
	body := v.post("/try/damage")
	if n := strings.Count(body, "200, no session"); n != len(slugs) {
		t.Errorf("%d frameworks answer the damaged session with status 200, want %d", n, len(slugs))
	}
	if !strings.Contains(body, "<b data-corrupt>1</b> event of kind") {
		t.Error("the page does not show one event for the damage")
	}
	if v.token() != "" {
		t.Error("the cookie of the damaged session was not removed")
	}
	body = v.post("/gin/put", "key", "color", "value", "blue")
	if strings.Count(body, ">color</dt>") != len(slugs) {
		t.Error("the next change did not begin a new session")
	}
}

func TestOnlyPostsChange(t *testing.T) {
	v := serveSQLite(t)
	v.post("/chi/put", "key", "color", "value", "green")
	paths := []string{"/try/fifty", "/try/race", "/try/damage"}
	for _, slug := range append([]string{"stock"}, slugs...) {
		for _, action := range []string{"put", "remove", "signin", "signout"} {
			paths = append(paths, "/"+slug+"/"+action)
		}
	}
	for _, path := range paths {
		res, _ := v.do(http.MethodGet, path+"?key=color", nil)
		if res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: status %d, want 405", path, res.StatusCode)
		}
		res, _ = v.do(http.MethodPost, path, url.Values{"key": {"color"}},
			"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s from another site: status %d, want 403", path, res.StatusCode)
		}
	}
	if body := v.get("/"); strings.Count(body, ">color</dt>") != len(slugs) {
		t.Error("the session was changed")
	}
}

func TestBadInput(t *testing.T) {
	v := serveSQLite(t)
	for _, slug := range slugs {
		for name, form := range map[string]url.Values{
			"no key":   {"key": {" "}, "value": {"x"}},
			"long key": {"key": {strings.Repeat("k", maxKey+1)}},
			"reserved": {"key": {userKey}, "value": {"x"}},
			"long":     {"key": {"k"}, "value": {strings.Repeat("v", maxValue+1)}},
		} {
			res, body := v.do(http.MethodPost, "/"+slug+"/put", form)
			if res.StatusCode != http.StatusBadRequest || !strings.HasPrefix(body, "A ") {
				t.Errorf("%s, %s: status %d, %q", slug, name, res.StatusCode, body)
			}
		}
	}
	for i := range maxKeys {
		v.post("/gin/put", "key", fmt.Sprint("key ", i))
	}
	res, _ := v.do(http.MethodPost, "/gin/put", url.Values{"key": {"one more"}})
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("key %d: status %d, want 400", maxKeys+1, res.StatusCode)
	}
}

func TestHeaders(t *testing.T) {
	v := serveSQLite(t)
	foreign := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script>|https?://`)
	for _, path := range []string{
		"/", "/style.css", "/cards.css", "/app.js", "/icon.svg",
		"/gin/session", "/fiber/session", "/fiberv3/session",
	} {
		res, body := v.do(http.MethodGet, path, nil)
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != http.StatusOK || !strings.Contains(csp, "default-src 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: status %d, policy %q", path, res.StatusCode, csp)
		}
		if path == "/" && foreign.MatchString(body) {
			t.Errorf("the page has inline code or external assets: %q", foreign.FindString(body))
		}
	}
}

// TestEventStream begins a session in each framework and reads the stream until it has the event,
// with the framework's name.
func TestEventStream(t *testing.T) {
	v := serveSQLite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url.String()+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	buf := make([]byte, 4096)
	names := []string{"Gin", "Echo v4", "Echo v5", "Fiber v2", "Fiber v3", "Chi", "net/http"}
	for i, name := range names {
		v.post("/"+slugs[i]+"/signin", "value", "green")
		want := fmt.Sprintf(`"Kind":"create","Outcome":"ok","Framework":%q`, name)
		for !strings.Contains(text.String(), want) {
			n, err := res.Body.Read(buf)
			text.Write(buf[:n])
			if err != nil {
				t.Fatalf("%v after %s", err, text.String())
			}
		}
		if strings.Contains(text.String(), v.token()) || strings.Contains(text.String(), "green") {
			t.Error("the events contain the token or session data")
		}
		v.post("/" + slugs[i] + "/signout")
	}
	if strings.Contains(text.String(), `"Framework":""`) {
		t.Errorf("an event has no framework: %s", text.String())
	}
}

func TestRun(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = run(t.Context(), taken.Addr().String(), "memory:")
	if err == nil || !strings.Contains(err.Error(), "-listen") {
		t.Errorf("with a port in use: %v", err)
	}
	for _, spec := range []string{
		"", "memory:x", "sqlite:", "elsewhere://localhost", "redis://:canary@127.0.0.1:1",
	} {
		err := run(t.Context(), "127.0.0.1:0", spec)
		if err == nil || !strings.Contains(err.Error(), "-store") {
			t.Errorf("with store %q: %v", spec, err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("with store %q: the error shows the password: %v", spec, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing", "demo.db")
	err = run(t.Context(), "127.0.0.1:0", "sqlite:"+missing)
	if err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("with a file that cannot be opened: %v", err)
	}
}
