package shoptest

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// Share visits, as one browser, two shops that use the same store. They must be on the same host:
// cookies do not depend on the port.
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
	b.post("/signin", "name", "Ada") // renews the token
	if a.token() == before {
		t.Error("the token did not change at the second sign-in")
	}
	a.wants(a.front(), "The cart of Ada", "from-one", "from-other")

	bothKept(t, &a, &b)

	adas := a.token()
	b.wants(b.post("/signin", "name", "Grace"), "The cart of Grace", "Nothing yet")
	a.wants(a.front(), "The cart of Grace", "Nothing yet")

	signedOut := b.token()
	b.wants(b.post("/signout"), "Sign in")
	a.wants(a.front(), "Sign in")
	tokens := map[string]string{
		"before the renewal": before, "of the first user": adas, "signed out": signedOut,
	}
	for _, v := range []*visitor{&a, &b} {
		for name, token := range tokens {
			client.Jar.SetCookies(v.url(), []*http.Cookie{{Name: "session", Value: token}})
			status, body := v.do(http.MethodPost, "/cart", url.Values{"item": {"refused"}})
			if status != http.StatusOK {
				t.Errorf("the token %s: status %d: %s", name, status, body)
			}
			v.wants(v.front(), "Sign in")
		}
	}
}

// bothKept adds items to the cart of one session through both shops at the same time.
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
				status, body, err := v.try(http.MethodPost, "/cart", form)
				if err != nil || status != http.StatusOK {
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
