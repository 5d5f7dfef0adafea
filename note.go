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

// note is what the tracker knows of one token in one store.
type note struct {
	store *Store // its origin
	token string
	base  // of the first load, or of the commit that has a copy of the note
	state noteState
	// What became of the last result.
	result CommitResult

	found   bool // the record was loaded, and not made in this context
	settled bool // the response has begun, so that the token cannot change any more

	rare *rare // what most notes have not; replaced and not changed, since copies share it
}

// rare is what a note may have besides.
type rare struct {
	more  []base // of other loads, the latest first
	marks int    // how many loads there were but the first

	// By whom it is to be retired: with the commit that creates its successor.
	renewals []renewal

	// What MergeSession took of it. While it lives, it is to be retired with the commit of the
	// session that has it now; of one that came to its end otherwise that must keep nothing.
	absorbed *absorbed
}

// rarely returns what the note has besides.
func (n *note) rarely() rare {
	if n.rare == nil {
		return rare{}
	}
	return *n.rare
}

// bases returns all the records that were handed out, the latest first.
func (n *note) bases() []base {
	if n.rare == nil {
		return []base{n.base}
	}
	return append(slices.Clone(n.rare.more), n.base)
}

// users returns the sessions in ctx of those managers that have loaded the note's.
func (n *note) users(ctx context.Context) (users []claim) {
	for _, b := range n.bases() {
		if b.manager == nil {
			continue
		}
		c := claim{b.manager, ctx.Value(b.manager)}
		if c.session != nil && !slices.Contains(users, c) {
			users = append(users, c)
		}
	}
	return users
}

// base is a record as it was handed out, or as the one who got it has stored it since.
type base struct {
	// mark tells the loads of one token apart, which scs does not. It is how much later the
	// deadline is that was handed out: 0, and some nanoseconds from the second load on.
	mark    time.Duration
	exact   bool       // the codec keeps a deadline to the nanosecond, so that the mark is in data
	handed  *time.Time // the deadline that was handed out; nil if there are no other loads
	manager any        // the key of the manager that loaded it; nil if that is not known

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

// absorbed is a session that MergeSession has merged into another.
type absorbed struct {
	base            // as it was merged
	by     []claim  // whose the absorbing session may be; empty if nobody can tell
	before []byte   // what that was before; nil until its first commit since
	taken  [][]byte // what others have saved to this one since, and that has taken up
}

// renewal is a call of SessionManager.RenewToken.
type renewal struct {
	number int     // the highest is the last
	by     []claim // whose it may be; empty if nobody can tell
}

// isOneOf reports whether what goes on in ctx is of one of the sessions.
func isOneOf(ctx context.Context, sessions []claim) bool {
	asker, known := askerOf(ctx)
	return slices.ContainsFunc(sessions, func(c claim) bool {
		return (!known || c.manager == asker) && c.in(ctx)
	})
}

// renewed returns the renewals of the note by the session in ctx.
func (n *note) renewed(ctx context.Context) (by []renewal) {
	commit, known := tracking.CommitterFrom(ctx)
	for _, r := range n.rarely().renewals {
		if len(r.by) > 0 && isOneOf(ctx, r.by) ||
			len(r.by) == 0 && (!known || !n.found || n.token == commit.Loaded) {
			by = append(by, r)
		}
	}
	return by
}

type noteState uint8

const (
	noteLive    noteState = iota + 1 // it was loaded or stored
	noteDeleted                      // this request has destroyed it
	noteGone                         // another request has destroyed it, or it has expired
	noteRenewed                      // it goes on in another, by this request or another
)
