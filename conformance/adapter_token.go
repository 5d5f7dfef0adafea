package conformance

import (
	"net/http"
	"strings"
)

// adapterTokenChecks cover session tokens: the OWASP Session Management Cheat Sheet.
var adapterTokenChecks = []check{
	{"token/random", LevelAdapter, tokenRandom,
		"OWASP session id entropy: a token has at least 128 random bits"},
	{"token/cookie-only", LevelAdapter, tokenCookieOnly,
		"OWASP session id exchange: the token comes from the cookie, never from URL, header or form"},
	{"token/cookie-exact", LevelAdapter, tokenCookieExact,
		"RFC 6265 4.1.1: the name of a cookie is compared byte for byte"},
}

func tokenRandom(t *checkT) {
	const n = 100
	s := t.newSite().open()
	tokens := make(map[string]bool)
	varies := make(map[int]map[byte]bool)
	for range n {
		token := s.browser().put("k", "v").wantCookie(t).value
		if tokens[token] {
			t.Fatal("two sessions got the same token")
		}
		tokens[token] = true
		for i := range len(token) {
			if varies[i] == nil {
				varies[i] = make(map[byte]bool)
			}
			varies[i][token[i]] = true
		}
	}
	// At one place of a hundred random base64 tokens, some fifty characters differ, and each stands
	// for 6 bits. A place with more than 25 counts as random, with 5 bits.
	bits := 0
	for _, seen := range varies {
		if len(seen) > 25 {
			bits += 5
		}
	}
	if bits < 128 {
		t.Errorf("about %d bits of a token are random, want 128", bits)
	}
}

func tokenCookieOnly(t *checkT) {
	s := t.newSite()
	s.app.Routes = append(s.app.Routes,
		Route{Method: http.MethodPost, Path: "/form", Handler: func(c Context) error {
			return c.Send(http.StatusOK, valueOf(c.Context(), s.sm, "k"))
		}})
	s.open()
	owner := s.browser()
	owner.put("k", "secret")
	token := owner.token()
	thief := s.browser()
	for _, a := range []*answer{
		thief.get("/get?k=k&session=" + token),
		thief.get("/get?k=k&session=" + token + "&token=" + token),
		thief.do(http.MethodPost, "/form?session="+token),
		thief.do(http.MethodGet, "/get?k=k", "Session", token),
		thief.do(http.MethodGet, "/get?k=k", "X-Session", token),
		thief.do(http.MethodGet, "/get?k=k", "Authorization", "Bearer "+token),
	} {
		a.want(t, http.StatusOK, none)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/form",
		strings.NewReader("session="+token))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := thief.send(req)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, http.StatusOK, none)
	owner.wantValue("k", "secret")
}

func tokenCookieExact(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.put("k", "secret")
	for _, name := range []string{"Session", "SESSION", "session2", "sess", "xsession"} {
		a := s.browser().do(http.MethodGet, "/get?k=k", "Cookie", name+"="+b.token())
		a.want(t, http.StatusOK, none)
	}
	for _, line := range []string{
		"session=" + b.token(),
		"theme=dark; session=" + b.token() + "; lang=en",
		`session="` + b.token() + `"`,
		"broken; ;=; session=" + b.token(),
	} {
		a := s.browser().do(http.MethodGet, "/get?k=k", "Cookie", line)
		a.want(t, http.StatusOK, "secret")
	}
}
