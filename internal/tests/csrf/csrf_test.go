// Package csrf_test runs the code that docs/security.md shows about CSRF, with each protection
// outside and inside the session's middleware.
package csrf_test

import (
	"net/http"
	"slices"
	"testing"
)

var protections = slices.Concat(onHTTP, onGin, onEcho, onEchoV5, onFiber, onFiberV3)

func TestCSRF(t *testing.T) {
	for _, p := range protections {
		for _, order := range p.orders {
			for _, modern := range []bool{true, false} {
				name := p.name + "/" + order.String() + "/modern"
				if !modern {
					name = p.name + "/" + order.String() + "/old"
				}
				t.Run(name, func(t *testing.T) {
					testProtection(t, p, open(t, p.app(newSessions(t), order), modern))
				})
			}
		}
	}
}

func testProtection(t *testing.T, p protection, b *browser) {
	response := b.send(http.MethodGet, "/form", "", own)
	if token := b.read(response); token == "" && p.cookie != "" {
		t.Error("the page has no token")
	}
	want := []string{"__Host-session"}
	if p.cookie != "" && (!b.modern || !p.metadata) {
		want = []string{p.cookie, "__Host-session"}
	}
	h := response.Header
	if got := names(h); !slices.Equal(got, want) {
		t.Errorf("the first page sets the cookies %q, want %q", got, want)
	}
	if !varies(h) || h.Get("Cache-Control") != "no-store" {
		t.Errorf("the first page: Vary %q, Cache-Control %q, want Cookie and no-store", h["Vary"],
			h["Cache-Control"])
	}

	b.wantPassed("/note?text=tea")
	b.wantShown("after a note", " tea")
	b.wantRefused("from another site", "", other)
	b.wantRefused("from another host of the site", "", sibling)

	anonymous, token := b.session(), b.form()
	h = b.wantPassed("/sign-in")
	if got := names(h); !slices.Contains(got, "__Host-session") || !varies(h) {
		t.Errorf("the sign-in sets the cookies %q, and varies by %q", got, h["Vary"])
	}
	if b.session() == anonymous {
		t.Error("the sign-in keeps the token of the session")
	}
	b.wantShown("after the sign-in", "ada tea")
	if p.renews {
		b.form()
		b.wantRefused("with the token from before the sign-in", token, own)
	}
	b.wantPassed("/note?text=milk")
	b.wantShown("after a note of the user", "ada milk")
	b.wantRefused("from another site, to the user", "", other)

	b.wantPassed("/sign-out")
	if b.session() != "" {
		t.Error("the browser has a session cookie after the sign-out")
	}
	b.wantShown("after the sign-out", " ")
	b.wantPassed("/note?text=new")
	b.wantShown("in the next session", " new")
}

// TestLimits shows where the protections differ.
func TestLimits(t *testing.T) {
	for _, p := range protections {
		t.Run(p.name, func(t *testing.T) {
			b := open(t, p.app(newSessions(t), p.orders[0]), true)
			token := b.form()
			status, _ := b.post("/note?text=x", "", silent)
			if passed := status == http.StatusOK; passed != p.noOrigin {
				t.Errorf("a browser without Sec-Fetch-Site and Origin, no token: status %d", status)
			}
			status, _ = b.post("/note?text=x", token, private)
			if passed := status == http.StatusOK; passed == p.needsPage {
				t.Errorf("a page with the Referrer-Policy no-referrer: status %d", status)
			}
		})
	}
}
