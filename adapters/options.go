package adapters

import (
	"context"
	"log/slog"
	"time"

	"github.com/scskit/scskit"
)

// Option configures a middleware. Without options, the middleware loads the session of every
// request before the handler runs, and returns errors to the framework.
type Option func(*options)

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
	renewEvery    time.Duration
	renewEverySet bool
	lock          *scskit.LockOptions

	transports       []Transport
	transportsSet    bool
	hostCookie       bool
	cookiePerRequest func(context.Context, Connection, CookieAttributes) CookieAttributes
	clearSiteData    string // the value of the header, or ""
	clearSiteDataErr error
	limits           Limits
	legacy           LegacyReader
	adopt            AdoptOptions
	adoptSet         bool
}

// Skip excludes the requests for which skip returns true. They have no session. The path is the
// decoded path of the URL, without the query.
func Skip(skip func(method, path string) bool) Option {
	return func(o *options) { o.skip = skip }
}

// Lazy loads a session only when the handler first calls a method of the manager. A request that
// calls none costs no round trip to the store.
//
// If loading fails at that point, the handler continues with an empty session, and its response is
// replaced by the error. FailOpen and OnError change that.
func Lazy() Option {
	return func(o *options) { o.lazy = true }
}

// Strict panics at the end of a request if the handler changed the session after the response had
// begun. Such a change cannot be saved. Without Strict it is lost, and reported as an event of
// scskit.KindLate. Use Strict in tests.
func Strict() Option {
	return func(o *options) { o.strict = true }
}

// Observe sets the observer that receives events of scskit.KindLate. The default is the Observer of
// the store if that is a *scskit.Store.
func Observe(observer scskit.Observer) Option {
	return func(o *options) { o.observer = observer }
}

// CommitTimeout limits the time to store a session at the end of a request. A client that
// disconnects does not stop the storing. The default is 10 seconds.
func CommitTimeout(d time.Duration) Option {
	return func(o *options) { o.commitTimeout = d }
}

// FailOpen lets a request pass if its session cannot be loaded or stored. Without FailOpen the
// request fails.
//
// If the session cannot be loaded, the handler gets an empty session. Nothing that it puts there is
// saved, the store is not called again, and the browser keeps its cookie. If the session cannot be
// stored, its changes are dropped, and the handler's response is sent without a session cookie. The
// stored session is unchanged once the store works again.
//
// Some requests fail in spite of FailOpen:
//
//   - The session could not be loaded, and the handler called Destroy, RenewToken or SetDeadline.
//     These calls return nil, but the response would report a sign-in or sign-out that did not
//     happen.
//   - The handler destroyed or renewed the session, and the new one could not be stored.
//   - The session holds a value that cannot be encoded, or is too large. It would fail at every
//     request, whatever the state of the store.
//
// A handler cannot distinguish the empty session from that of a new client. If the difference
// matters, as for a shopping cart that would seem empty, use OnError to decide per request.
func FailOpen() Option {
	return func(o *options) { o.failOpen = true }
}

// OnError sets a function that is called with each failure to load or store a session. The error is
// an *Error. The function's result decides what happens to the request:
//
//   - nil: the framework's error handling gets the *Error, or with FailOpen the request passes.
//   - ErrFailOpen, or an error that wraps it: the request passes as with FailOpen.
//   - any other error: the framework gets that error, such as echo.NewHTTPError(503).
//
// The function is called once for each failure: before the handler if loading fails, or after it
// with Lazy. If a handler first uses the session after its response has begun, and loading fails,
// the function is called too, but its result is ignored. It must be safe for concurrent use. If it
// panics, the framework gets the *Error.
func OnError(f func(ctx context.Context, err error) error) Option {
	return func(o *options) { o.onError = f }
}

// Logger sets the logger for failures to load or store a session. Each is logged once, at level
// error. The default is slog.Default(), or no logging if OnError is set. Nil disables logging.
func Logger(logger *slog.Logger) Option {
	return func(o *options) { o.logger, o.loggerSet = logger, true }
}
