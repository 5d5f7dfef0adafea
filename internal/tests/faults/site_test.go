package faults_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/internal/poll"
)

// page starts every response from a handler. An error response of the adapter does not contain it.
const page = "the page: "

// site is an application with one store, and an HTTP client for it.
type site struct {
	sm     *scs.SessionManager
	url    string
	client *http.Client
	pace   pace

	held  chan chan struct{} // handlers send a channel here, and wait until it is closed
	begun chan struct{}      // one value per request that has arrived
	ended chan struct{}      // one value per request that has ended

	mu    sync.Mutex
	errs  []error
	texts []string // of all errors and events
}

// newSite opens a store with an observer and serves an application with it. Only the store's
// timeout is relevant: the timeout of a commit, which may merge and wait for other commits, is far
// longer.
func newSite(
	tb testing.TB, p pace, opts scskit.Options, open func(scskit.Options) (*scskit.Store, error),
	options ...adapters.Option,
) *site {
	tb.Helper()
	s := &site{
		pace: p, held: make(chan chan struct{}),
		begun: make(chan struct{}, 1000), ended: make(chan struct{}, 1000),
	}
	options = append(options, adapters.CommitTimeout(max(p.watchdog(), 10*opts.Timeout)))
	opts.Observer = func(_ context.Context, e scskit.Event) { s.note(fmt.Sprintf("%+v", e), e.Err) }
	store, err := open(opts)
	if err != nil {
		tb.Fatal(err)
	}
	s.sm = scskit.New(store)
	s.sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) { s.fail(w, err) }
	mux := http.NewServeMux()
	mux.HandleFunc("/get", s.get)
	mux.HandleFunc("/put", s.put)
	mux.HandleFunc("/signout", s.signOut)
	mux.HandleFunc("/signin", s.signIn)
	mux.HandleFunc("/count", s.count)
	app := scshttp.LoadAndSave(s.sm, options...)(mux)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signal(s.begun)
		app.ServeHTTP(w, r)
		signal(s.ended)
	}))
	s.url = server.URL
	s.client = newClient(tb)
	tb.Cleanup(server.Close)
	return s
}

// visit returns a client for the site of another process.
func visit(tb testing.TB, url string, p pace) *site {
	tb.Helper()
	return &site{url: url, client: newClient(tb), pace: p}
}

// newClient returns a client without a timeout. A request that hangs ends with the test binary.
func newClient(tb testing.TB) *http.Client {
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

// signal sends a value unless the channel is full.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *site) get(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, page, s.sm.GetString(r.Context(), "k"))
}

func (s *site) put(w http.ResponseWriter, r *http.Request) {
	s.hold(r, "1")
	s.sm.Put(r.Context(), "k", r.FormValue("v"))
	fmt.Fprint(w, page, r.FormValue("v"))
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	s.hold(r, "1")
	if err := s.sm.Destroy(r.Context()); err != nil {
		s.fail(w, err)
		return
	}
	fmt.Fprint(w, page)
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	s.hold(r, "1")
	if err := s.sm.RenewToken(r.Context()); err != nil {
		s.fail(w, err)
		return
	}
	s.hold(r, "2")
	s.sm.Put(r.Context(), "k", r.FormValue("v"))
	fmt.Fprint(w, page, r.FormValue("v"))
}

// count responds with the session's owner and count, and then stores new ones if the form has a
// count.
func (s *site) count(w http.ResponseWriter, r *http.Request) {
	ctx, key := r.Context(), r.FormValue("k")
	owner, value := s.sm.GetString(ctx, "owner"), s.sm.GetInt(ctx, key)
	if next, err := strconv.Atoi(r.FormValue("v")); err == nil {
		s.sm.Put(ctx, "owner", r.FormValue("owner"))
		s.sm.Put(ctx, key, next)
	}
	fmt.Fprintf(w, "%s%q %d", page, owner, value)
}

// hold waits for the test if the request names this place.
func (s *site) hold(r *http.Request, place string) {
	if r.FormValue("hold") != place {
		return
	}
	release := make(chan struct{})
	select {
	case s.held <- release:
		<-release
	case <-r.Context().Done():
	}
}

func (s *site) fail(w http.ResponseWriter, err error) {
	s.note(fmt.Sprintf("%+v", err), err)
	s.mu.Lock()
	s.errs = append(s.errs, err)
	s.mu.Unlock()
	http.Error(w, "unavailable", http.StatusInternalServerError)
}

func (s *site) note(text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
	if err != nil {
		s.texts = append(s.texts, err.Error())
	}
}

// takeErrors returns the failures of requests since the last call.
func (s *site) takeErrors() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.errs
	s.errs = nil
	return errs
}

// keptSecret checks that no error and no event contains one of the secrets.
func (s *site) keptSecret(t *testing.T, secrets ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				text = strings.ReplaceAll(text, secret, "[secret]")
				t.Fatalf("an error or event contains a secret: %s", text)
			}
		}
	}
}

// answer is a response.
type answer struct {
	status  int
	body    string
	cookies []*http.Cookie
	took    time.Duration
}

// token returns the value of the session cookie, or "" if the response expires the cookie. ok
// reports whether the response has a session cookie.
func (a answer) token() (token string, ok bool) {
	for _, c := range a.cookies {
		if c.Name == "session" {
			if c.MaxAge < 0 {
				return "", true
			}
			return c.Value, true
		}
	}
	return "", false
}

// refused checks that the response is the error page without a cookie.
func (a answer) refused(t *testing.T) {
	t.Helper()
	isError := a.status == http.StatusInternalServerError && a.body == "unavailable\n"
	if !isError || len(a.cookies) > 0 {
		t.Errorf("got status %d, body %.100q, %d cookies; want the error page and no cookie",
			a.status, a.body, len(a.cookies))
	}
}

// value returns the value in a page.
func (a answer) value(t *testing.T) string {
	t.Helper()
	value, ok := strings.CutPrefix(a.body, page)
	if a.status != http.StatusOK || !ok {
		t.Fatalf("got status %d, body %.100q; want a page", a.status, a.body)
	}
	return value
}

// ask sends a POST with the form, or a GET if form is nil. It returns an error if there is no
// response.
func (s *site) ask(ctx context.Context, path, token string, form url.Values) (answer, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	begin := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, string(text), resp.Cookies(), time.Since(begin)}, nil
}

// must is ask for a request that must get a response.
func (s *site) must(t *testing.T, path, token string, form url.Values) answer {
	t.Helper()
	a, err := s.ask(t.Context(), path, token, form)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// until repeats a request until the response is a page, and returns the number of requests.
func (s *site) until(t *testing.T, path, token string, form url.Values) (a answer, requests int) {
	t.Helper()
	s.poll(t, func() bool {
		requests++
		a = s.must(t, path, token, form)
		return a.status == http.StatusOK
	})
	return a, requests
}

// poll calls done until it returns true. It gives up after the watchdog time and 30 tries: neither
// a machine that stands still nor slow responses count as a failure.
func (s *site) poll(t *testing.T, done func() bool) {
	t.Helper()
	begin, tries := time.Now(), 0
	err := poll.Until(t.Context(), func() bool {
		if done() {
			return true
		}
		tries++
		if took := time.Since(begin); took > s.pace.watchdog() && tries > 30 {
			t.Fatalf("still failing after %s and %d tries: %v", took, tries, s.takeErrors())
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
}

// open creates a session with a value, and returns its token.
func (s *site) open(t *testing.T, value string) string {
	t.Helper()
	a, _ := s.until(t, "/put", "", url.Values{"v": {value}})
	token, ok := a.token()
	if !ok || token == "" {
		t.Fatal("the new session has no cookie")
	}
	return token
}

// during sends a request and calls f when its handler waits at the place. The duration of the
// answer starts then. It repeats a request that fails before that.
func (s *site) during(t *testing.T, path, token, value, place string, f func()) answer {
	t.Helper()
	type result struct {
		a   answer
		err error
	}
	var a answer
	s.poll(t, func() bool {
		done := make(chan result, 1)
		go func() {
			form := url.Values{"v": {value}, "hold": {place}}
			a, err := s.ask(t.Context(), path, token, form)
			done <- result{a, err}
		}()
		select {
		case release := <-s.held:
			f()
			begin := time.Now()
			close(release)
			r := <-done
			if r.err != nil {
				t.Fatal(r.err)
			}
			r.a.took = time.Since(begin)
			a = r.a
			return true
		case r := <-done: // on a busy machine, the load may time out
			if r.err != nil || r.a.status == http.StatusOK {
				t.Fatalf("the handler did not wait: %v, %v", r.a, r.err)
			}
			s.takeErrors()
			return false
		}
	})
	return a
}

// canary returns a random value that is larger than a network packet. It repeats its mark.
func canary() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return strings.Repeat(hex.EncodeToString(b[:]), 256)
}

// mark returns a string that any piece of the canary contains.
func mark(canary string) string { return canary[:16] }
