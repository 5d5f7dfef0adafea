package shoptest

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// Share visits two shops that keep their sessions in one place, as one browser. They must be at the
// same host, whose ports share their cookies.
func Share(t *testing.T, one, other string) {
	t.Helper()
	client := newClient(t)
	a, b := visitor{t: t, base: one, client: client}, visitor{t: t, base: other, client: client}

	a.wants(a.post("/signin", "name", "Ada"), "Welcome!")
	b.wants(b.front(), "The cart of Ada")
	a.post("/cart", "item", "from-one", "note", "first note")
	b.wants(b.post("/cart", "item", "from-other", "note", "second note"), "from-one", "first note")
	a.wants(a.front(), "from-other", "second note")

	before := a.token()
	b.post("/signin", "name", "Grace") // renews the token
	if a.token() == before {
		t.Error("the token did not change at the second sign-in")
	}
	a.wants(a.front(), "The cart of Grace", "from-one", "from-other")

	bothKept(t, &a, &b)

	signedOut := b.token()
	b.wants(b.post("/signout"), "Sign in")
	a.wants(a.front(), "Sign in")
	for _, v := range []*visitor{&a, &b} {
		for name, token := range map[string]string{"before the renewal": before,
			"signed out": signedOut} {
			client.Jar.SetCookies(v.url(), []*http.Cookie{{Name: "session", Value: token}})
			if status, body := v.do(http.MethodPost, "/cart",
				url.Values{"item": {"stray"}}); status != http.StatusOK {
				t.Errorf("the token %s: status %d: %s", name, status, body)
			}
			v.wants(v.front(), "Sign in")
		}
	}
}

// bothKept has both shops add to the cart of one session at the same time.
func bothKept(t *testing.T, a, b *visitor) {
	t.Helper()
	const each = 8
	var writers sync.WaitGroup
	start := make(chan struct{})
	for i := range each {
		for name, v := range map[string]*visitor{"one": a, "other": b} {
			writers.Go(func() {
				<-start
				form := url.Values{"item": {fmt.Sprintf("%s-%d", name, i)}, "note": {"at once"}}
				if status, body, err := v.try(http.MethodPost, "/cart", form); err != nil ||
					status != http.StatusOK {
					t.Errorf("POST /cart: status %d, %v: %s", status, err, body)
				}
			})
		}
	}
	close(start)
	writers.Wait()
	for _, v := range []*visitor{a, b} {
		page := v.front()
		for i := range each {
			v.wants(page, fmt.Sprintf("one-%d", i), fmt.Sprintf("other-%d", i))
		}
	}
}
