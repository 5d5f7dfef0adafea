package adapters

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/scskit/scskit"
)

// LegacyReader reads the sessions that another session package has stored, so that an application
// can change to scskit without signing anybody out. Package migrate/legacy has readers for common
// ones. It must be safe for concurrent use.
type LegacyReader interface {
	// CookieNames returns the names of the cookies that the sessions come with. The first cookie with
	// each name is read.
	CookieNames() []string

	// SessionID returns what identifies the session of a request with these cookies in its store, or
	// "" if there is none. It is the same for all requests with the session. If the session is in the
	// cookie itself, it is the cookie's value. It asks no store. The id never leaves the process: our
	// backend gets its SHA-256.
	SessionID(cookies []*http.Cookie) string

	// ReadSession returns the live session with the id, or nil if there is none. A cookie that is
	// forged, damaged or of no use is no error. An error means that the store failed. It is not called
	// for a session that was adopted a while ago.
	ReadSession(ctx context.Context, id string, cookies []*http.Cookie) (*LegacySession, error)
}

// LegacySession is a session of another package.
type LegacySession struct {
	// Values are the values that the session will have. The manager's codec must accept them.
	Values map[string]any

	// Deadline is when the session ends. It is zero if the other package does not say, or if it starts
	// anew with each request: then the manager's Lifetime counts from the adoption.
	Deadline time.Time

	// Expire are the cookies that the browser must forget: their names, and the path and domain that
	// they were set with. The path is / if it is empty.
	Expire []*http.Cookie

	// Forget removes the session from its store, when ours is stored. It may be nil.
	Forget func(ctx context.Context) error
}

// AdoptOptions are the policies of Adopt. The zero value forgets a session that was adopted, and
// takes a failure of the old store for a request without a session.
type AdoptOptions struct {
	// Keep leaves the old cookie and the old record as they are, so that you can go back to the old
	// package: its users then have the session that it knew. With Keep, a sign-out still removes both.
	Keep bool

	// FailClosed fails the request if the old store fails. By default it has no session, and the
	// failure is reported as scskit.KindAdopt.
	FailClosed bool
}

// Adopt carries the sessions of another package over. If a request has no live session of the
// manager, but the reader finds one of the other package, the request has a new session with its
// values. It is stored under a new token, also if the handler only reads. Then the old cookie
// expires, and the old record is removed.
//
// Several first requests of a browser at the same time make one session: the others go on with it.
// A session that was adopted, or signed out, is not adopted again for an hour, even if its record
// or cookie could not be removed. Adoptions are reported as scskit.KindAdopt. If the new session
// cannot be stored, a request that only reads succeeds, and the browser keeps the old cookie.
//
// It needs a *scskit.Store that keeps sessions on a server. If the cookie of the other package has
// the name of the manager's cookie, the new one takes its place, so that there is no way back: give
// the manager another Cookie.Name. Remove the option when the sessions of the old package have
// expired.
func Adopt(reader LegacyReader, o AdoptOptions) Option {
	return func(opts *options) { opts.legacy, opts.adopt, opts.adoptSet = reader, o, true }
}

// validateAdopt checks the option Adopt. s is nil if there is no *scskit.Store.
func (l *Lifecycle) validateAdopt(s *scskit.Store, carries bool) error {
	switch {
	case !l.opts.adoptSet:
	case l.opts.legacy == nil:
		return errors.New("the option Adopt has no reader: pass one")
	case s == nil || carries:
		return errors.New("the option Adopt needs a *scskit.Store that keeps sessions on a server: use " +
			"a store from package stores")
	}
	return nil
}

// maxLegacyBytes limits the cookies that a LegacyReader gets.
const maxLegacyBytes = 16 << 10

// collectLegacy notes the cookies for the LegacyReader.
func (r *Request) collectLegacy(in Incoming) {
	if r.l.opts.legacy == nil {
		return
	}
	names, size := r.l.opts.legacy.CookieNames(), 0
	var found []*http.Cookie
	for c := range cookies(in.Header("Cookie")) {
		value, ok := cookieValue(c.value)
		known := func(other *http.Cookie) bool { return other.Name == c.name }
		if !ok || value == "" || !slices.Contains(names, c.name) || slices.ContainsFunc(found, known) {
			continue
		}
		if size += len(value); size > maxLegacyBytes {
			return
		}
		found = append(found, &http.Cookie{Name: c.name, Value: value})
	}
	if len(found) > 0 {
		r.legacy = &legacy{cookies: found}
	}
}

// identifyLegacy reports whether the cookies stand for a session, and sets its id and token.
func (r *Request) identifyLegacy() (found bool, err error) {
	l := r.legacy
	if l == nil {
		return false, nil
	}
	defer r.legacyFailed(&err)
	if l.id == "" {
		l.id = r.l.opts.legacy.SessionID(l.cookies)
		l.token = legacyPrefix + scskit.HashToken(l.id)
	}
	return l.id != "", nil
}

// legacyFailed is deferred by functions that call the LegacyReader. It reports a failure, and drops
// it unless AdoptOptions.FailClosed is set.
func (r *Request) legacyFailed(err *error) {
	if p := recover(); p != nil { // under Fiber, the panic would end the process
		*err = fmt.Errorf("the LegacyReader panicked with a %T", p)
	}
	if *err == nil {
		return
	}
	r.reportAdopt(scskit.OutcomeFailed, *err)
	if !r.l.opts.adopt.FailClosed {
		*err = nil
	}
}

// legacy is the part of a Request for Adopt.
type legacy struct {
	cookies []*http.Cookie
	id      string         // "" until identifyLegacy, or if there is no session
	token   string         // stands for the session
	session *LegacySession // nil if there is none, or it was not read
	adopted bool           // the request goes on with it
}

// legacyPrefix begins the tokens that stand for sessions of other packages.
const legacyPrefix = "legacy:"

// adopt loads the session of another package, if the request has one and none of ours.
func (r *Request) adopt(base context.Context) (context.Context, error) {
	if r.token != "" || r.wasRenewed() {
		return nil, nil //nolint:nilnil // there is none
	}
	if found, err := r.identifyLegacy(); err != nil || !found {
		return nil, err
	}
	r.tracker.Adopt(r.l.sm.Store, r.legacy.token, r.readLegacy)
	ctx, err := r.loadLocked(base, r.legacy.token)
	if err != nil {
		return nil, err
	}
	r.token = r.foundToken(ctx, r.legacy.token)
	if r.legacy.adopted = r.token != ""; !r.legacy.adopted {
		r.Release()
	}
	return ctx, nil
}

// readLegacy returns the data of the old session for our store, or nil.
func (r *Request) readLegacy(ctx context.Context) (data []byte, err error) {
	l, sm := r.legacy, r.l.sm
	defer r.legacyFailed(&err)
	old, err := r.l.opts.legacy.ReadSession(ctx, l.id, l.cookies)
	if err != nil || old == nil {
		return nil, err
	}
	deadline := old.Deadline
	if deadline.IsZero() {
		deadline = time.Now().Add(sm.Lifetime)
	}
	if data, err = sm.Codec.Encode(deadline, old.Values); err != nil {
		return nil, fmt.Errorf("%w: %w", scskit.ErrEncode, err)
	}
	l.session = old
	return data, nil
}

func (r *Request) reportAdopt(outcome scskit.Outcome, err error) {
	if r.l.report == nil {
		return
	}
	r.l.report(r.base, scskit.Event{
		Kind: scskit.KindAdopt, Outcome: outcome, ID: scskit.HashToken(r.legacy.token), Err: err,
	})
}

// forgetLegacy expires the cookies of the session that was adopted or signed out, and removes its
// record. A failure is reported: the tombstone keeps the session from being adopted again.
func (r *Request) forgetLegacy(ctx context.Context, h http.Header, destroyed bool) {
	if r.legacy == nil {
		return
	}
	if destroyed && r.legacy.session == nil { // with Keep, the old cookie and record are still there
		if found, _ := r.identifyLegacy(); found {
			_, _ = r.readLegacy(ctx)
		}
	}
	old := r.legacy.session
	if old == nil || !destroyed && (!r.legacy.adopted || r.l.opts.adopt.Keep) {
		return
	}
	for _, c := range old.Expire {
		if c.Name != r.l.sm.Cookie.Name {
			expired := http.Cookie{Name: c.Name, Path: c.Path, Domain: c.Domain, Secure: c.Secure}
			if expired.Path == "" {
				expired.Path = "/"
			}
			setCookie(h, expiredCookie(&expired))
		}
	}
	if old.Forget == nil {
		return
	}
	if err := old.Forget(ctx); err != nil {
		r.reportAdopt(scskit.OutcomeFailed, err)
	}
}
