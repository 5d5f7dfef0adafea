package scskit

import (
	"context"
	"slices"
	"time"
)

type noteKey struct {
	store *Store // its origin
	token string
}

// note is what the tracker knows of one token in one store.
type note struct {
	store *Store // its origin
	token string
	base  // of the first load, or of the commit that has a copy of the note
	state noteState
	// What became of the last commit.
	commit Commit

	found   bool   // the record was loaded, and not made in this context
	settled bool   // the response has begun, so that the token cannot change any more
	merger  claim  // whose MergeSession has loaded it
	taken   []byte // and what it got
	more    []base // of other loads
	marks   int    // how many loads there were but the first

	// By whom it is to be retired: with the commit that creates its successor.
	renewals []renewal
}

// base is a record as it was handed out, or as the one who got it has stored it since.
type base struct {
	// mark tells the loads of one token apart, which scs does not. It is how much later the
	// deadline is that was handed out: 0, and some nanoseconds from the second load on.
	mark    time.Duration
	manager any // the key of the manager that loaded it; nil if that is not known

	data    []byte // as handed to scs, with the mark: the base of a merge
	expiry  time.Time
	created time.Time
	version int64 // the stored version; 0 if what is stored is not data
	rewrite bool  // save it again although unchanged
}

// claim is a session as its manager keeps it in contexts.
type claim struct{ manager, session any }

// in reports whether the session is the one in ctx.
func (c claim) in(ctx context.Context) bool {
	return c.session != nil && ctx.Value(c.manager) == c.session
}

// renewal is a call of SessionManager.RenewToken.
type renewal struct {
	number int     // the highest is the last
	by     []claim // whose it may be; empty if nobody can tell
}

// is reports whether what goes on in ctx is of the session that was renewed.
func (r renewal) is(ctx context.Context, n *note) bool {
	hint, hinted := ctx.Value(loadedKey{}).(loadedBy)
	if len(r.by) == 0 {
		return !hinted || !n.found || n.token == hint.token
	}
	return slices.ContainsFunc(r.by, func(c claim) bool {
		return (!hinted || c.manager == hint.manager) && c.in(ctx)
	})
}

type noteState uint8

const (
	noteLive    noteState = iota + 1 // it was loaded or stored
	noteDeleted                      // this request has destroyed it
	noteGone                         // another request has destroyed it, or it has expired
	noteRenewed                      // this request or another has renewed it
	noteStray                        // this request has merged it, but another had destroyed it
)

// number returns that of the last renewal.
func (n *note) number() int { return n.renewals[len(n.renewals)-1].number }
