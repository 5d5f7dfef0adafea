package scskit

import (
	"context"
	"slices"
	"time"

	"github.com/scskit/scskit/internal/tracking"
)

type noteKey struct {
	store *Store // its origin
	token string
}

// note is what a tracker knows about one token in one store: the record that was loaded or last
// stored, whether the session is still live, and the result of the last commit.
type note struct {
	store *Store // its origin
	token string
	base  // the first load; in the copy of a commit, the load that it is based on
	state noteState
	// The result of the last commit.
	result CommitResult

	alias string // the id of the record, if it is not that of the token; see reuse.go

	periodic bool // the adapter has renewed the session by itself; see RenewPeriodically
	replaced bool // the token was renewed before it was looked for, a moment ago

	found   bool // the record was loaded, not created in this context
	settled bool // the response has begun, so the token can no longer change

	extra *noteExtra // nil for most notes; copy on write
}

// noteExtra is the part of a note that few requests need: for several loads of one token,
// RenewToken and MergeSession.
type noteExtra struct {
	more    []base // the other loads, latest first
	reloads int    // number of loads after the first

	// Calls of RenewToken for this session. The commit that creates its successor retires it.
	renewals []renewal

	// For a session of another package; see adopt.go. adopted says that it was found.
	adopt   func(context.Context) ([]byte, error)
	adopted bool

	// Set if MergeSession has merged this session into another, the target. While this session is
	// live, the commit of the target retires it. If this session ends in another way, the target must
	// not keep its values.
	source *mergeSource
}

// extras returns the note's extra, or its zero value.
func (n *note) extras() noteExtra {
	if n.extra == nil {
		return noteExtra{}
	}
	return *n.extra
}

// bases returns all loads of the token, latest first.
func (n *note) bases() []base {
	if n.extra == nil {
		return []base{n.base}
	}
	return append(slices.Clone(n.extra.more), n.base)
}

// loaders returns the sessions in ctx of the managers that have loaded the token.
func (n *note) loaders(ctx context.Context) (loaders []sessionRef) {
	for _, b := range n.bases() {
		if b.manager == nil {
			continue
		}
		c := sessionRef{b.manager, ctx.Value(b.manager)}
		if c.session != nil && !slices.Contains(loaders, c) {
			loaders = append(loaders, c)
		}
	}
	return loaders
}

// base is a record as a manager loaded it or last stored it. It is the base of the three-way merge.
type base struct {
	// scs does not say which load of a token a commit is based on. The second and later loads
	// therefore return a deadline that is some nanoseconds later, each by another offset.
	offset    time.Duration
	hasOffset bool       // data has the offset; false if the codec rounds deadlines
	deadline  *time.Time // the deadline in data; nil if the token was loaded only once
	manager   any        // key of the manager that loaded it; nil if unknown

	data    []byte // as the manager got it, including the offset
	expiry  time.Time
	created time.Time
	user    string // Record.User
	version int64  // the stored version; 0 if the stored record is not data
	rewrite bool   // save the record again even if it is unchanged
}

// sessionRef identifies a session in a context: the key of its manager, and the manager's value for
// it.
type sessionRef struct{ manager, session any }

// in reports whether the session is the one in ctx.
func (c sessionRef) in(ctx context.Context) bool {
	return c.session != nil && ctx.Value(c.manager) == c.session
}

// mergeSource is a session that MergeSession has merged into another, the target.
type mergeSource struct {
	base                 // as it was merged
	targets []sessionRef // the possible targets; empty if unknown
	before  []byte       // the target's data before the merge; nil until the target is first committed
	adopted [][]byte     // later versions of the source that were merged into the target
}

// renewal is a call of SessionManager.RenewToken.
type renewal struct {
	number   int          // increases with each call
	sessions []sessionRef // the sessions that may have been renewed; empty if unknown
}

// inContext reports whether one of the sessions is in ctx, and its manager is the one that calls.
func inContext(ctx context.Context, sessions []sessionRef) bool {
	manager, known := managerOf(ctx)
	return slices.ContainsFunc(sessions, func(c sessionRef) bool {
		return (!known || c.manager == manager) && c.in(ctx)
	})
}

// renewed returns those renewals of the note that belong to the session in ctx.
func (n *note) renewed(ctx context.Context) (renewals []renewal) {
	commit, known := tracking.CommitterFrom(ctx)
	for _, r := range n.extras().renewals {
		if len(r.sessions) > 0 && inContext(ctx, r.sessions) ||
			len(r.sessions) == 0 && (!known || !n.found || n.token == commit.Loaded) {
			renewals = append(renewals, r)
		}
	}
	return renewals
}

type noteState uint8

const (
	noteLive    noteState = iota + 1 // loaded or stored
	noteDeleted                      // destroyed in this context
	noteGone                         // destroyed elsewhere, or expired
	noteRenewed                      // continues under another token or in the target of a merge
)
