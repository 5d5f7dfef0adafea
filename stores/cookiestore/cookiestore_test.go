package cookiestore_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/cookiestore"
)

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// site is a browser and an application with a cookie store.
type site struct {
	t      *testing.T
	client *http.Client
	url    *url.URL
	last   *http.Response
}

// newSite serves put, big, get, destroy and renew. configure may be nil.
func newSite(
	t *testing.T, opts *cookiestore.Options, configure func(*scs.SessionManager), keys ...[]byte,
) *site {
	t.Helper()
	store, err := cookiestore.New(keys, opts)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	if configure != nil {
		configure(sm)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/put", func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), r.FormValue("key"), r.FormValue("value"))
	})
	mux.HandleFunc("/big", func(_ http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.FormValue("bytes"), &n)
		sm.Put(r.Context(), "big", strings.Repeat("x", n))
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sm.GetString(r.Context(), r.FormValue("key")))
	})
	mux.HandleFunc("/destroy", func(_ http.ResponseWriter, r *http.Request) {
		_ = sm.Destroy(r.Context())
	})
	mux.HandleFunc("/renew", func(_ http.ResponseWriter, r *http.Request) {
		_ = sm.RenewToken(r.Context())
	})
	server := httptest.NewServer(scshttp.LoadAndSave(sm)(mux))
	t.Cleanup(server.Close)
	u, _ := url.Parse(server.URL)
	jar, _ := cookiejar.New(nil)
	return &site{t: t, client: &http.Client{Jar: jar}, url: u}
}

// get requests a path and returns the body.
func (s *site) get(format string, args ...any) string {
	s.t.Helper()
	resp, err := s.client.Get(s.url.String() + fmt.Sprintf(format, args...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	s.last = resp
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return b.String()
}

// cookies returns the browser's cookies by name.
func (s *site) cookies() map[string]string {
	m := make(map[string]string)
	for _, c := range s.client.Jar.Cookies(s.url) {
		m[c.Name] = c.Value
	}
	return m
}

// set sets a cookie in the browser, or deletes it if value is empty.
func (s *site) set(name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/"}
	if value == "" {
		c.MaxAge = -1
	}
	s.client.Jar.SetCookies(s.url, []*http.Cookie{c})
}

func TestRoundTrip(t *testing.T) {
	s := newSite(t, nil, nil, newKey())
	s.get("/put?key=user&value=ada")
	s.get("/put?key=city&value=London")
	if got := s.get("/get?key=user") + s.get("/get?key=city"); got != "adaLondon" {
		t.Errorf("got %q", got)
	}
	if v := s.cookies()["session"]; strings.Contains(v, "ada") || len(s.cookies()) != 1 {
		t.Errorf("cookies %v", s.cookies())
	}
	s.get("/get?key=user")
	if set := s.last.Header["Set-Cookie"]; set != nil {
		t.Errorf("a request that only reads sets the cookies %v", set)
	}
	s.get("/renew")
	if got := s.get("/get?key=user"); got != "ada" {
		t.Errorf("after renewal: got %q", got)
	}
	s.get("/destroy")
	if got := s.get("/get?key=user"); got != "" || len(s.cookies()) != 0 {
		t.Errorf("after destroy: got %q, cookies %v", got, s.cookies())
	}
}

func TestChunks(t *testing.T) {
	big := func(t *testing.T) *site {
		s := newSite(t, nil, nil, newKey())
		s.get("/big?bytes=5000")
		if got := len(s.get("/get?key=big")); got != 5000 || len(s.cookies()) != 2 {
			t.Fatalf("got %d bytes in %d cookies", got, len(s.cookies()))
		}
		for _, c := range s.last.Cookies() {
			if n := len(c.Name) + len(c.Value); n > 4096 {
				t.Errorf("cookie %s has %d bytes", c.Name, n)
			}
		}
		return s
	}
	t.Run("shrinking deletes unused cookies", func(t *testing.T) {
		s := big(t)
		s.get("/big?bytes=10")
		if got := len(s.get("/get?key=big")); got != 10 || len(s.cookies()) != 1 {
			t.Errorf("got %d bytes in %d cookies", got, len(s.cookies()))
		}
	})
	t.Run("destroy deletes all", func(t *testing.T) {
		s := big(t)
		s.get("/destroy")
		if len(s.cookies()) != 0 {
			t.Errorf("%d cookies are left", len(s.cookies()))
		}
	})
	for name, damage := range map[string]func(s *site, c map[string]string){
		"missing": func(s *site, _ map[string]string) { s.set("session.1", "") },
		"reordered": func(s *site, c map[string]string) {
			s.set("session", "2."+c["session.1"])
			s.set("session.1", strings.TrimPrefix(c["session"], "2."))
		},
		"another count": func(s *site, c map[string]string) {
			s.set("session", "3"+c["session"][1:])
		},
		"no count": func(s *site, c map[string]string) { s.set("session", c["session"][2:]) },
		"huge count": func(s *site, c map[string]string) {
			s.set("session", "99999999999"+c["session"][1:])
		},
	} {
		t.Run(name+" is rejected", func(t *testing.T) {
			s := big(t)
			damage(s, s.cookies())
			if got := s.get("/get?key=big"); got != "" || s.last.StatusCode != 200 {
				t.Errorf("got %d bytes, status %d", len(got), s.last.StatusCode)
			}
			if len(s.cookies()) != 0 {
				t.Errorf("%d cookies are left", len(s.cookies()))
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	var failure error
	s := newSite(t, nil, func(sm *scs.SessionManager) {
		sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
			failure = err
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, newKey())
	s.get("/put?key=user&value=ada")
	s.get("/big?bytes=7000")
	if !errors.Is(failure, driver.ErrTooLarge) || s.last.StatusCode != 500 {
		t.Errorf("status %d, error %v", s.last.StatusCode, failure)
	}
	if got := s.get("/get?key=user"); got != "ada" {
		t.Errorf("the session before the failed save: got %q", got)
	}
}

// TestBudget grows a session until it is too large. The cookies must use most of MaxBytes, but not
// more.
func TestBudget(t *testing.T) {
	for _, limit := range []int{600, 4096, 8000, 20000} {
		s := newSite(t, &cookiestore.Options{MaxBytes: limit}, nil, newKey())
		last := 0
		for n := limit / 2; ; n += 7 {
			if s.get("/big?bytes=%d", n); s.last.StatusCode != 200 {
				break
			}
			last = 0
			for name, value := range s.cookies() {
				last += len(name) + len("=") + len(value)
			}
		}
		if last > limit || last < limit*9/10-40 {
			t.Errorf("MaxBytes is %d, and the largest session takes %d bytes", limit, last)
		}
	}
}

func TestTampering(t *testing.T) {
	s := newSite(t, nil, nil, newKey())
	s.get("/put?key=user&value=ada")
	v := s.cookies()["session"]
	for _, bad := range []string{
		v[:len(v)-1], v + "A", "A" + v, strings.ToLower(v), v[:20] + "A" + v[21:],
		"1." + v, "x", strings.Repeat("A", 4000),
	} {
		if bad == v {
			continue
		}
		s.set("session", bad)
		if got := s.get("/get?key=user"); got != "" || s.last.StatusCode != 200 {
			t.Errorf("with a damaged cookie: got %q, status %d", got, s.last.StatusCode)
		}
	}
	s.set("session", v)
	if got := s.get("/get?key=user"); got != "ada" {
		t.Errorf("with the original cookie: got %q", got)
	}
}

func TestPurpose(t *testing.T) {
	key := newKey()
	a := newSite(t, nil, nil, key)
	b := newSite(t, &cookiestore.Options{CookieName: "admin"},
		func(sm *scs.SessionManager) { sm.Cookie.Name = "admin" }, key)
	a.get("/put?key=user&value=ada")
	b.set("admin", a.cookies()["session"])
	if got := b.get("/get?key=user"); got != "" {
		t.Errorf("with another cookie's value: got %q", got)
	}
}

func TestRotation(t *testing.T) {
	oldKey, newKey := newKey(), newKey()
	idle := func(sm *scs.SessionManager) { sm.IdleTimeout = time.Hour }
	before := newSite(t, nil, idle, oldKey)
	before.get("/put?key=user&value=ada")
	cookie := before.cookies()["session"]

	during := newSite(t, nil, idle, newKey, oldKey)
	during.set("session", cookie)
	if got := during.get("/get?key=user"); got != "ada" {
		t.Fatalf("under both keys: %q", got)
	}
	after := newSite(t, nil, idle, newKey)
	after.set("session", during.cookies()["session"])
	if got := after.get("/get?key=user"); got != "ada" {
		t.Errorf("the session was not sealed again under the new key: got %q", got)
	}
	after.set("session", cookie)
	if got := after.get("/get?key=user"); got != "" {
		t.Errorf("under a retired key: %q", got)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Now()
	opts := &cookiestore.Options{
		Options: scskit.Options{Now: func() time.Time { return now }},
	}
	s := newSite(t, opts, func(sm *scs.SessionManager) {
		sm.Lifetime = time.Hour
		sm.Cookie.Persist = false
	}, newKey())
	s.get("/put?key=user&value=ada")
	now = now.Add(time.Hour + time.Second)
	if got := s.get("/get?key=user"); got != "" {
		t.Errorf("after the expiry: got %q", got)
	}
}

func TestBadSettings(t *testing.T) {
	keys := [][]byte{newKey()}
	for _, tc := range []struct {
		keys [][]byte
		opts *cookiestore.Options
		want string
	}{
		{nil, nil, "no keys"},
		{[][]byte{{1}}, nil, "key 1 has 1 bytes"},
		{keys, &cookiestore.Options{MaxBytes: -1}, "Options.MaxBytes is -1"},
		{keys, &cookiestore.Options{MaxBytes: 200000}, "Options.MaxBytes is 200000"},
		{keys, &cookiestore.Options{MaxBytes: 20}, "Options.MaxBytes is 20: too small"},
	} {
		_, err := cookiestore.New(tc.keys, tc.opts)
		if err == nil || !strings.HasPrefix(err.Error(), "cookiestore: "+tc.want) {
			t.Errorf("got error %v, want cookiestore: %s…", err, tc.want)
		}
	}
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "CookieName") {
			t.Errorf("with another cookie name: got panic %q", p)
		}
	}()
	store, err := cookiestore.New(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.Cookie.Name = "other"
	scshttp.LoadAndSave(sm)
}

// FuzzOpen opens arbitrary cookie values. The key is fixed, so that the corpus has values that
// open. All of those hold the same data.
func FuzzOpen(f *testing.F) {
	key := sha256.Sum256([]byte("a fuzzed cookie"))
	store, err := cookiestore.New([][]byte{key[:]}, nil)
	if err != nil {
		f.Fatal(err)
	}
	c, ok := driver.As[driver.Carrier](store.Driver())
	if !ok {
		f.Fatal("the driver does not implement driver.Carrier")
	}
	expiry := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	value, err := c.Carry(driver.Record{Expiry: expiry, Version: 1, Data: []byte("data")})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "A", "!", value, value[:len(value)-1], value + "\n", value + "=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rec, err := c.Open(s)
		if err != nil {
			if !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		// The fuzzer cannot forge a value, and a second spelling of one must not open.
		if string(rec.Data) != "data" || !rec.Expiry.Equal(expiry) || rec.Version != 1 || rec.ID != s {
			t.Errorf("%q opens as %+v", s, rec)
		}
		sealed, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != s {
			t.Errorf("%q opens, and is not how Carry writes it", s)
		}
	})
}

// TestGolden opens a cookie that an earlier build has made. A later version must open it, so do not
// update it: add a second one when the format changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	key := sha256.Sum256([]byte("a golden cookie"))
	store, err := cookiestore.New([][]byte{key[:]},
		&cookiestore.Options{Options: scskit.Options{
			Now: func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) },
		}})
	if err != nil {
		t.Fatal(err)
	}
	value, err := os.ReadFile("testdata/cookie2.txt")
	if err != nil {
		t.Fatal(err)
	}
	data, found, err := store.Find(strings.TrimSpace(string(value)))
	if err != nil || !found {
		t.Fatalf("found %v, error %v", found, err)
	}
	deadline, values, err := store.Codec().Decode(data)
	if want := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC); err != nil || !deadline.Equal(want) ||
		values["user"] != "ada" {
		t.Errorf("deadline %v, values %v, error %v", deadline, values, err)
	}
}
