package cookiestore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/memstore"
)

// send makes a request with the given Cookie header instead of the browser's cookies.
func (s *site) send(path, cookies string) string {
	s.t.Helper()
	browser := s.client
	defer func() { s.client = browser }()
	s.client = &http.Client{Transport: header(cookies)}
	return s.get("%s", path)
}

// header is a transport that sets the Cookie header.
type header string

func (h header) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Cookie", string(h))
	return http.DefaultTransport.RoundTrip(r)
}

// TestLeftovers sends parts that belong to no value, from a response that arrived late or from
// another site of the same domain. The session must survive, and the next save must delete them.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(s *site){
		"from another response": func(s *site) {
			short := s.cookies()["session"]
			s.get("/big?bytes=5000")
			s.set("session", short)
		},
		"forged":      func(s *site) { s.set("session.1", "x") },
		"last number": func(s *site) { s.set("session.15", "x") },
	} {
		s := newSite(t, nil, nil, newKey())
		s.get("/put?key=user&value=ada")
		leave(s)
		if got := s.get("/get?key=user"); got != "ada" || len(s.cookies()) != 2 {
			t.Errorf("%s: the user is %q, the cookies are %v", name, got, s.cookies())
		}
		s.get("/put?key=city&value=London")
		if got := s.get("/get?key=user"); got != "ada" || len(s.cookies()) != 1 {
			t.Errorf("%s: after a save, the user is %q, the cookies are %v", name, got, s.cookies())
		}
	}
}

// TestTossedParts sends cookies with the parts' names that another site of the same domain has set.
// The browser may send them before the session's own.
func TestTossedParts(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, nil, newKey())
	s.get("/big?bytes=5000")
	own := "session=" + s.cookies()["session"] + "; session.1=" + s.cookies()["session.1"]
	s.get("/big?bytes=4900")
	other := s.cookies()
	for name, cookies := range map[string]string{
		"before":            "session.1=x; session.1=" + strings.Repeat("y", 100) + "; " + own,
		"of another save":   "session.1=" + other["session.1"] + "; " + own,
		"after":             own + "; session.1=x; session.2=x",
		"many":              strings.Repeat("session.1=x; ", 30) + own,
		"with unused names": "session.01=x; session.+1=x; session.=x; session.16=x; " + own,
	} {
		if got := len(s.send("/get?key=big", cookies)); got != 5000 {
			t.Errorf("%s: the session has %d bytes, want 5000", name, got)
		}
	}
}

// TestLastSaveWins sends two valid sessions. Another site of the same domain has set a cookie with
// an attacker's session, which the browser may send first. The user must stay signed in.
func TestLastSaveWins(t *testing.T) {
	t.Parallel()
	now := time.Now()
	opts := scskit.Options{Now: func() time.Time { return now }}
	s := newSite(t, &cookiestore.Options{Options: opts}, nil, newKey())
	s.get("/put?key=user&value=mallory")
	tossed := "session=" + s.cookies()["session"]
	now = now.Add(time.Millisecond)
	s.get("/put?key=user&value=ada")
	own := "session=" + s.cookies()["session"]
	now = now.Add(time.Millisecond)
	s.get("/put?key=user&value=eve")
	newest := s.cookies()["session"]
	for name, cookies := range map[string]string{
		"before":  tossed + "; " + own,
		"after":   own + "; " + tossed,
		"damaged": "session=" + newest[1:] + "; " + tossed + "; " + own,
	} {
		if got := s.send("/get?key=user", cookies); got != "ada" {
			t.Errorf("%s: the user is %q, want ada", name, got)
		}
	}
}

// TestHugeHeader checks that a huge Cookie header takes not much longer than with a memory store.
func TestHugeHeader(t *testing.T) {
	store, err := cookiestore.New([][]byte{newKey()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	control, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(store scs.Store, cookies string) time.Duration {
		nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		h := scshttp.LoadAndSave(scskit.New(store))(nothing)
		fastest := time.Hour
		for range 20 {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Cookie", cookies)
			began := time.Now()
			h.ServeHTTP(httptest.NewRecorder(), r)
			fastest = min(fastest, time.Since(began))
		}
		return fastest
	}
	parts := ""
	for i := 1; i < 16; i++ {
		parts += fmt.Sprintf("session.%d=x;", i)
	}
	junk := strings.Repeat("a;", 500_000)
	plain := serve(control, junk)
	for name, cookies := range map[string]string{
		"empty":    junk,
		"parts":    strings.Repeat("session.1=x;", 80_000),
		"all of 4": "session=16.a; session=16.b; session=16.c; session=16.d;" + junk + parts,
	} {
		if got := serve(store, cookies); got > 20*plain {
			t.Errorf("%s: a request takes %v, and %v with a memory store", name, got, plain)
		}
	}
}
