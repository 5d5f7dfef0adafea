// Package adapters holds the life of a session within one request, once for every
// framework. The packages below it (scshttp, scschi, scsgin, scsecho and
// scsfiber) connect it to a framework in a few lines each, and
// an adapter for another framework can be built on it in the same way.
//
// Those who use one of them need only its LoadAndSave, and from here the Options.
//
// # The life of a session in a request
//
//  1. Lifecycle.Begin reads the session cookie, all of that name, and loads the session (with
//     Lazy, not before something asks for it). It returns a Request, whose
//     context the handler must get.
//  2. The handler runs.
//  3. Request.Finish stores what changed and sets the headers of the response, before the
//     first byte of the final response leaves, and once. If it fails the client must get an
//     error in place of what the handler wrote.
//  4. Request.End, after the handler, reports changes that came too late.
//
// For frameworks on net/http, Writer takes care of 3 and 4. For others Response takes care of 3; 4
// is for those of them whose handlers can go on when the response has begun, as body streams do.
//
// A handler that panics commits nothing: Finish is not called, unless a recovery
// middleware inside turns the panic into an ordinary response.
//
// The commit runs to its end, within CommitTimeout, also if the client hangs up.
//
// If the store is down, a request fails: the handler does not run, or its response is replaced
// by an error. FailOpen and OnError change that.
//
// Any scs.Store works. That the cookie and the stored record agree, and that all frameworks
// behave alike, holds for all of them; that no update is lost and no destroyed session comes
// back needs a *scskit.Store.
package adapters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/caller"
	"github.com/scskit/scskit/internal/tracking"
)

// Lifecycle is what a middleware makes once, when it is built. It is safe for concurrent use.
type Lifecycle struct {
	manager *scs.SessionManager // the application's

	// A copy of it as it was when the middleware was built. A handler that changes a setting of the
	// manager for its own request would otherwise change it for all.
	sm     *scs.SessionManager
	key    any // the key under which scs keeps the session in a context
	opts   options
	report func(context.Context, scskit.Event) // nil without an observer

	carrier *scskit.Store // the store, if its sessions travel in the cookie; else nil
}

type options struct {
	skip          func(method, path string) bool
	lazy          bool
	strict        bool
	onError       func(context.Context, error) error
	failOpen      bool
	observer      scskit.Observer
	logger        *slog.Logger
	loggerSet     bool
	commitTimeout time.Duration
}

// Option changes how a middleware treats its requests. Without any, the session is
// loaded for every request and errors go to the framework.
type Option func(*options)

// Skip leaves requests alone for which skip is true: they have no session. Path is that of
// the URL, decoded and without the query.
func Skip(skip func(method, path string) bool) Option {
	return func(o *options) { o.skip = skip }
}

// Lazy loads a session only when a handler first asks the manager for something. A request that
// never does costs no round trip. If loading fails then, the handler goes on with an empty session,
// and its response is replaced by the error, unless the failure may pass: see FailOpen.
func Lazy() Option {
	return func(o *options) { o.lazy = true }
}

// Strict makes a change of the session after the response has begun, which cannot be saved any
// more, a panic at the end of the request. It is meant for tests; otherwise the
// change is lost, and reported as an event of scskit.KindLate.
func Strict() Option {
	return func(o *options) { o.strict = true }
}

// Observe sets who is told of scskit.KindLate. By default it is the
// Observer of the store, if that is a *scskit.Store.
func Observe(observer scskit.Observer) Option {
	return func(o *options) { o.observer = observer }
}

// CommitTimeout bounds the storing of a session at the end of a request, which goes on when
// the client has gone. The default is 10 seconds.
func CommitTimeout(d time.Duration) Option {
	return func(o *options) { o.commitTimeout = d }
}

// NewLifecycle returns the lifecycle for a manager, with the settings that it has at that time: set
// them all before. It panics, as a router does for a bad pattern, if the manager or an option is
// unusable: a nil store, a cookie that browsers would refuse, a codec that is not the store's, or
// settings that contradict each other.
func NewLifecycle(sm *scs.SessionManager, opts ...Option) *Lifecycle {
	l := &Lifecycle{manager: sm, opts: options{commitTimeout: 10 * time.Second}}
	if sm != nil {
		seen := *sm
		l.sm = &seen
	}
	for _, opt := range opts {
		if opt == nil {
			panic("adapters: an Option is nil")
		}
		opt(&l.opts)
	}
	if err := l.validate(); err != nil {
		panic("adapters: " + err.Error())
	}
	l.key = contextKey(sm)
	if fmt.Sprint(l.key) == "" {
		panic("adapters: the session manager was not made by scskit.New or scs.New: such managers " +
			"share one context key")
	}
	observer := l.opts.observer
	if s, ok := scskit.StoreOf(sm.Store); ok {
		if _, carries := s.CookieName(); carries {
			l.carrier = s
		}
		if observer == nil {
			observer = s.Observer()
		}
	}
	if observer != nil {
		l.report = func(ctx context.Context, e scskit.Event) {
			defer func() { _ = recover() }() // an observer must not break a request
			observer(tracking.WithoutSession(ctx), e)
		}
	}
	return l
}

func (l *Lifecycle) validate() error {
	sm := l.sm
	switch {
	case sm == nil:
		return errors.New("session manager is nil; make one with scskit.New(store)")
	case sm.Store == nil:
		return errors.New("session manager has no Store; make it with scskit.New(store)")
	case sm.Codec == nil:
		return errors.New("session manager has no Codec; make it with scskit.New(store)")
	case l.opts.commitTimeout <= 0:
		return fmt.Errorf("CommitTimeout is %v; it must be positive", l.opts.commitTimeout)
	case sm.Lifetime <= 0:
		return fmt.Errorf("SessionManager.Lifetime is %v; it must be positive", sm.Lifetime)
	case sm.IdleTimeout < 0:
		return fmt.Errorf("SessionManager.IdleTimeout is %v; it must not be negative", sm.IdleTimeout)
	case sm.IdleTimeout > sm.Lifetime:
		return fmt.Errorf("SessionManager.IdleTimeout is %v and never ends a session, since Lifetime "+
			"is %v; "+
			"set a longer Lifetime", sm.IdleTimeout, sm.Lifetime)
	}
	if s, ok := sm.Store.(*scskit.Store); ok && s == nil {
		return errors.New("SessionManager.Store is a nil *scskit.Store; check the error of the store's " +
			"constructor")
	}
	if s, ok := scskit.StoreOf(sm.Store); ok {
		if _, ok := sm.Store.(scs.CtxStore); !ok {
			return fmt.Errorf("the store, a %T, wraps a *scskit.Store and hides its methods with a "+
				"context: embed the *scskit.Store, or add FindCtx, CommitCtx and DeleteCtx", sm.Store)
		}
		if sm.IdleTimeout > 0 && s.TouchInterval() > sm.IdleTimeout {
			return fmt.Errorf("the store's Options.TouchInterval is %v and SessionManager.IdleTimeout is "+
				"%v: "+
				"idle sessions would live more than twice as long; set a shorter TouchInterval",
				s.TouchInterval(), sm.IdleTimeout)
		}
		if sm.HashTokenInStore {
			return errors.New("SessionManager.HashTokenInStore is set, but the store hashes tokens " +
				"itself; unset it")
		}
		if name, ok := s.CookieName(); ok && name != sm.Cookie.Name {
			return fmt.Errorf("SessionManager.Cookie.Name is %q, but the store seals sessions for a "+
				"cookie %q; set its Options.CookieName", sm.Cookie.Name, name)
		}
		if manager, store := fmt.Sprintf("%T", sm.Codec), fmt.Sprintf("%T", s.Codec()); manager != store {
			return fmt.Errorf("SessionManager.Codec is a %s, but the store's is a %s; make the manager "+
				"with scskit.New(store), or set Options.Codec", manager, store)
		}
	}
	return validateCookie(sm)
}

// HandleError answers a request on net/http with an error: by the manager's ErrorFunc, or if that
// is nil or the one that scs sets, which logs the error once more, with a plain 500.
func (l *Lifecycle) HandleError(w http.ResponseWriter, r *http.Request, err error) {
	if f := l.sm.ErrorFunc; f != nil && !isDefault(f) {
		f(w, r, err)
		return
	}
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}

// isDefault reports whether f is what scs.New sets.
func isDefault(f func(http.ResponseWriter, *http.Request, error)) bool {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name == "github.com/alexedwards/scs/v2.defaultErrorFunc"
}

// HasSession reports whether ctx has a session of the manager: whether the request came
// through its middleware. Where it is false, every method of the manager
// panics. With Lazy it does not load the session.
func HasSession(ctx context.Context, sm *scs.SessionManager) bool {
	if sm == nil {
		return false
	}
	if requestOf(ctx, sm) != nil {
		return true
	}
	// Load returns the very context it was given if there is a session in it.
	probe := &sessionProbe{Context: ctx}
	loaded, err := sm.Load(probe, "")
	return err == nil && loaded == context.Context(probe)
}

type sessionProbe struct{ context.Context }

// contextKey returns the key under which the manager keeps sessions in contexts. scs does not
// tell, but asks the context for it first of all.
func contextKey(sm *scs.SessionManager) any {
	load := func(ctx context.Context) context.Context {
		loaded, err := sm.Load(ctx, "") // without a token there is nothing to load
		if err != nil {
			return ctx
		}
		return loaded
	}
	key := caller.FirstKey(func(ctx context.Context) { load(ctx) })
	if err := verifyKey(load(context.Background()), key); err != nil {
		panic(err.Error())
	}
	return key
}

// verifyKey looks for a session under the key, should a version of scs ask for another one first.
func verifyKey(loaded context.Context, key any) error {
	if key != nil && loaded.Value(key) != nil {
		return nil
	}
	version := "of an unknown version"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/alexedwards/scs/v2" {
				version = m.Version
			}
		}
	}
	return fmt.Errorf("adapters: scskit does not find the session in the contexts of scs %s: "+
		"require a version that scskit was tested with, or a later scskit", version)
}
