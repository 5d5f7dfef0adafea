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

// Request is the session of one request. Its methods may be called from any goroutine.
type Request struct {
	idle context.Context // the context given to Begin, if there is nothing to do; then only this is set

	l     *Lifecycle
	outer *Request // the next one in the context, of another manager
	ctx   requestContext

	tokens  [maxCandidates]string // the cookies sent, in their order
	ntokens int
	more    bool // there were others

	// Of a session that travels in the cookie; see chunk.go.
	chunks     uint32 // bit i: the request has part i
	incomplete bool   // the request has a first part

	load      sync.Once
	base      context.Context  // the parent, with a tracker
	tracker   tracking.Tracker // the one in base
	shared    bool             // the tracker is that of a context outside
	loaded    bool
	session   any    // what scs keeps in a context
	token     string // of the session that was loaded
	committed string // the token of the commit at Finish
	loadErr   error
	stale     bool      // cookies were sent, but no session was found
	deadline  time.Time // of the empty session, if there is a loadErr

	mu       sync.Mutex
	finished bool
	open     bool       // the session could not be loaded or stored, and the request passes
	err      error      // of Finish
	status   scs.Status // at Finish
	snapshot *snapshot  // at Finish, if anybody wants to know of later changes
	reported     bool       // that there were some

	nested atomic.Bool // there is a Request of another manager around this one, or inside

	left atomic.Bool // with Strict: the response is another's to end
	late atomic.Bool // it is, and has begun

	// In the same piece of memory, since most requests need them.
	writer Writer
	vary   [1]string
}

// requestKey finds the innermost Request in a context.
type requestKey struct{}

// requestOf returns the Request of a manager in ctx, or nil.
func requestOf(ctx context.Context, sm *scs.SessionManager) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	for r != nil && r.l.manager != sm {
		r = r.outer
	}
	return r
}

// requestContext is what handlers get. It loads the session when scs first asks for it.
type requestContext struct {
	context.Context // the base
	r               *Request
}

func (c *requestContext) Value(key any) any {
	if key == c.r.l.key {
		c.r.load.Do(c.r.doLoad)
		if c.r.nested.Load() {
			c.r.tracker.Asks(key)
		}
		if c.r.late.Load() && changes() {
			c.r.tellLate()
		}
		return c.r.session
	}
	if key == (requestKey{}) {
		return c.r
	}
	return c.Context.Value(key)
}

// Begin starts the life of a session in a request. cookies are the lines of the request's Cookie
// header; they are kept, and must not change afterwards. ctx is the request's. The handler must be
// given the Request's Context in its place.
//
// If there is nothing to do, the Request is idle: see Idle. After an error the Request is nil, the
// framework must handle the error, and the handler must not run.
func (l *Lifecycle) Begin(ctx context.Context, method, path string,
	cookies []string) (*Request, error) {
	if l.opts.skip != nil && l.opts.skip(method, path) {
		return &Request{idle: ctx}, nil
	}
	outer, _ := ctx.Value(requestKey{}).(*Request)
	for o := outer; o != nil; o = o.outer {
		if o.l.manager == l.manager {
			return &Request{idle: ctx}, nil
		}
		if o.l.sm.Cookie.Name == l.sm.Cookie.Name {
			return nil, l.refuse(ctx, &Error{Op: "load", Err: errOneCookie(l.sm.Cookie.Name)})
		}
	}
	if ctx.Value(l.key) != nil {
		return &Request{idle: ctx}, nil
	}
	r := &Request{l: l, outer: outer}
	if outer != nil {
		r.nested.Store(true)
		outer.nested.Store(true)
	}
	r.base = scskit.WithTracker(ctx)
	r.tracker, r.shared = tracking.From(r.base), r.base == ctx
	r.ctx = requestContext{Context: r.base, r: r}
	r.ntokens, r.more = candidates(r.tokens[:], cookies, l.sm.Cookie.Name)
	if l.carrier != nil {
		r.join(cookies)
	}
	if !l.opts.lazy {
		r.load.Do(r.doLoad)
		if r.loadErr != nil {
			if err := l.fail(&r.ctx, "load", r.loadErr); err != nil {
				r.finished = true
				return nil, err
			}
			r.open = true
		}
	}
	return r, nil
}

// Resume returns the Request that a middleware of the manager outside has begun, and nil if there
// is none. It is for a framework that can send a request through its middleware once more with a
// writer that is not the session's: a second Writer of the same Request puts that right.
func (l *Lifecycle) Resume(ctx context.Context) *Request { return requestOf(ctx, l.manager) }

// Idle reports whether there is nothing to do: Skip is true of the request, or something outside,
// such as another middleware of the same manager, has loaded the session and stores it. Context is
// then that of Begin, and the other methods do nothing. A middleware may look at Idle to leave the
// response alone, and need not.
func (r *Request) Idle() bool { return r.idle != nil }

// Context returns the context for the handler.
func (r *Request) Context() context.Context {
	if r.Idle() {
		return r.idle
	}
	return &r.ctx
}

// Share calls set with what the context has beyond that of Begin, for a framework that keeps the
// values of a request in a map besides: what the manager looks up there it then finds. With Lazy it
// does nothing, since a map cannot load a session when it is asked.
func (r *Request) Share(set func(key, value any)) {
	if r.Idle() || r.l.opts.lazy {
		return
	}
	set(requestKey{}, r)
	set(r.l.key, r.session)
	set(tracking.Key{}, r.tracker)
}

// doLoad tries the cookies that were sent until one has a session. There can be several
// of one name, from other paths and parent domains, and the first need not be the live one.
func (r *Request) doLoad() {
	var ctx context.Context
	base := r.base
	if r.l.opts.lazy {
		// What a handler is about to change is saved also if the client has gone, and so is loaded.
		var cancel context.CancelFunc
		base, cancel = context.WithTimeout(context.WithoutCancel(r.base), r.l.opts.commitTimeout)
		defer cancel()
	}
	for _, token := range r.tokens[:r.ntokens] {
		loaded, err := r.l.sm.Load(base, token)
		if err != nil {
			r.loadErr = err
			break
		}
		ctx = loaded
		if r.token = r.foundToken(ctx, token); r.token != "" {
			break
		}
	}
	switch {
	case r.loadErr != nil:
		ctx = r.loadNothing()
	case ctx == nil:
		ctx, _ = r.l.sm.Load(r.base, "") // without a token there is nothing that can fail
	}
	r.session = ctx.Value(r.l.key)
	r.stale = (r.ntokens > 0 || r.incomplete) && !r.more && r.loadErr == nil && r.token == ""
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded = true
	if r.finished { // too late to save anything; what scs did by loading is no change
		r.status = r.l.sm.Status(ctx)
	}
}

// foundToken returns the token of the session that scs has loaded into ctx for a token: that, or
// none.
func (r *Request) foundToken(ctx context.Context, token string) string {
	if !r.shared && r.tracker.Found(r.l.sm.Store, token) {
		return token // to ask scs takes an allocation
	}
	return r.l.sm.Token(ctx)
}

// Finish is what Writer and Response call for an adapter. It stores the session if it changed, and
// sets the headers of the response: at most one Set-Cookie for the session, in place of any of the
// same name, with Cache-Control: no-store, and Vary: Cookie if the session was used. Only the first
// call does anything; later ones return its error. If it is not nil the session could not be loaded
// or stored, no header was set, and the response must be replaced by the error. If such a failure
// may pass (FailOpen, OnError) it is nil, and no session cookie was set.
func (r *Request) Finish(h http.Header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished || r.Idle() {
		return r.err
	}
	r.finished = true
	if !r.loaded {
		r.late.Store(r.left.Load())
		return nil // nobody asked for the session
	}
	r.status = r.l.sm.Status(&r.ctx)
	if r.err = r.settle(h); r.err != nil {
		return r.err
	}
	addVary(h, &r.vary)
	settled := r.token // to ask scs takes an allocation
	if r.committed != "" {
		settled = r.committed
	}
	r.tracker.Settle(settled)
	if r.status != scs.Unmodified && (r.l.opts.strict || r.l.report != nil) {
		r.snapshot = takeSnapshot(&r.ctx, r.l.sm)
	}
	r.late.Store(r.left.Load())
	return nil
}

func (r *Request) commit(h http.Header) error {
	sm := r.l.sm
	switch r.status {
	case scs.Unmodified:
		if r.stale {
			r.setCookie(h, expiredCookie(sm))
		}
	case scs.Destroyed:
		r.setCookie(h, expiredCookie(sm))
	case scs.Modified:
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
			// No cookie: it would make a browser forget what another response has given it. The
			// next request that comes with a dead token is told. But no page may tell of a sign-in
			// that has not happened.
			if token != r.token && expiry.After(time.Now()) {
				return scskit.ErrGone
			}
		case scskit.CommitStored:
			if commit.Value != "" {
				token = commit.Value
			}
			r.setCookie(h, sessionCookie(sm, token, commit.Expiry, r.persistent(ctx, commit)))
		case scskit.CommitKept: // and so is the cookie
		}
	}
	return nil
}

// persistent reports whether the cookie outlives the browser. If others' changes are stored with
// those of this request, theirs count as well.
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
