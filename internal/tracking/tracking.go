// Package tracking is how the adapters and a store work together in the context of a request.
package tracking

import (
	"context"
	"reflect"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// Key is the key under which a context from scskit.WithTracker has its Tracker.
type Key struct{}

// Tracker is what the adapters need of the tracker of a request.
type Tracker interface {
	// Asks records that a manager is about to ask the store for its session. Where adapters of
	// several managers are around one request, the store tells by it which manager asks.
	Asks(manager any)

	// Settle records that the response has begun and has the cookie of the session with the token:
	// SessionManager.RenewToken fails for it from now on.
	Settle(token string)

	// Found reports whether store, if it is a *scskit.Store itself, has found a session for the token
	// and has not deleted it since.
	Found(store scs.Store, token string) bool
}

// From returns the tracker in ctx, or nil if there is none.
func From(ctx context.Context) Tracker {
	t, _ := ctx.Value(Key{}).(Tracker)
	return t
}

// CommitterKey is the key under which the context of a commit has a Commit.
type CommitterKey struct{}

// Committer says who commits. Where several managers share a store and a tracker, the store tells by
// it which of the sessions that are being renewed a new token replaces.
type Committer struct {
	Manager any    // the key under which the manager keeps its session in contexts
	Loaded  string // the token that it has loaded the session for, "" if there was none
}

// WithCommitter returns a context for a commit by a manager that has loaded the session for a token.
func WithCommitter(ctx context.Context, manager any, loaded string) context.Context {
	return context.WithValue(ctx, CommitterKey{}, Committer{manager, loaded})
}

// CommitterFrom returns what the context of a commit says.
func CommitterFrom(ctx context.Context) (c Committer, ok bool) {
	c, ok = ctx.Value(CommitterKey{}).(Committer)
	return c, ok
}

// WithoutSession returns ctx without the sessions of any manager. Loggers and observers get it: scs
// holds a lock on the session while they run, and one that used the session would never return.
func WithoutSession(ctx context.Context) context.Context { return sessionless{ctx} }

type sessionless struct{ context.Context }

func (c sessionless) Value(key any) any {
	if IsManagerKey(key) {
		return nil
	}
	return c.Context.Value(key)
}

// IsManagerKey reports whether key is one under which a manager keeps its session in contexts: scs
// has a type of its own for them.
func IsManagerKey(key any) bool {
	t := reflect.TypeOf(key)
	return t != nil && t.Kind() == reflect.String && strings.HasSuffix(t.PkgPath(), "/scs/v2")
}
