package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// site is an application under the adapter and over the store that are checked.
type site struct {
	t      *T
	app    App
	sm     *scs.SessionManager // of the application
	store  scs.Store           // the manager's, without the spy that watch puts before it
	base   string
	opened time.Time
	web    *http.Client
	lack   atomic.Pointer[string] // what the harness's Context is not
}

// newSite returns an application with routes that every check uses, over a fresh store. It is to be
// opened.
func (t *T) newSite() *site {
	t.Helper()
	return t.siteOver(t.newStore())
}

// siteOver is newSite over a store that is there.
func (t *T) siteOver(store scs.Store) *site {
	sm := newManager(store)
	s := &site{t: t, sm: sm, store: store, app: App{Sessions: sm}}
	s.option(adapters.CommitTimeout(t.ordeal()))
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
	s.route("/destroy", func(c Context) error {
		if err := sm.Destroy(c.Context()); err != nil {
			return err
		}
		return c.Send(http.StatusOK, "destroyed")
	})
	s.route("/renew", func(c Context) error {
		if err := sm.RenewToken(c.Context()); err != nil {
			return err
		}
		return c.Send(http.StatusOK, "renewed")
	})
	s.route("/plain", func(c Context) error { return c.Send(http.StatusOK, "plain") })
	return s
}

// newManager returns a manager whose failures are answered in silence.
func newManager(store scs.Store) *scs.SessionManager {
	sm := scskit.New(store)
	sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "sorry", http.StatusInternalServerError)
	}
	return sm
}

// none is what a page shows for a key that the session does not have.
const none = "(none)"

func valueOf(ctx context.Context, sm *scs.SessionManager, key string) string {
	if v, ok := sm.Get(ctx, key).(string); ok {
		return v
	}
	return none
}

// route adds a route for GET. What a handler is to do from one request to the next it is told in
// the query, and what it tells the check goes through a channel, a mutex or an atomic: a framework
// that reads sockets by itself orders no memory between a response and what follows it.
func (s *site) route(path string, h Handler) {
	s.app.Routes = append(s.app.Routes, Route{Method: http.MethodGet, Path: path, Handler: h})
}

// option adds an option of the adapter.
func (s *site) option(o adapters.Option) { s.app.Options = append(s.app.Options, o) }

// watch puts a spy between the manager and its store. It must come before open.
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

// guarded returns the application with handlers that fail the check where they panic, unless it
// has recovery for those that are to. Outside net/http a panic may end the process.
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
					s.t.Errorf("a handler panics: %v, in\n%s", p, panicked())
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

// offers returns c as an F, which not every harness's Context is. If it is none, the handler must
// return the error, and the check does not apply.
func offers[F any](s *site, c Context) (F, error) {
	f, ok := c.(F)
	if ok {
		return f, nil
	}
	lack := fmt.Sprintf("the harness's Context is no %s: the framework has no means for it",
		strings.TrimPrefix(fmt.Sprintf("%T", (*F)(nil)), "*conformance."))
	s.lack.Store(&lack)
	return f, errors.New(lack)
}

// lacking ends the check if a handler has missed something in its Context.
func (s *site) lacking() {
	s.t.Helper()
	if lack := s.lack.Load(); lack != nil {
		s.t.notApplicable(*lack)
	}
}

// gate holds handlers, so that what a check does meanwhile is sure to come between the
// beginning of their requests and the end.
type gate struct {
	t       *T
	entered chan struct{}
	opened  chan struct{}
	once    sync.Once
}

func (t *T) gate() *gate {
	return &gate{t: t, entered: make(chan struct{}, 1000), opened: make(chan struct{})}
}

// pass is called by handlers.
func (g *gate) pass() {
	g.entered <- struct{}{}
	select {
	case <-g.opened:
	case <-g.t.Context().Done():
	case <-time.After(g.t.ordeal()): // the check has failed, and says so
	}
}

// await waits until n handlers are held.
func (g *gate) await(n int) {
	g.t.Helper()
	timeout := time.NewTimer(g.t.ordeal())
	defer timeout.Stop()
	for range n {
		select {
		case <-g.entered:
		case <-timeout.C:
			g.open()
			g.t.Fatalf("the handlers did not run: %d of them were expected", n)
		}
	}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

var _ scs.CtxStore = (*spy)(nil)

// spy is a store that counts, tells and can fail.
type spy struct {
	scs.Store
	t    *T
	done chan string // every operation, when it has ended

	mu    sync.Mutex
	calls map[string]int
	fault func(op string) error
}

// Unwrap lets adapters find the store that is watched; see scskit.StoreOf.
func (w *spy) Unwrap() scs.Store { return w.Store }

// fail sets what operations fail with; nil ends it.
func (w *spy) fail(fault func(op string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// count returns how often the operations were called.
func (w *spy) count(ops ...string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for op, calls := range w.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

// drain forgets the operations that have ended so far.
func (w *spy) drain() {
	for len(w.done) > 0 {
		<-w.done
	}
}

// ended waits until an operation has ended, after the last drain.
func (w *spy) ended(t *T, op string) {
	t.Helper()
	timeout := time.NewTimer(t.reach())
	defer timeout.Stop()
	for {
		select {
		case done := <-w.done:
			if done == op {
				return
			}
		case <-timeout.C:
			t.Fatalf("the store was not called for a %s", op)
		}
	}
}

func (w *spy) pass(op string, f func() error) error {
	w.t.alive()
	defer w.t.alive()
	w.mu.Lock()
	if w.calls == nil {
		w.calls = make(map[string]int)
	}
	w.calls[op]++
	fault := w.fault
	w.mu.Unlock()
	defer func() {
		select {
		case w.done <- op:
		default:
		}
	}()
	if fault != nil {
		if err := fault(op); err != nil {
			return err
		}
	}
	return f()
}

func (w *spy) Find(token string) ([]byte, bool, error) {
	return w.FindCtx(context.Background(), token)
}

func (w *spy) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = w.pass("find", func() error { data, found, err = findCtx(ctx, w.Store, token); return err })
	return data, found, err
}

func (w *spy) Commit(token string, data []byte, expiry time.Time) error {
	return w.CommitCtx(context.Background(), token, data, expiry)
}

func (w *spy) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return w.pass("commit", func() error { return commitCtx(ctx, w.Store, token, data, expiry) })
}

func (w *spy) Delete(token string) error { return w.DeleteCtx(context.Background(), token) }

func (w *spy) DeleteCtx(ctx context.Context, token string) error {
	return w.pass("delete", func() error { return deleteCtx(ctx, w.Store, token) })
}
