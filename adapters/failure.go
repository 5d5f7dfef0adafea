package adapters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/tracking"
)

// Error is a failure to load or to store the session of a request. A time-out is one like any
// other, and matches context.DeadlineExceeded.
type Error struct {
	Op  string // "load" or "commit"
	Err error
}

func (e *Error) Error() string { return "session: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the store's error.
func (e *Error) Unwrap() error { return e.Err }

// StatusCode returns 500, for error handlers that ask.
func (e *Error) StatusCode() int { return http.StatusInternalServerError }

// ErrFailOpen is what an OnError returns to let one failure pass, as FailOpen lets all of them.
var ErrFailOpen = errors.New("adapters: let the request pass without its session")

// FailOpen lets requests pass whose session cannot be loaded or stored; by default they fail.
//
// A session that cannot be loaded is empty for the handler, and nothing of it is saved: the store
// is not asked again, and the browser's cookie is left as it is. A session that cannot be stored is
// given up: the handler's response goes out as it is, without a session cookie. A store that works
// again has the session as it was.
//
// A response must not tell of a sign-in or a sign-out that has not happened. So a request still
// fails, with an error in place of its response, if it has called Destroy, RenewToken or
// SetDeadline on a session that could not be loaded, though these calls return nil; or if it has
// destroyed or renewed one and what follows cannot be stored.
//
// Nor does a session pass that holds what cannot be encoded, or too much: it would fail at every
// request, and a store that works again could not mend it.
//
// A handler cannot tell an empty session from that of a client without one. Where that matters, as
// in a shopping cart that would seem empty, let OnError decide.
func FailOpen() Option {
	return func(o *options) { o.failOpen = true }
}

// OnError is called with every failure to load or to store a session, an *Error, and decides what
// becomes of the request. Where it returns
//
//   - nil, the framework's own error handling gets the *Error; with FailOpen the request passes,
//   - ErrFailOpen, or an error that wraps it, the request passes as with FailOpen,
//   - any other error, the framework gets that one in its place: an echo.NewHTTPError(503), say.
//
// It is called once for a failure: before the handler if loading fails, or after it with Lazy. It
// is also told of a session that was first asked for when the response had begun and could not be
// loaded; what it returns is then ignored. It must be safe for concurrent use. If it panics, the
// framework gets the *Error.
func OnError(f func(ctx context.Context, err error) error) Option {
	return func(o *options) { o.onError = f }
}

// Logger sets where failures to load or to store a session are logged, once each, at level error.
// By default that is slog.Default(), or nowhere if there is an OnError, which then has to tell. Nil
// means nowhere.
func Logger(logger *slog.Logger) Option {
	return func(o *options) { o.logger, o.loggerSet = logger, true }
}

// log tells of a failure. It does so for every framework, since some tell nobody.
func (l *Lifecycle) log(ctx context.Context, failure *Error) {
	logger := l.opts.logger
	if !l.opts.loggerSet && l.opts.onError == nil {
		logger = slog.Default()
	}
	if logger == nil {
		return
	}
	defer func() { _ = recover() }() // a log must not break a request
	logger.ErrorContext(tracking.WithoutSession(ctx), "a request failed for its session",
		"op", failure.Op, "error", failure.Err)
}

// fail returns the error that the framework gets for a failure, and nil if the request may pass.
func (l *Lifecycle) fail(ctx context.Context, op string, err error) error {
	failure := &Error{Op: op, Err: err}
	if errors.Is(err, scskit.ErrEncode) || errors.Is(err, driver.ErrTooLarge) {
		return l.refuse(ctx, failure) // no store that works again can mend that
	}
	l.log(ctx, failure)
	answer := l.ask(ctx, failure)
	switch {
	case errors.Is(answer, ErrFailOpen), answer == nil && l.opts.failOpen:
		return nil
	case answer == nil:
		return failure
	}
	return answer
}

// refuse is fail for what is wrong in the program, and so may not pass.
func (l *Lifecycle) refuse(ctx context.Context, failure *Error) error {
	l.log(ctx, failure)
	if answer := l.ask(ctx, failure); answer != nil && !errors.Is(answer, ErrFailOpen) {
		return answer
	}
	return failure
}

// errOneCookie says what is wrong with two managers of one cookie around a request. Each would
// take the other's session for one that has ended, and have the browser forget it.
func errOneCookie(name string) error {
	return fmt.Errorf("two session managers around one request share the cookie %q: "+
		"give one of them another Cookie.Name, or use one manager for both", name)
}

func (l *Lifecycle) ask(ctx context.Context, failure *Error) (answer error) {
	if l.opts.onError == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // under Fiber it would end the process
			answer = failure
		}
	}()
	return l.opts.onError(ctx, failure)
}

// loadNothing returns a context with an empty session, for want of the one that could not be
// loaded.
func (r *Request) loadNothing() context.Context {
	sm := *r.l.sm
	// Destroy and RenewToken set the deadline anew. This one is earlier than what they set, also on
	// a clock that has not moved meanwhile, and so tells whether they were called.
	sm.Lifetime--
	ctx, _ := sm.Load(r.base, "") // without a token there is nothing that can fail
	r.deadline = sm.Deadline(ctx)
	return ctx
}

// replaced reports whether the handler has ended the session that the request began with, or
// believes to have.
func (r *Request) replaced() bool {
	sm := r.l.sm
	return sm.Token(&r.ctx) != r.token || r.loadErr != nil && !sm.Deadline(&r.ctx).Equal(r.deadline)
}

// settle does what is to be done with the session when the response begins.
func (r *Request) settle(h http.Header) error {
	op, err := "load", r.loadErr
	// Before a commit draws a token, and only if something can fail.
	replaced := (err != nil || r.status == scs.Modified) && r.replaced()
	if err == nil {
		op, err = "commit", r.commit(h)
	}
	if err == nil {
		return nil
	}
	if !r.open {
		if failed := r.l.fail(&r.ctx, op, err); failed != nil {
			return failed
		}
		r.open = true
	}
	if replaced {
		return &Error{Op: op, Err: err}
	}
	return nil
}
