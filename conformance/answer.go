package conformance

import (
	"net/http"
	"strings"
)

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   string
	names  []string // the names of the session cookies
}

// want ends the check unless the response has the status and the body.
func (a *answer) want(t *checkT, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Fatalf("response: status %d and body %s, want %d and %s", a.status, brief([]byte(a.body)),
			status, brief([]byte(body)))
	}
}

// session returns the session cookie of the response, or nil if there is none. It ends the check if
// there are several.
func (a *answer) session(t *checkT) *setCookie {
	t.Helper()
	var found *setCookie
	for _, line := range a.header["Set-Cookie"] {
		c := parseCookie(line)
		if c.name != a.names[0] {
			continue
		}
		if found != nil {
			t.Fatal("the response has more than one session cookie")
		}
		found = c
	}
	return found
}

// wantCookie returns the session cookie of the response. It ends the check if there is none, or if
// it deletes.
func (a *answer) wantCookie(t *checkT) *setCookie {
	t.Helper()
	c := a.session(t)
	if c == nil {
		t.Fatalf("the response has no session cookie (status %d)", a.status)
	}
	if c.deletes() {
		t.Fatalf("the response deletes the session cookie (status %d)", a.status)
	}
	return c
}

// wantNoCookie ends the check if the response has a session cookie.
func (a *answer) wantNoCookie(t *checkT) {
	t.Helper()
	if c := a.session(t); c != nil && c.deletes() {
		t.Fatalf("the response deletes the session cookie (status %d)", a.status)
	} else if c != nil {
		t.Fatalf("the response has a session cookie (status %d)", a.status)
	}
}

// wantError checks that the response is an error, has no session cookie and nothing of the
// handler's response, and does not show the error of the store.
func (a *answer) wantError(t *checkT) {
	t.Helper()
	if a.status < 500 {
		t.Errorf("response: status %d, want an error", a.status)
	}
	if strings.Contains(a.body, "the handler's") || a.header.Get("Location") != "" {
		t.Errorf("response: body %s and Location %q are the handler's, want an error page",
			brief([]byte(a.body)), a.header.Get("Location"))
	}
	if strings.Contains(a.body, errStore.Error()) {
		t.Errorf("response: the body shows the store's error: %s", brief([]byte(a.body)))
	}
	a.wantNoCookie(t)
}

// setCookie is a Set-Cookie header, parsed as RFC 6265 demands of browsers.
type setCookie struct {
	name, value string
	attributes  map[string]string // by their names in lower case
}

func parseCookie(line string) *setCookie {
	parts := strings.Split(line, ";")
	c := &setCookie{attributes: make(map[string]string)}
	c.name, c.value, _ = strings.Cut(strings.TrimSpace(parts[0]), "=")
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		c.attributes[strings.ToLower(key)] = value
	}
	return c
}

func (c *setCookie) has(attribute string) bool {
	_, ok := c.attributes[attribute]
	return ok
}

// deletes reports whether the cookie makes a browser delete it.
func (c *setCookie) deletes() bool {
	age, ok := c.attributes["max-age"]
	return c.value == "" || ok && (age == "0" || strings.HasPrefix(age, "-"))
}
