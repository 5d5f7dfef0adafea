package shim_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy/shim"
	"github.com/scskit/scskit/stores/memstore"
)

// scene is a server with one handler, and a store over its manager.
type scene struct {
	*testing.T
	backend *scskit.Store
	sm      *scs.SessionManager
	store   *shim.Store
	handle  func(w http.ResponseWriter, r *http.Request) // of the next request
	url     string
	client  *http.Client
}

func newManager(t *testing.T, opts scskit.Options) (*scs.SessionManager, *scskit.Store) {
	t.Helper()
	backend, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	return scskit.New(backend), backend
}

func newScene(
	t *testing.T, opts *shim.Options, settings ...func(*scs.SessionManager),
) *scene {
	t.Helper()
	s := &scene{T: t}
	s.sm, s.backend = newManager(t, scskit.Options{UserKey: "user"})
	for _, set := range settings {
		set(s.sm)
	}
	s.store = shim.New(shim.Managers{"app": s.sm}, opts)
	s.serve(scshttp.LoadAndSave(s.sm)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { s.handle(w, r) })))
	return s
}

func (s *scene) serve(h http.Handler) {
	server := httptest.NewServer(h)
	s.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	s.url, s.client = server.URL, &http.Client{Jar: jar}
}

// visit makes a request, and returns the status of the response.
func (s *scene) visit(handle func(w http.ResponseWriter, r *http.Request)) int {
	s.Helper()
	s.handle = handle
	res, err := s.client.Get(s.url)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		s.Fatal(err)
	}
	return res.StatusCode
}

// with makes a request whose handler has the session. It must succeed.
func (s *scene) with(handle func(r *http.Request, session *sessions.Session)) {
	s.Helper()
	status := s.visit(func(_ http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "app")
		if err != nil {
			s.Error(err)
		}
		handle(r, session)
	})
	if status != http.StatusOK {
		s.Errorf("status %d", status)
	}
}

// save makes a request that changes the session and saves it.
func (s *scene) save(change func(session *sessions.Session)) {
	s.Helper()
	s.with(func(r *http.Request, session *sessions.Session) {
		change(session)
		if err := session.Save(r, nil); err != nil {
			s.Error(err)
		}
	})
}

// token returns the token that the browser has.
func (s *scene) token() string {
	at, _ := url.Parse(s.url)
	for _, c := range s.client.Jar.Cookies(at) {
		if c.Name == s.sm.Cookie.Name {
			return c.Value
		}
	}
	return ""
}

func (s *scene) records() int {
	s.Helper()
	all, err := s.backend.All()
	if err != nil {
		s.Fatal(err)
	}
	return len(all)
}
