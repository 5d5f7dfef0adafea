package adapters

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/scskit/scskit"
)

// Limits are hooks for the application's rate limiter. Each may be nil. The context is that of the
// request, without a session: middleware outside puts into it what the limiter needs, such as the
// client's address as the application's proxies report it. A hook that returns an error refuses the
// request: neither FailOpen nor OnError lets it pass, and nothing is logged. The framework gets an
// *Error that wraps that error. If that has a method StatusCode() int, the response has that
// status, unless the application's error handler decides otherwise; so it has with the framework's
// own type of error. The hooks must be safe for concurrent use. A panic in a hook refuses the
// request.
type Limits struct {
	// Load is called before the store is asked for the tokens of a request. It is not called for a
	// request without a token.
	Load func(ctx context.Context) error

	// Unknown is called if no token of a request has a session: somebody may be guessing. A browser
	// whose session has ended sends such a token once: the response expires the cookie, also if the
	// hook refuses the request. Each unknown token is reported as scskit.KindUnknown too, also beside
	// one that has a session.
	Unknown func(ctx context.Context) error

	// Create is called before a session is stored for a client that had none, so that one client
	// cannot fill the store before it signs in.
	Create func(ctx context.Context) error
}

// Limit sets the hooks for the application's rate limiter.
func Limit(l Limits) Option {
	return func(o *options) { o.limits = l }
}

// limitError is the error of a hook of Limits.
type limitError struct {
	error
	header http.Header // of the response; see AddErrorHeader
}

func (e *limitError) Unwrap() error { return e.error }

// limited calls a hook.
func (r *Request) limited(hook func(context.Context) error) (err error) {
	if hook == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil { // under Fiber, the panic would end the process
			err = &limitError{error: fmt.Errorf("a hook of Limits panicked with a %T", p)}
		}
	}()
	if err := hook(r.base); err != nil {
		return &limitError{error: err}
	}
	return nil
}

// AddErrorHeader adds what the response to an error of Begin or Finish needs. It is for adapters; h
// is the header of the response. A browser that was refused because its token is unknown must not
// send it again, for example. HandleError does so too.
func AddErrorHeader(h interface{ Add(name, value string) }, err error) {
	limit := (*limitError)(nil)
	if !errors.As(err, &limit) {
		return
	}
	for name, lines := range limit.header {
		for _, line := range lines {
			h.Add(name, line)
		}
	}
}

// isLimit reports whether a hook of Limits has refused the request.
func isLimit(err error) bool {
	var limit *limitError
	return errors.As(err, &limit)
}

// unknown reports tokens that have no session, and calls the hook if no token has one.
func (r *Request) unknown(tokens []string) error {
	for _, token := range tokens {
		if r.l.report != nil && !r.tracker.Renewed(r.l.sm.Store, token) {
			r.l.report(r.base, scskit.Event{
				Kind: scskit.KindUnknown, Outcome: scskit.OutcomeOK, ID: scskit.HashToken(token),
			})
		}
	}
	if r.token != "" || len(tokens) == 0 || r.wasRenewed() {
		return nil
	}
	err := r.limited(r.l.opts.limits.Unknown)
	if limit := (*limitError)(nil); errors.As(err, &limit) && r.hasNoSession() {
		limit.header = make(http.Header)
		r.sendNone(limit.header)
	}
	return err
}
