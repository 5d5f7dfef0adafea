package adapters

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/tracking"
)

// Request is the session of one request. Its methods are safe for concurrent use.
type Request struct {
	idle context.Context // the context given to Begin, if the Request is idle; all else is then unset

	l     *Lifecycle
	outer *Request // the next one in the context, of another manager
	ctx   requestContext

	// What the request has sent; see collect. A transport is given by its index in options.
	tokens      [maxCandidates]string // the values to try, in order
	from        [maxCandidates]uint8  // their transports
	ntokens     uint8
	via         uint8 // the transport that answers
	sent        uint8 // bit i is set if transport i had a value, possibly one that is no token
	moreCookies bool  // there were more cookies than are tried

	attributes *CookieAttributes // of the cookie, or nil for those of the manager
	chunks     uint32            // bit i is set if there is a cookie for chunk i; see chunk.go

	load         sync.Once
	base         context.Context  // the parent context, with a tracker
	tracker      tracking.Tracker // the tracker in base
	outerTracker bool             // an outer context made the tracker
	loaded       bool
	session      any    // the value that scs keeps in a context
	token        string // of the session that was loaded, or ""
	committed    string // the token that Finish committed, or ""
	superseded   bool   // a token of the request was renewed a moment ago; no other has a session
	periodic     bool   // RenewEvery has renewed the session
	hijacked     bool   // the connection is about to be hijacked
	loadErr      error
	noSession    bool      // the request had a token, but none found a session
	deadline     time.Time // of the empty session, if loadErr is set

	held   atomic.Pointer[scskit.SessionLock] // with the option Lock
	legacy *legacy                            // with the option Adopt, if there are cookies for it

	mu         sync.Mutex
	finished   bool
	failedOpen bool       // the session could not be loaded or stored, and the request passes
	err        error      // of Finish
	status     scs.Status // at Finish
	snapshot   *snapshot  // at Finish, if late changes are reported
	reported   bool       // End has reported a late change or a failure

	severalManagers atomic.Bool // an inner or outer Request of another manager exists

	// With Strict, for an adapter that returns before the response begins. See endWithContext.
	returned  atomic.Bool // the adapter has returned
	panicLate atomic.Bool // the response has begun too, so that a change panics at once

	// Most requests need these. Here they cost no allocations of their own.
	writer Writer
	vary   [1]string
}

// requestKey is the context key of the innermost Request.
type requestKey struct{}

// requestOf returns the Request of a manager in ctx, or nil if there is none.
func requestOf(ctx context.Context, sm *scs.SessionManager) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	for r != nil && r.l.manager != sm {
		r = r.outer
	}
	return r
}

// requestContext is the context that handlers get. It loads the session when scs first looks it up.
type requestContext struct {
	context.Context // Request.base
	r               *Request
}

func (c *requestContext) Value(key any) any {
	if key == c.r.l.key {
		c.r.load.Do(c.r.doLoad)
		if c.r.severalManagers.Load() {
			c.r.tracker.NoteManager(key)
		}
		if c.r.panicLate.Load() && callerChanges() {
			c.r.reportLate()
		}
		return c.r.session
	}
	if key == (requestKey{}) || key == (tracking.RefresherKey{}) {
		return c.r
	}
	return c.Context.Value(key)
}

// Begin starts the session of a request. ctx is the request's context, path the decoded path of its
// URL, and in has what else counts; nil stands for a request without headers. Give the handler the
// Request's Context in place of ctx. On net/http, call BeginHTTP.
//
// If Begin returns an error, the Request is nil. Do not run the handler, and pass the error to the
// framework. Otherwise the Request is never nil, but may be idle: see Idle.
func (l *Lifecycle) Begin(
	ctx context.Context, method, path string, in Incoming,
) (*Request, error) {
	if l.opts.skip != nil && l.opts.skip(method, path) {
		return &Request{idle: ctx}, nil
	}
	outer, _ := ctx.Value(requestKey{}).(*Request)
	for o := outer; o != nil; o = o.outer {
		if o.l.manager != l.manager {
			continue
		}
		if err := l.nested(o.l); err != nil {
			return nil, l.refuse(ctx, &Error{Op: "load", Err: err})
		}
		return &Request{idle: ctx}, nil
	}
	if ctx.Value(l.key) != nil {
		return &Request{idle: ctx}, nil
	}
	r := &Request{l: l, outer: outer}
	if err := r.read(ctx, in); err != nil {
		return nil, l.refuse(ctx, &Error{Op: "load", Err: err})
	}
	if outer != nil {
		r.severalManagers.Store(true)
		outer.severalManagers.Store(true)
	}
	r.outerTracker = tracking.From(ctx) != nil
	r.base = scskit.WithTracker(ctx)
	r.tracker = tracking.From(r.base)
	r.ctx = requestContext{Context: r.base, r: r}
	if !l.opts.lazy {
		r.load.Do(r.doLoad)
		if r.loadErr != nil {
			if err := l.fail(&r.ctx, "load", r.loadErr); err != nil {
				r.finished = true
				return nil, err
			}
			r.failedOpen = true
		}
	}
	return r, nil
}

// Resume returns the Request that an outer middleware of the same manager has begun, or nil. It is
// for frameworks that can run a request through the middleware again with another writer, one that
// does not store the session. Put a second Writer for the same Request over that writer.
func (l *Lifecycle) Resume(ctx context.Context) *Request { return requestOf(ctx, l.manager) }

// Idle reports whether the Request has nothing to do: Skip excludes it, or outer code, such as
// another middleware of the same manager, loads and stores the session. Context then returns the
// context given to Begin, and the other methods do nothing. An adapter may check Idle to save work,
// but need not.
func (r *Request) Idle() bool { return r.idle != nil }

// Context returns the context for the handler.
func (r *Request) Context() context.Context {
	if r.Idle() {
		return r.idle
	}
	return &r.ctx
}

// Share is for frameworks that keep the values of a request in a map. It calls set with each value
// that Context adds to the context given to Begin, so that the manager finds its session in the map
// too. With Lazy it does nothing, since a map cannot load the session on demand.
func (r *Request) Share(set func(key, value any)) {
	if r.Idle() || r.l.opts.lazy {
		return
	}
	set(requestKey{}, r)
	set(tracking.RefresherKey{}, r)
	set(r.l.key, r.session)
	set(tracking.Key{}, r.tracker)
}

// Finish stores the session if it changed and sets the headers of the response. Writer and Response
// call it for an adapter.
//
// It sets at most one Set-Cookie header for the session (one for each chunk if the store keeps
// sessions in cookies), replacing any of the same name, together with Cache-Control: no-store. If
// the session was used it adds Vary: Cookie. With Tokens, it may set a header for the token in
// place of Set-Cookie. With ClearSiteData it may add that header.
//
// If Finish returns an error, the session could not be loaded or stored, and no header is set.
// Replace the response by the error. If the failure may pass (see FailOpen and OnError), Finish
// returns nil and sets no session cookie.
//
// Only the first call has an effect. Later calls return its error.
func (r *Request) Finish(h http.Header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished || r.Idle() {
		return r.err
	}
	r.finished = true
	if !r.loaded {
		r.tracker.Settle("")
		r.panicLate.Store(r.returned.Load())
		return nil // the session was not used
	}
	r.status = r.l.sm.Status(&r.ctx)
	unmodified := r.status == scs.Unmodified
	if r.err = r.renewIfDue(); r.err == nil {
		r.err = r.save(h)
	}
	if r.periodic && unmodified && r.err != nil {
		r.err = nil // the session keeps its token, and nothing else was to be stored
	}
	r.Release()
	if r.err != nil {
		return r.err
	}
	r.addVary(h)
	token := r.token // sm.Token allocates
	if r.committed != "" {
		token = r.committed
	}
	r.tracker.Settle(token)
	if r.status != scs.Unmodified && (r.l.opts.strict || r.l.report != nil) {
		r.snapshot = takeSnapshot(&r.ctx, r.l.sm)
	}
	r.panicLate.Store(r.returned.Load())
	return nil
}

func (r *Request) commit(h http.Header) error {
	sm := r.l.sm
	status := r.status
	if status == scs.Unmodified && r.hasIdleTimeout() {
		status = scs.Modified
	}
	switch status {
	case scs.Unmodified:
		if r.noSession {
			r.sendNone(h)
		}
	case scs.Destroyed:
		if r.superseded {
			if err := r.destroySuccessors(); err != nil {
				return err
			}
		}
		r.sendNone(h)
		r.forgetLegacy(context.WithoutCancel(&r.ctx), h, true)
		if l := r.l; l.opts.clearSiteData != "" {
			h.Add(clearSiteData, l.opts.clearSiteData)
		}
	case scs.Modified:
		if r.superseded && sm.Token(&r.ctx) == "" {
			// The handler has not signed in. A new session would take the place of the one that the
			// browser got when its old one was renewed.
			r.reportGone()
			return nil
		}
		if r.token == "" {
			if err := r.limited(r.l.opts.limits.Create); err != nil {
				return err
			}
		}
		base := tracking.WithCommitter(context.WithoutCancel(&r.ctx), r.l.key, r.token)
		ctx := new(bound.Context)
		ctx.Begin(base, r.l.opts.commitTimeout)
		defer ctx.End()
		token, expiry, err := sm.Commit(ctx)
		if err != nil {
			return err
		}
		r.committed = token
		commit, ok := scskit.LastCommit(ctx, token)
		if !ok {
			commit = scskit.CommitResult{State: scskit.CommitStored, Expiry: expiry}
		}
		switch commit.State {
		case scskit.CommitGone:
			// Do not expire the cookie: another response may have replaced it meanwhile. The next
			// request with a dead token expires it. But fail if the token was renewed: the response
			// would report a sign-in that did not happen.
			if token != r.token && expiry.After(time.Now()) && !r.periodic {
				return scskit.ErrGone
			}
		case scskit.CommitStored:
			if r.legacy != nil && r.legacy.adopted && token != r.token {
				r.reportAdopt(scskit.OutcomeOK, nil)
				defer r.forgetLegacy(ctx, h, false)
			}
			if t := r.transport(); !t.inCookie() {
				if token != r.token { // else the client has it
					t.set(h, token)
				}
				return nil
			}
			if commit.Value != "" {
				token = commit.Value
			}
			cookie := sessionCookie(r.baseCookie(), token, commit.Expiry, r.persistent(ctx, commit))
			r.setCookie(h, cookie)
		case scskit.CommitKept: // keep the cookie too
		}
	}
	return nil
}

// persistent reports whether the cookie outlives the browser. If the commit was merged with the
// changes of concurrent requests, it reads RememberMe from the merged session.
func (r *Request) persistent(ctx context.Context, c scskit.CommitResult) bool {
	sm := r.l.sm
	if sm.Cookie.Persist {
		return true
	}
	if c.Merged != nil {
		if _, values, err := sm.Codec.Decode(c.Merged); err == nil {
			remember, _ := values[rememberMe].(bool)
			return remember
		}
	}
	return sm.GetBool(ctx, rememberMe)
}
