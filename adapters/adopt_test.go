package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// oldStore is the store of another package.
type oldStore struct {
	mu       sync.Mutex
	sessions map[string]map[string]any
	deadline time.Time
	err      error
}

func (o *oldStore) CookieNames() []string { return []string{"old"} }

func (o *oldStore) SessionID(cookies []*http.Cookie) string { return cookies[0].Value }

func (o *oldStore) ReadSession(
	_ context.Context, id string, _ []*http.Cookie,
) (*adapters.LegacySession, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	values := o.sessions[id]
	if o.err != nil || values == nil {
		return nil, o.err
	}
	return &adapters.LegacySession{
		Values: values, Deadline: o.deadline, Expire: []*http.Cookie{{Name: "old"}},
		Forget: func(context.Context) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.sessions, id)
			return nil
		},
	}, nil
}

func (o *oldStore) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sessions)
}

// moving is an application that has changed to scskit.
type moving struct {
	*testing.T
	old    *oldStore
	store  *scskit.Store
	sm     *scs.SessionManager
	url    string
	loaded chan struct{} // gets a value when a handler of /slow has its session
	held   chan struct{} // handlers of /slow wait for it
	events func(kind scskit.Kind, outcome scskit.Outcome) int
}

func newMoving(t *testing.T, o adapters.AdoptOptions, opts ...adapters.Option) *moving {
	t.Helper()
	var mu sync.Mutex
	seen := make(map[string]int)
	key := func(k scskit.Kind, o scskit.Outcome) string { return fmt.Sprint(k, o) }
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		UserKey: "user",
		Observer: func(_ context.Context, e scskit.Event) {
			mu.Lock()
			defer mu.Unlock()
			seen[key(e.Kind, e.Outcome)]++
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{
		T: t, store: store, sm: scskit.New(store), held: make(chan struct{}),
		loaded: make(chan struct{}, 100),
		old: &oldStore{sessions: map[string]map[string]any{
			"a": {"user": "ada"}, "b": {"user": "bob"},
		}},
		events: func(k scskit.Kind, o scskit.Outcome) int {
			mu.Lock()
			defer mu.Unlock()
			return seen[key(k, o)]
		},
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, m.sm.GetString(r.Context(), "user"))
	}
	mux.HandleFunc("/user", answer)
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_ = m.sm.Token(r.Context())
		m.loaded <- struct{}{}
		<-m.held
		if k := r.FormValue("k"); k != "" {
			m.sm.Put(r.Context(), k, "v")
		}
		answer(w, r)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(m.sm.Keys(r.Context()), ","))
	})
	mux.HandleFunc("/sign-in", func(_ http.ResponseWriter, r *http.Request) {
		if err := scskit.SignIn(r.Context(), m.sm, "ada", nil); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/sign-out", func(_ http.ResponseWriter, r *http.Request) {
		if err := scskit.SignOut(r.Context(), m.sm); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(scshttp.LoadAndSave(m.sm,
		append(opts, adapters.Adopt(m.old, o))...)(mux))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// browser returns a client with the cookie of an old session.
func (m *moving) browser(id string) *http.Client {
	jar, _ := cookiejar.New(nil)
	u, _ := url.Parse(m.url)
	jar.SetCookies(u, []*http.Cookie{{Name: "old", Value: id, Path: "/"}})
	return &http.Client{Jar: jar}
}

func (m *moving) get(c *http.Client, path, want string) {
	m.Helper()
	res, err := c.Get(m.url + path)
	if err != nil {
		m.Error(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || string(body) != want {
		m.Errorf("%s: status %d, %q, want %q", path, res.StatusCode, body, want)
	}
}

func (m *moving) cookies(c *http.Client) map[string]string {
	u, _ := url.Parse(m.url)
	all := make(map[string]string)
	for _, cookie := range c.Jar.Cookies(u) {
		all[cookie.Name] = cookie.Value
	}
	return all
}

func (m *moving) sessions() int {
	m.Helper()
	all, err := m.store.All()
	if err != nil {
		m.Fatal(err)
	}
	return len(all)
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]adapters.Option{nil, {adapters.Lazy()},
		{adapters.Lock(scskit.LockOptions{})}, {adapters.RenewEvery(time.Hour)}} {
		m := newMoving(t, adapters.AdoptOptions{}, opts...)
		m.old.deadline = time.Now().Add(2 * time.Hour).Truncate(time.Second)
		ada, stranger := m.browser("a"), m.browser("unknown")
		m.get(ada, "/user", "ada")
		m.get(stranger, "/user", "")
		got := m.cookies(ada)
		if got["old"] != "" || got["session"] == "" || m.old.count() != 1 || m.sessions() != 1 {
			t.Errorf("cookies %v, %d old and %d new sessions, want the new cookie, 1 and 1", got,
				m.old.count(), m.sessions())
		}
		m.get(ada, "/user", "ada")
		ctx, err := m.sm.Load(t.Context(), got["session"])
		if err != nil || !m.sm.Deadline(ctx).Equal(m.old.deadline) {
			t.Errorf("the deadline is %v, %v, want %v", m.sm.Deadline(ctx), err, m.old.deadline)
		}
		if n := m.events(scskit.KindAdopt, scskit.OutcomeOK); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	}
}

// TestAdoptParallel sends the first requests of a browser at the same time.
func TestAdoptParallel(t *testing.T) {
	t.Parallel()
	const n = 8
	m := newMoving(t, adapters.AdoptOptions{})
	u, _ := url.Parse(m.url)
	requests := make([]*http.Client, n)
	var all sync.WaitGroup
	for i := range requests {
		requests[i] = m.browser("a")
		all.Go(func() { m.get(requests[i], fmt.Sprintf("/slow?k=key%d", i), "ada") })
	}
	for range n {
		<-m.loaded
	}
	close(m.held)
	all.Wait()
	if m.sessions() != 1 {
		t.Errorf("%d sessions, want 1", m.sessions())
	}
	with := 0
	for _, c := range requests {
		if m.cookies(c)["session"] != "" {
			with++
			m.get(c, "/keys", "key0,key1,key2,key3,key4,key5,key6,key7,user")
		}
	}
	if with != 1 {
		t.Errorf("%d responses have the cookie, want 1 (of %s)", with, u)
	}
	m.get(m.browser("a"), "/user", "ada") // a straggler
}

// TestAdoptSignOut signs out in the first request, while another adopts the session.
func TestAdoptSignOut(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		m := newMoving(t, adapters.AdoptOptions{Keep: keep})
		slow, leaves := m.browser("a"), m.browser("a")
		var all sync.WaitGroup
		all.Go(func() { m.get(slow, "/slow?k=k", "ada") })
		<-m.loaded
		m.get(leaves, "/sign-out", "")
		close(m.held)
		all.Wait()
		if got := m.cookies(leaves); len(got) > 0 || m.old.count() != 1 || m.sessions() != 0 {
			t.Errorf("cookies %v, %d old and %d new sessions, want none, 1 and 0", got, m.old.count(),
				m.sessions())
		}
		m.get(m.browser("a"), "/user", "")

		again := m.browser("b")
		m.get(again, "/user", "bob")
		if got := m.cookies(again); (got["old"] != "") != keep || (m.old.count() == 1) != keep {
			t.Errorf("keep %v: cookies %v and %d old sessions", keep, got, m.old.count())
		}
		m.get(again, "/sign-out", "")
		if got := m.cookies(again); len(got) > 0 || m.old.count() != 0 {
			t.Errorf("after the sign-out: cookies %v and %d old sessions", got, m.old.count())
		}
		m.get(again, "/user", "")
	}
}

// TestAdoptSignIn signs in in the first request: a request with the old cookie then has no session.
func TestAdoptSignIn(t *testing.T) {
	t.Parallel()
	m := newMoving(t, adapters.AdoptOptions{})
	ada, poll := m.browser("a"), m.browser("a")
	m.get(ada, "/sign-in", "")
	m.get(ada, "/user", "ada")
	m.get(poll, "/user", "")
	if got := m.cookies(poll); got["session"] != "" {
		t.Errorf("a poll with the old cookie gets the cookies %v", got)
	}
}

func TestAdoptFailure(t *testing.T) {
	t.Parallel()
	for _, failClosed := range []bool{false, true} {
		m := newMoving(t, adapters.AdoptOptions{FailClosed: failClosed},
			adapters.Logger(nil))
		m.old.err = errors.New("the old store is down")
		ada := m.browser("a")
		res, err := ada.Get(m.url + "/user")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if (res.StatusCode == http.StatusOK) == failClosed || m.cookies(ada)["old"] != "a" {
			t.Errorf("FailClosed %v: status %d, cookies %v", failClosed, res.StatusCode, m.cookies(ada))
		}
		if n := m.events(scskit.KindAdopt, scskit.OutcomeFailed); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		m.old.err = nil
		m.get(ada, "/user", "ada")
	}
}
