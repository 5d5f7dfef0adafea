// Package adapters manages the session of an HTTP request for any framework. It loads the session,
// stores it before the response begins, and sets the session cookie.
//
// In an application, use LoadAndSave from the package of your framework: scshttp, scschi, scsgin,
// scsecho or scsfiber. From this package you need only the options of LoadAndSave, such as [Lazy]
// and [FailOpen].
//
// Those packages are thin layers over this one. To support another framework, write such a layer.
//
// # The steps of a request
//
//  1. [Lifecycle.BeginHTTP], or [Lifecycle.Begin] elsewhere than on net/http, reads the session
//     cookies and loads the session. With Lazy, the session is loaded when the handler first uses
//     it. Begin returns a [Request].
//  2. The handler runs with [Request.Context] as its context.
//  3. [Request.Finish] stores the session if it changed and sets the response headers. Call it
//     once, before the first byte of the final response is sent. If it fails, the client must get
//     an error instead of the handler's response.
//  4. [Request.End] reports changes that the handler made too late to be stored.
//
// For frameworks on net/http, [Writer] does steps 3 and 4. For others, [Response] does step 3; call
// Request.End if handlers can run after the response has begun, as body streams do.
//
// # Failures
//
// If a handler panics, nothing is stored, unless an inner recovery middleware turns the panic into
// a normal response.
//
// If the client disconnects, the session is stored all the same, within CommitTimeout.
//
// If the store is down, the request fails: the handler does not run, or its response is replaced by
// an error. FailOpen and OnError change that.
//
// # Stores
//
// Any scs.Store works, and behaves alike in all frameworks. Only a *scskit.Store also keeps
// concurrent requests from losing updates or bringing back a destroyed session.
package adapters

import (
	"context"
	"fmt"
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

// Lifecycle manages the sessions of one manager's requests. An adapter makes one when its
// middleware is built. It is safe for concurrent use.
type Lifecycle struct {
	manager *scs.SessionManager // the application's

	// sm is a copy of the manager, made by NewLifecycle. It keeps a handler that changes a setting
	// of the manager from changing it for other requests.
	sm *scs.SessionManager

	key    any // the context key of the manager's session
	opts   options
	report func(context.Context, scskit.Event) // nil without an observer

	portable bool // the store is a *scskit.Store, or wraps one

	carrier *scskit.Store // the store if it keeps sessions in the cookie, else nil
	locker  *scskit.Store // the store with the option Lock, else nil

	// What follows from the transports; see setTransports.
	cookieValues int      // how many values of cookies are tried
	vary         []string // the names for the Vary header
	varyLine     string   // the same as one line
	headers      []string // the response headers that Finish reads and sets
}

const defaultCommitTimeout = 10 * time.Second

// maxHeaders is the largest length of Lifecycle.headers: Set-Cookie, Cache-Control, Vary,
// Clear-Site-Data, and one for each transport.
const maxHeaders = 4 + maxCandidates

// NewLifecycle returns the lifecycle of a manager's sessions. It copies the manager's settings, so
// set them first.
//
// It panics if a setting or an option is unusable, such as a nil store, a cookie that browsers
// reject, a codec other than the store's, or settings that contradict each other. The message names
// the setting and the fix.
func NewLifecycle(sm *scs.SessionManager, opts ...Option) *Lifecycle {
	l := &Lifecycle{manager: sm, opts: options{commitTimeout: defaultCommitTimeout}}
	if sm != nil {
		copied := *sm
		l.sm = &copied
	}
	for _, opt := range opts {
		if opt == nil {
			panic("adapters: an Option is nil: leave it out")
		}
		opt(&l.opts)
	}
	l.setTransports()
	if err := l.validate(); err != nil {
		panic("adapters: " + err.Error())
	}
	l.key = contextKey(sm)
	if fmt.Sprint(l.key) == "" {
		panic("adapters: the session manager has no context key of its own: make it with scskit.New " +
			"or scs.New")
	}
	observer := l.opts.observer
	if s, ok := scskit.StoreOf(sm.Store); ok {
		l.portable = true
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

// HandleError writes an error response on net/http. It calls the manager's ErrorFunc if you set
// one. Otherwise it sends a plain 500, or the status of a hook of Limits: the ErrorFunc that
// scs.New sets would log the error a second time.
func (l *Lifecycle) HandleError(w http.ResponseWriter, r *http.Request, err error) {
	AddErrorHeader(w.Header(), err)
	if f := l.sm.ErrorFunc; f != nil && !isDefaultErrorFunc(f) {
		f(w, r, err)
		return
	}
	status := StatusCode(err)
	http.Error(w, http.StatusText(status), status)
}

// isDefaultErrorFunc reports whether f is the ErrorFunc that scs.New sets.
func isDefaultErrorFunc(f func(http.ResponseWriter, *http.Request, error)) bool {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name == "github.com/alexedwards/scs/v2.defaultErrorFunc"
}

// HasSession reports whether ctx has a session of the manager, that is, whether the request passed
// through the manager's middleware. If it returns false, every method of the manager panics. It
// does not load a Lazy session.
func HasSession(ctx context.Context, sm *scs.SessionManager) bool {
	if sm == nil {
		return false
	}
	if requestOf(ctx, sm) != nil {
		return true
	}
	// Load returns its argument unchanged if that has a session.
	wrapper := &contextWrapper{Context: ctx}
	loaded, err := sm.Load(wrapper, "")
	return err == nil && loaded == context.Context(wrapper)
}

// contextWrapper makes a context that differs from every other.
type contextWrapper struct{ context.Context }

// contextKey returns the key under which the manager keeps sessions in contexts. scs does not
// export the key, but Load begins by looking it up in the context.
func contextKey(sm *scs.SessionManager) any {
	load := func(ctx context.Context) context.Context {
		loaded, err := sm.Load(ctx, "") // an empty token loads nothing, so this cannot fail
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

// verifyKey returns an error if key does not find the session in a loaded context. A future version
// of scs could look up another key first.
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
	return fmt.Errorf("adapters: scskit cannot find the session in the contexts of scs %s: "+
		"require an scs version that scskit was tested with, or upgrade scskit", version)
}
