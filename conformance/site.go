package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/driver"
)

// site is an application over the adapter and the store under test.
type site struct {
	t      *checkT
	app    App
	sm     *scs.SessionManager // of the application
	store  scs.Store           // the store of sm, without the spy of watch
	base   string
	opened time.Time
	web    *http.Client
	others []string               // names of more cookies that browsers keep
	lack   atomic.Pointer[string] // the interface that the harness's Context lacks
}

// newSite returns an application with common routes over a fresh store. The caller opens it.
func (t *checkT) newSite() *site {
	t.Helper()
	return t.siteOver(t.newStore())
}

// siteOver is newSite over an existing store.
func (t *checkT) siteOver(store scs.Store) *site {
	sm := newManager(store)
	s := &site{t: t, sm: sm, store: store, app: App{Sessions: sm}}
	s.option(adapters.CommitTimeout(t.crowdTimeout()))
	s.option(adapters.Logger(nil))
	s.route("/put", func(c Context) error {
		sm.Put(c.Context(), c.Query("k"), c.Query("v"))
		return c.Send(http.StatusOK, "put")
	})
	s.route("/get", func(c Context) error {
		return c.Send(http.StatusOK, valueOf(c.Context(), sm, c.Query("k")))
	})
	s.route("/keys", func(c Context) error {
		return c.Send(http.StatusOK, "keys "+strings.Join(sm.Keys(c.Context()), ","))
	})
	s.route("/destroy", s.destroy)
	s.route("/renew", func(c Context) error {
		if err := sm.RenewToken(c.Context()); err != nil {
			return err
		}
		return c.Send(http.StatusOK, "renewed")
	})
	s.route("/plain", func(c Context) error { return c.Send(http.StatusOK, "plain") })
	return s
}

// newManager returns a manager that answers failures without a log.
func newManager(store scs.Store) *scs.SessionManager {
	sm := scskit.New(store)
	sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "sorry", http.StatusInternalServerError)
	}
	return sm
}

// none is the body for a key that the session does not have.
const none = "(none)"

func valueOf(ctx context.Context, sm *scs.SessionManager, key string) string {
	if v, ok := sm.Get(ctx, key).(string); ok {
		return v
	}
	return none
}

// route adds a route for GET. Handlers get their parameters from the query, and report to the check
// through channels, mutexes or atomics: if a framework reads sockets by itself, a response does not
// order memory accesses.
func (s *site) route(path string, h Handler) {
	s.app.Routes = append(s.app.Routes, Route{Method: http.MethodGet, Path: path, Handler: h})
}

// option adds an option of the adapter.
func (s *site) option(o adapters.Option) { s.app.Options = append(s.app.Options, o) }

// watch puts a spy between the manager and its store. Call it before open.
func (s *site) watch() *spy {
	w := &spy{Store: s.store, t: s.t, done: make(chan string, 1000)}
	s.sm.Store = w
	return w
}

// open serves the application.
func (s *site) open() *site {
	s.t.Helper()
	s.base = s.t.adapter.Serve(s.t, s.guarded())
	s.connect()
	return s
}

// guarded returns the application with handlers that fail the check when they panic, unless
// App.Recover is set. Outside net/http a panic may end the process.
func (s *site) guarded() App {
	app := s.app
	if app.Recover != 0 {
		return app
	}
	guard := func(h Handler) Handler {
		if h == nil {
			return nil
		}
		return func(c Context) (err error) {
			defer func() {
				if p := recover(); p != nil {
					s.t.Errorf("a handler panicked: %v, in\n%s", p, panicked())
					err = errPanicked
				}
			}()
			return h(c)
		}
	}
	app.Routes = slices.Clone(app.Routes)
	for i := range app.Routes {
		app.Routes[i].Handler = guard(app.Routes[i].Handler)
		app.Routes[i].Guard = guard(app.Routes[i].Guard)
	}
	app.NotFound, app.NotAllowed = guard(app.NotFound), guard(app.NotAllowed)
	return app
}

var errPanicked = errors.New("the handler panicked")

func (s *site) connect() {
	s.opened = time.Now()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}
	s.web = &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
}

// contextAs returns c as an F. If the harness's Context is no F, the handler must return the error,
// and the check does not apply.
func contextAs[F any](s *site, c Context) (F, error) {
	f, ok := c.(F)
	if ok {
		return f, nil
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", (*F)(nil)), "*conformance.")
	lack := fmt.Sprintf("the harness's Context does not implement %s: the framework cannot", name)
	s.lack.Store(&lack)
	return f, errors.New(lack)
}

// checkSupport ends the check as not applicable if as has failed.
func (s *site) checkSupport() {
	s.t.Helper()
	if lack := s.lack.Load(); lack != nil {
		s.t.notApplicable(*lack)
	}
}

// heldRoute adds a route whose handler loads the session, waits for the gate and then runs h.
func (s *site) heldRoute(path string, g *gate, h Handler) {
	s.route(path, func(c Context) error {
		_ = s.sm.Token(c.Context())
		g.pass()
		return h(c)
	})
}

// destroy is a Handler that destroys the session.
func (s *site) destroy(c Context) error {
	if err := s.sm.Destroy(c.Context()); err != nil {
		return err
	}
	return c.Send(http.StatusOK, "destroyed")
}

// signIn is a Handler that signs a user in.
func (s *site) signIn(c Context) error {
	if err := s.sm.RenewToken(c.Context()); err != nil {
		return err
	}
	s.sm.Put(c.Context(), "user", "ada")
	return c.Send(http.StatusOK, "welcome")
}

// fill adds a route that puts a value of a given size into the session.
func (s *site) fill() {
	s.route("/fill", func(c Context) error {
		size, err := strconv.Atoi(c.Query("size"))
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", strings.Repeat("x", size))
		return c.Send(http.StatusOK, "filled")
	})
}

// plain is a minimal adapter for net/http.
func plain(sm *scs.SessionManager, opts ...adapters.Option) func(http.Handler) http.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := l.BeginHTTP(r)
			if err != nil {
				l.HandleError(w, r, err)
				return
			}
			sw := adapters.NewWriter(w, req)
			sw.Serve(func() { next.ServeHTTP(sw.Handler(), r.WithContext(req.Context())) })
			if err := sw.Finish(); err != nil {
				l.HandleError(w, r, err)
			}
		})
	}
}

// carrierOf returns the driver of a store whose sessions travel in the cookie.
func carrierOf(s scs.Store) (driver.Carrier, bool) {
	p, ok := s.(*scskit.Store)
	if !ok {
		return nil, false
	}
	c, ok := driver.As[driver.Carrier](p.Driver())
	return c, ok
}

// inCookie reports whether the sessions travel in the cookie. Then each value of the cookie is a
// session of its own, and every response sets another.
func (s *site) inCookie() bool {
	_, ok := carrierOf(s.store)
	return ok
}
