package adapters

import (
	"context"
	"slices"
)

// doLoad loads the session of the first value that has one. A request can have several cookies of
// one name, set for other paths or parent domains, and the first may be stale. It can also use
// several transports.
func (r *Request) doLoad() {
	var ctx context.Context
	base := r.base
	if r.l.opts.lazy {
		// Load even if the client has disconnected: changes are stored in that case too.
		var cancel context.CancelFunc
		base, cancel = context.WithTimeout(context.WithoutCancel(r.base), r.l.opts.commitTimeout)
		defer cancel()
	}
	tried := 0 // tokens that have no session
	if r.ntokens > 0 {
		r.loadErr = r.limited(r.l.opts.limits.Load)
	}
	for i, token := range r.tokens[:r.ntokens] {
		if r.loadErr != nil {
			break
		}
		if slices.Contains(r.tokens[:i], token) {
			tried++ // it came by another transport too
			continue
		}
		loaded, err := r.loadLocked(base, token)
		if err != nil {
			r.Release()
			r.loadErr = err
			break
		}
		ctx = loaded
		if r.token = r.foundToken(ctx, token); r.token != "" {
			r.via = r.from[i]
			break
		}
		r.Release()
		tried++
	}
	if r.loadErr == nil {
		var adopted context.Context
		if adopted, r.loadErr = r.adopt(base); adopted != nil {
			ctx = adopted
		}
	}
	if r.loadErr == nil && tried > 0 {
		r.loadErr = r.unknown(r.tokens[:tried])
	}
	switch {
	case r.loadErr != nil:
		ctx = r.loadEmpty()
	case ctx == nil:
		ctx, _ = r.l.sm.Load(r.base, "") // an empty token cannot fail
	}
	r.session = ctx.Value(r.l.key)
	if r.token == "" && r.loadErr == nil {
		r.superseded = r.wasRenewed()
		r.noSession = r.hasNoSession() && !r.superseded
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded = true
	if r.finished { // loading may set the status, which is not a change by the handler
		r.status = r.l.sm.Status(ctx)
	}
}

// hasNoSession reports whether the transport that answers had a value, and all were tried.
func (r *Request) hasNoSession() bool {
	return r.sent&(1<<r.via) != 0 && (!r.moreCookies || !r.transport().inCookie())
}

// foundToken returns token if scs has found a session for it and loaded that into ctx, or "".
func (r *Request) foundToken(ctx context.Context, token string) string {
	if !r.outerTracker && r.tracker.Found(r.l.sm.Store, token) {
		return token // sm.Token allocates
	}
	return r.l.sm.Token(ctx)
}
