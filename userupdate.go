package scskit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// UpdateSessionsOf changes every session of a user, as when a role was taken away. It calls change
// with the values of each session, stores the result, and returns how many sessions it has changed,
// even if it fails:
//
//	n, err := store.UpdateSessionsOf(ctx, user, func(values map[string]any) error {
//		delete(values, "admin")
//		return nil
//	})
//
// It changes every session that was signed in before the call began. If others save a session
// meanwhile, it calls change again with what they have stored. If a session is renewed meanwhile,
// it is changed under its new token. A session that was destroyed does not come back. A session
// that is signed in during the call may or may not be changed: change what a sign-in reads, such as
// the user's row in a database, before the call.
//
// change may see a session that it has changed already, after a renewal. Its second call must
// change nothing more: set or delete values, and do not count. It must not change the value under
// Options.UserKey. If it returns an error, UpdateSessionsOf stops and returns that.
//
// A request that runs at the same time keeps what it puts under the same keys itself: its commit
// wins over the change. For a right that must stay taken away, set Options.Merge for its key to
// MergeFirst.
//
// The call does not count as a use of the session: expiry, deadline, Created and Seen stay. The
// session of the request in ctx is changed in the store, and the request's commit does not undo
// that. To see the change in the request too, call Update with a function that does nothing.
//
// Sessions that cannot be read are not changed. The others are, and the error matches the first
// failure. DestroySessionsOf removes them. Errors are otherwise those of SessionsOf.
func (s *Store) UpdateSessionsOf(ctx context.Context, user string,
	change func(values map[string]any) error) (changed int, err error) {
	want, err := s.indexedUser(user)
	if err == nil && change == nil {
		err = errors.New("the function is nil")
	}
	if err == nil {
		u := usersUpdate{store: s, user: want, change: change, done: make(map[string]bool)}
		err = u.run(ctx)
		changed = u.changed
	}
	if err != nil {
		return changed, failed("update sessions of a user", err)
	}
	return changed, nil
}

// usersUpdate is one call of UpdateSessionsOf.
type usersUpdate struct {
	store   *Store
	user    string // its hash
	change  func(values map[string]any) error
	done    map[string]bool // the ids of sessions that need no more change, and of tombstones
	changed int
	failed  error // the first session that cannot be read
}

// run goes through the sessions once. The listing has every session that is older than the call,
// or the tombstone that leads to its successor.
func (u *usersUpdate) run(ctx context.Context) error {
	for rec, err := range u.store.recordsOf(ctx, u.user) {
		if err != nil {
			return err
		}
		if err := u.one(ctx, rec.ID); err != nil {
			return err
		}
	}
	return u.failed
}

// successors changes the sessions that have replaced one.
func (u *usersUpdate) successors(ctx context.Context, t tombstone) error {
	for _, next := range t.next {
		if err := u.one(ctx, next.id); err != nil {
			return err
		}
	}
	return nil
}

// one changes one session, or its successors, until no other request interferes.
func (u *usersUpdate) one(ctx context.Context, id string) error {
	s := u.store
	var lastVersion int64
	if u.done[id] {
		return nil
	}
	u.done[id] = true
	for attempt := range maxAttempts {
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
		// The listing may be old, so that a save on its condition would fail.
		rec, err := s.load(ctx, id)
		switch {
		case asRenewed(err) != nil:
			return u.successors(ctx, asRenewed(err).tombstone)
		case errors.Is(err, driver.ErrNotFound): // destroyed
			return nil
		case err != nil && !unreadable(err):
			return err
		case err == nil && rec.Version == lastVersion: // the reply to the save was lost
			u.changed++
			return nil
		}
		if err == nil {
			err = s.readable(rec)
		}
		if err != nil {
			if u.failed == nil {
				u.failed = fmt.Errorf("a session cannot be read: %w", err)
			}
			return nil
		}
		data, err := u.apply(rec.Data)
		if err != nil || s.codec.same(data, rec.Data) {
			return err
		}
		loaded := rec.Version
		rec.Data, rec.Updated, rec.Rewrite = data, s.opts.Now(), false
		rec.Version = version()
		lastVersion = rec.Version
		_, err = s.save(ctx, KindSave, &rec, driver.IfVersion(loaded))
		if err == nil {
			u.changed++
			return nil
		}
		if !lostRace(err) {
			return err
		}
		s.report(ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(id)})
	}
	return (&commitOp{store: s, ctx: ctx, id: id}).conflictError()
}

// apply returns the changed data. A session that has another user by now stays as it is.
func (u *usersUpdate) apply(data []byte) ([]byte, error) {
	s := u.store
	if user, err := s.userOf(data); err != nil || user != u.user {
		return data, err
	}
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return nil, err
	}
	if err := u.change(values); err != nil {
		return nil, err
	}
	changed, err := s.codec.Encode(deadline, values)
	if err != nil {
		return nil, err
	}
	switch user, err := s.userOf(changed); {
	case err != nil || user != u.user:
		return nil, fmt.Errorf("the function changed the value under %q, which is Options.UserKey: "+
			"destroy the session instead", s.opts.UserKey)
	case len(changed) > s.maxSize:
		return nil, s.tooLarge(changed)
	}
	return changed, nil
}

// saveSuccessor saves the session under its new token again, during a renewal. The token is still
// secret, so only UpdateSessionsOf and DestroySessionsOf can have changed it.
func (c *commitOp) saveSuccessor(stored, next mergeResult, version int64,
	until time.Time) (mergeResult, int64, error) {
	s := c.store
	for attempt := range maxAttempts {
		if err := backOff(c.ctx, attempt); err != nil {
			return stored, version, err
		}
		rec := c.record(next.data, until)
		rec.Created = c.note.created
		_, err := s.save(c.ctx, KindMerge, &rec, driver.IfVersion(version))
		if err == nil {
			return next, rec.Version, nil
		}
		if !lostRace(err) {
			return stored, version, err
		}
		current, err := s.load(c.ctx, c.id)
		switch {
		case errors.Is(err, driver.ErrNotFound): // only DestroySessionsOf can have deleted it
			return stored, version, errTargetGone
		case err != nil:
			return stored, version, err
		case current.Version == rec.Version: // the reply to the save was lost
			return next, rec.Version, nil
		}
		merged, err := c.mergeInto(current.Data, stored.data, next.data, c.overwrites...)
		if err != nil {
			return stored, version, err
		}
		merged.ours = next.ours
		stored.data, next, version = current.Data, merged, current.Version
	}
	return stored, version, c.conflictError()
}
