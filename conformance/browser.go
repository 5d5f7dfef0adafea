package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/leak"
)

// browser is a client of a site. It stores the session cookies that it gets, and those of
// site.others.
type browser struct {
	s  *site
	mu sync.Mutex
	// cookies are the session cookies by name. Domain and path are ignored.
	cookies map[string]string
}

func (s *site) browser() *browser { return &browser{s: s, cookies: make(map[string]string)} }

// with returns a browser that has a session cookie.
func (s *site) with(token string) *browser {
	b := s.browser()
	b.cookies[s.sm.Cookie.Name] = token
	return b
}

// token returns the value of the session cookie, or "" if there is none.
func (b *browser) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies[b.s.sm.Cookie.Name]
}

// get requests a path with GET and stores the cookies of the response.
func (b *browser) get(path string) *answer {
	b.s.t.Helper()
	return b.do(http.MethodGet, path)
}

// do is get for any method. header has names and values in turn.
func (b *browser) do(method, path string, header ...string) *answer {
	b.s.t.Helper()
	a, err := b.try(b.s.t.Context(), method, path, header...)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, path, err)
	}
	b.s.checkSupport()
	return a
}

// try is do for a request that may fail.
func (b *browser) try(ctx context.Context, method, path string, header ...string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.s.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.send(req)
}

func (b *browser) send(req *http.Request) (*answer, error) {
	res, err := b.begin(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("response with status %d: %w", res.StatusCode, err)
	}
	return b.answer(res, string(body)), nil
}

// begin sends a request. The caller reads and closes the body of the response.
func (b *browser) begin(req *http.Request) (*http.Response, error) {
	b.mu.Lock()
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		req.Header.Set("Cookie", strings.Join(pairs, "; ")) // one line: RFC 6265 5.4
	}
	b.mu.Unlock()
	b.s.t.alive()
	defer b.s.t.alive()
	res, err := b.s.web.Do(req)
	if err != nil {
		return nil, err
	}
	b.keep(res.Header)
	return res, nil
}

func (b *browser) answer(res *http.Response, body string) *answer {
	a := &answer{status: res.StatusCode, header: res.Header, body: body,
		names: []string{b.s.sm.Cookie.Name}}
	if b.s.app.Second != nil {
		a.names = append(a.names, b.s.app.Second.Cookie.Name)
	}
	return a
}

func (b *browser) keep(h http.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	leak.Note(h.Get(tokenHeader)) // a program keeps it
	for _, line := range h["Set-Cookie"] {
		c := parseCookie(line)
		// A session that travels in the cookie may need several: name, name.1, …
		if c.name != b.s.sm.Cookie.Name && !strings.HasPrefix(c.name, b.s.sm.Cookie.Name+".") &&
			!slices.Contains(b.s.others, c.name) &&
			(b.s.app.Second == nil || c.name != b.s.app.Second.Cookie.Name) {
			continue
		}
		if c.deletes() {
			delete(b.cookies, c.name)
		} else {
			b.cookies[c.name] = c.value
			leak.Note(c.value)
		}
	}
}

// visit is a request in flight.
type visit struct {
	b    *browser
	path string
	done chan struct{}
	a    *answer
	err  error
}

// start requests a path and returns before the response comes.
func (b *browser) start(path string) *visit {
	v := &visit{b: b, path: path, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.a, v.err = b.try(b.s.t.Context(), http.MethodGet, path)
	}()
	return v
}

// hangUp requests a path, and closes the connection when the handler is at the gate.
func (b *browser) hangUp(path string, g *gate) {
	ctx, cancel := context.WithCancel(b.s.t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = b.try(ctx, http.MethodGet, path)
	}()
	g.await(1)
	cancel()
	<-over
}

// wait waits for the response and returns it.
func (v *visit) wait() *answer {
	v.b.s.t.Helper()
	<-v.done
	if v.err != nil {
		v.b.s.t.Fatalf("GET %s: %v", v.path, v.err)
	}
	v.b.s.checkSupport()
	return v.a
}

// put puts a value into the session.
func (b *browser) put(key, value string) *answer {
	b.s.t.Helper()
	return b.get("/put?k=" + url.QueryEscape(key) + "&v=" + url.QueryEscape(value))
}

// wantValue ends the check unless the session has the value under the key.
func (b *browser) wantValue(key, value string) {
	b.s.t.Helper()
	if a := b.get("/get?k=" + url.QueryEscape(key)); a.status != http.StatusOK || a.body != value {
		b.s.t.Fatalf("session key %q: got %q, want %q (status %d)", key, a.body, value, a.status)
	}
}

// wantSize ends the check unless the session holds the value of that size from the route of fill.
func (b *browser) wantSize(size int) {
	b.s.t.Helper()
	if a := b.get("/get?k=k"); a.status != http.StatusOK || a.body != strings.Repeat("x", size) {
		b.s.t.Fatalf("session of %d bytes: status %d and %d bytes", size, a.status, len(a.body))
	}
}

// record returns the record of the browser's session.
func (b *browser) record(d driver.Driver) driver.Record {
	b.s.t.Helper()
	id := b.token()
	if !b.s.inCookie() {
		id = idOf(id)
	}
	rec, err := d.Load(b.s.t.Context(), id)
	if err != nil {
		b.s.t.Fatalf("driver: load: %v", err)
	}
	return rec
}

// plant replaces the data and the expiry of the browser's session, bypassing the adapter.
func (b *browser) plant(data []byte, expiry time.Time) {
	b.s.t.Helper()
	c, ok := carrierOf(b.s.store)
	if !ok {
		b.s.t.commit(b.s.store, b.token(), data, expiry)
		return
	}
	rec := b.record(b.s.store.(*scskit.Store).Driver())
	rec.Data, rec.Expiry = data, expiry
	value, err := c.Carry(rec)
	if err != nil {
		b.s.t.Fatalf("driver: carry: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies[c.CookieName()] = value
}

// nearExpiry moves the expiry of the session so close that the next request under an idle timeout
// has to move it on.
func (b *browser) nearExpiry() {
	b.s.t.Helper()
	data, found := b.s.t.find(b.s.store, b.token())
	if !found {
		b.s.t.Fatal("find: the session is not found")
	}
	b.plant(data, in(time.Minute))
}
