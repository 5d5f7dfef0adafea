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

// Error is a failure to load or store the session of a request. After a timeout it matches
// context.DeadlineExceeded.
type Error struct {
	Op  string // "load" or "commit"
	Err error
}

func (e *Error) Error() string { return "session: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the store's error.
func (e *Error) Unwrap() error { return e.Err }

// StatusCode is for error handlers that call such a method. It returns 500, or what the method of
// the error of a hook of Limits returns.
func (e *Error) StatusCode() int {
	var coded interface{ StatusCode() int }
	if isLimit(e.Err) && errors.As(e.Err, &coded) {
		return coded.StatusCode()
	}
	return http.StatusInternalServerError
}

// ErrFailOpen is the error that an OnError function returns to let the request pass, as FailOpen
// does for all requests.
var ErrFailOpen = errors.New("adapters: let the request pass without its session")

// log logs a failure. Some frameworks drop the errors that they get.
func (l *Lifecycle) log(ctx context.Context, failure *Error) {
	logger := l.opts.logger
	if !l.opts.loggerSet && l.opts.onError == nil {
		logger = slog.Default()
	}
	if logger == nil {
		return
	}
	defer func() { _ = recover() }() // a log must not break a request
	logger.ErrorContext(tracking.WithoutSession(ctx), "cannot load or store the session of a request",
		"op", failure.Op, "error", failure.Err)
}

// fail logs a failure and calls OnError. It returns the error for the framework, or nil if the
// request passes.
func (l *Lifecycle) fail(ctx context.Context, op string, err error) error {
	failure := &Error{Op: op, Err: err}
	if isLimit(err) {
		return failure
	}
	if errors.Is(err, scskit.ErrEncode) || errors.Is(err, driver.ErrTooLarge) {
		return l.refuse(ctx, failure) // it would fail at every request, whatever the store's state
	}
	l.log(ctx, failure)
	answer := l.callOnError(ctx, failure)
	switch {
	case errors.Is(answer, ErrFailOpen), answer == nil && l.opts.failOpen:
		return nil
	case answer == nil:
		return failure
	}
	return answer
}

// refuse does what fail does, but lets no request pass. It is for errors in the program.
func (l *Lifecycle) refuse(ctx context.Context, failure *Error) error {
	l.log(ctx, failure)
	if answer := l.callOnError(ctx, failure); answer != nil && !errors.Is(answer, ErrFailOpen) {
		return answer
	}
	return failure
}

// errSharedCookie is the error for two managers with the same cookie name around one request. Each
// would take the other's session for an expired one and make the browser drop its cookie.
func errSharedCookie(name string) error {
	return fmt.Errorf("two session managers around one request share the cookie %q: "+
		"give one of them another Cookie.Name, or use one manager for both", name)
}

// StatusCode returns the status for an error of Begin, Finish or OnError, for adapters: what the
// method StatusCode of the error returns, if it has one and that is a status of an error, and 500
// otherwise. An error of the store always has 500; see Error.StatusCode.
func StatusCode(err error) int {
	var coded interface{ StatusCode() int }
	if errors.As(err, &coded) {
		if code := coded.StatusCode(); code >= 400 && code < 600 {
			return code
		}
	}
	return http.StatusInternalServerError
}

func (l *Lifecycle) callOnError(ctx context.Context, failure *Error) (answer error) {
	if l.opts.onError == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // under Fiber, the panic would end the process
			answer = failure
		}
	}()
	return l.opts.onError(ctx, failure)
}

// loadEmpty returns a context with an empty session, after the session could not be loaded.
func (r *Request) loadEmpty() context.Context {
	sm := *r.l.sm
	// Destroy and RenewToken set a new deadline. Shortening the lifetime makes this deadline earlier
	// than any they set, even if the clock has not advanced, so that replaced can tell.
	sm.Lifetime--
	ctx, _ := sm.Load(r.base, "") // an empty token loads nothing, so this cannot fail
	r.deadline = sm.Deadline(ctx)
	return ctx
}

// replaced reports whether the handler has destroyed or renewed the session. If the session could
// not be loaded, it reports whether the handler called Destroy, RenewToken or SetDeadline.
func (r *Request) replaced() bool {
	sm := r.l.sm
	return sm.Token(&r.ctx) != r.token || r.loadErr != nil && !sm.Deadline(&r.ctx).Equal(r.deadline)
}

// save stores the session and sets its cookie. It returns nil if the failure to do so may pass.
func (r *Request) save(h http.Header) error {
	op, err := "load", r.loadErr
	// Look before commit, which generates a token. Skip the look if nothing can fail.
	replaced := (err != nil || r.status == scs.Modified && !r.periodic) && r.replaced()
	if err == nil {
		op, err = "commit", r.commit(h)
	}
	if err == nil {
		return nil
	}
	if !r.failedOpen {
		if failed := r.l.fail(&r.ctx, op, err); failed != nil {
			return failed
		}
		r.failedOpen = true
	}
	if replaced {
		return &Error{Op: op, Err: err}
	}
	return nil
}
