// Package tracking connects the adapters and a store through the context of a request.
package tracking

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Key is the context key of the Tracker that scskit.WithTracker adds.
type Key struct{}

// Tracker is the part of a request's tracker that the adapters use.
type Tracker interface {
	// NoteManager records that a manager is about to use the store. If a request passes through the
	// adapters of several managers, the store needs it to tell them apart.
	NoteManager(manager any)

	// Settle records that the response has begun, with the cookie of the session with the token.
	// From then on, SessionManager.RenewToken fails for the session.
	Settle(token string)

	// Began reports whether Settle was called: the session can no longer be stored.
	Began() bool

	// Renewed reports whether store has found that the token was renewed a moment ago. The browser may
	// have the new cookie already, so the response must not change it.
	Renewed(store scs.Store, token string) bool

	// Adopt makes store call read if it has nothing under the token, and find a session with the data
	// that read returns, or none if that is nil. A commit after RenewToken stores the session under
	// the new token. After that, the token is the old one of a renewed session, for all processes.
	// Adopt does nothing if store is not a *scskit.Store that keeps sessions on a server.
	Adopt(store scs.Store, token string, read func(context.Context) (data []byte, err error))

	// Alias returns the id of the session that an old token has opened, or "" if the token is the
	// session's own.
	Alias(store scs.Store, token string) string

	// RenewalDue reports whether the session was found under the token, and has had it for at least
	// the given time. If so, the next call of RenewToken is a periodic renewal, not a sign-in:
	// requests with the old token may go on with the session for a moment.
	RenewalDue(store scs.Store, token string, every time.Duration) bool

	// Found reports whether store has found a session for the token and not deleted it since. It
	// returns false if store is not a *scskit.Store.
	Found(store scs.Store, token string) bool

	// HasIdleTimeout reports whether the session that was loaded for the token has an idle timeout of
	// its own. known is false if the tracker would have to decode it, or if store is not a
	// *scskit.Store.
	HasIdleTimeout(store scs.Store, token string) (has, known bool)
}

// From returns the Tracker in ctx, or nil if there is none.
func From(ctx context.Context) Tracker {
	t, _ := ctx.Value(Key{}).(Tracker)
	return t
}

// committerKey is the context key of the Committer of a commit.
type committerKey struct{}

// Committer identifies the manager that commits. If several managers share a store and a tracker,
// the store needs it to find the renewed session that a new token replaces.
type Committer struct {
	Manager any    // the context key of the manager's session
	Loaded  string // the token whose session the manager loaded, or ""
}

// WithCommitter returns a context for a commit by a manager that loaded the session of a token.
func WithCommitter(ctx context.Context, manager any, loaded string) context.Context {
	return context.WithValue(ctx, committerKey{}, Committer{manager, loaded})
}

// CommitterFrom returns the Committer in the context of a commit.
func CommitterFrom(ctx context.Context) (c Committer, ok bool) {
	c, ok = ctx.Value(committerKey{}).(Committer)
	return c, ok
}

// WithoutSession returns ctx without the session of any manager. It is the context for loggers and
// observers: scs holds a lock on the session while they run, so using the session would deadlock.
func WithoutSession(ctx context.Context) context.Context { return sessionless{ctx} }

type sessionless struct{ context.Context }

func (c sessionless) Value(key any) any {
	if IsManagerKey(key) {
		return nil
	}
	return c.Context.Value(key)
}

// IsManagerKey reports whether key is the context key of a manager's session. scs has a type of its
// own for these keys.
func IsManagerKey(key any) bool {
	t := reflect.TypeOf(key)
	return t != nil && t.Kind() == reflect.String && strings.HasSuffix(t.PkgPath(), "/scs/v2")
}

// RefresherKey is the context key of the Refresher of a request.
type RefresherKey struct{}

// Refresher is the request of an adapter.
type Refresher interface {
	// Refresh calls set, which makes the session of a manager show what is stored. After the response
	// has begun, this is no late change.
	Refresh(manager any, set func())
}
