// Package shoptest tests the example shops as a browser would. They behave the same on every
// framework.
package shoptest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Run visits the shop at the URL base: it signs in, fills a cart, and signs out.
func Run(t *testing.T, base string) {
	t.Helper()
	v := visitor{t: t, base: base, client: newClient(t)}

	v.wants(v.front(), "Sign in")
	if status, _ := v.do(http.MethodGet, "/signin", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /signin: status %d, want 405", status)
	}
	v.wants(v.post("/cart", "item", "refused"), "Sign in")
	if token := v.token(); token != "" {
		t.Error("a visitor who is not signed in has a session")
	}

	v.wants(v.post("/signin", "name", "<b>Ada</b>"), "Welcome!", "The cart of &lt;b&gt;Ada&lt;/b&gt;",
		"Nothing yet")
	first := v.token()
	if first == "" {
		t.Fatal("no session cookie after the sign-in")
	}
	if body := v.front(); strings.Contains(body, "Welcome!") {
		t.Error("the flash message is shown twice")
	}
	v.post("/signin", "name", "Ada")
	second := v.token()
	if second == first {
		t.Error("the token did not change at the sign-in")
	}

	const items = 4
	for i := range items {
		v.wants(v.post("/cart", "item", fmt.Sprintf("item-%d", i), "note", note(i)),
			fmt.Sprintf("Added item-%d.", i))
	}
	body := v.front()
	for i := range items {
		v.wants(body, fmt.Sprintf("item-%d", i), note(i))
	}
	if len(body) < 2*4096 {
		t.Errorf("the cart has %d bytes, want more than fit into a cookie", len(body))
	}
	if body := v.post("/cart/remove", "item", "item-1"); strings.Contains(body, note(1)) {
		t.Error("the removed item is still in the cart")
	}

	v.wants(v.post("/signout"), "Sign in")
	if v.token() != "" {
		t.Error("the cookie is still there after the sign-out")
	}
	for name, token := range map[string]string{"before the sign-in": first, "signed out": second} {
		v.client.Jar.SetCookies(v.url(), []*http.Cookie{{Name: "session", Value: token}})
		if body := v.front(); !strings.Contains(body, "Sign in") {
			t.Errorf("the token %s still opens a session", name)
		}
	}
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func note(i int) string { return strings.Repeat(fmt.Sprintf("note %d, ", i), 300) }

type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (v *visitor) front() string {
	v.t.Helper()
	status, body := v.do(http.MethodGet, "/", nil)
	if status != http.StatusOK {
		v.t.Fatalf("GET /: status %d: %s", status, body)
	}
	return body
}

// post sends a form and returns the page that the response redirects to.
func (v *visitor) post(path string, fields ...string) string {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	status, body := v.do(http.MethodPost, path, form)
	if status != http.StatusOK {
		v.t.Fatalf("POST %s: status %d: %s", path, status, body)
	}
	return body
}

func (v *visitor) do(method, path string, form url.Values) (status int, page string) {
	v.t.Helper()
	status, page, err := v.try(method, path, form)
	if err != nil {
		v.t.Fatal(err)
	}
	return status, page
}

// try is like do, but any goroutine may call it.
func (v *visitor) try(method, path string, form url.Values) (status int, page string, err error) {
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err
	}
	contentType := res.Header.Get("Content-Type")
	if res.StatusCode == http.StatusOK && !strings.HasPrefix(contentType, "text/html") {
		v.t.Errorf("%s %s: Content-Type %q", method, path, contentType)
	}
	return res.StatusCode, string(body), nil
}

func (v *visitor) wants(body string, parts ...string) {
	v.t.Helper()
	for _, part := range parts {
		if !strings.Contains(body, part) {
			v.t.Errorf("the page lacks %.60q:\n%.500s", part, body)
		}
	}
}

func (v *visitor) url() *url.URL {
	u, err := url.Parse(v.base)
	if err != nil {
		v.t.Fatal(err)
	}
	return u
}

func (v *visitor) token() string {
	for _, c := range v.client.Jar.Cookies(v.url()) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}
