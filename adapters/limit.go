package adapters

import (
	"context"
	"errors"

	"github.com/scskit/scskit"
)

// Limits are hooks for the application's rate limiter. Each may be nil. The context is that of the
// request, without a session: middleware outside puts into it what the limiter needs, such as the
// client's address as the application's proxies report it. A hook that returns an error refuses the
// request: neither FailOpen nor OnError lets it pass, and nothing is logged. The framework gets an
// *Error that wraps that error. If that has a method StatusCode, such as the errors of the
// frameworks, the response has that status. The hooks must be safe for concurrent use.
type Limits struct {
	// Load is called before the store is asked for the tokens of a request. It is not called for a
	// request without a token.
	Load func(ctx context.Context) error

	// Unknown is called if no token of a request has a session: somebody may be guessing. A browser
	// whose session has ended sends such a token once. It is reported as scskit.KindUnknown too.
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
type limitError struct{ error }

func (e *limitError) Unwrap() error { return e.error }

// limited calls a hook.
func (r *Request) limited(hook func(context.Context) error) error {
	if hook == nil {
		return nil
	}
	if err := hook(r.base); err != nil {
		return &limitError{err}
	}
	return nil
}

// isLimit reports whether a hook of Limits has refused the request.
func isLimit(err error) bool {
	var limit *limitError
	return errors.As(err, &limit)
}

// unknown reports that no token of the request has a session, and calls the hook.
func (r *Request) unknown() error {
	if r.l.report != nil {
		for i := range r.ntokens {
			r.l.report(r.base, scskit.Event{
				Kind: scskit.KindUnknown, Outcome: scskit.OutcomeOK, ID: scskit.HashToken(r.tokens[i]),
			})
		}
	}
	return r.limited(r.l.opts.limits.Unknown)
}
