package scskit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scskit/scskit/driver"
)

// ending destroys sessions. A session that was renewed meanwhile ends under its new token.
type ending struct {
	store *Store
	user  string   // the hash of the user whose sessions end; empty for a session of any user
	kept  []string // ids of sessions that stay
}

// maxRenewals limits how many renewals of a session are followed, all within tombstoneLife.
const maxRenewals = 10_000

// end destroys the session in a record, or its successor if it is a tombstone. found says that
// there was one. It needs no more of the record than its ID and Version; if the version is zero, it
// loads the record.
//
// A session is removed on condition of its version. Otherwise it could be a tombstone by now, which
// alone leads to the successor. For the same reason the tombstones go last: somebody else who finds
// one missing may take it that the session has ended.
func (e ending) end(ctx context.Context, rec driver.Record) (found bool, err error) {
	s := e.store
	if s.carrier != nil { // the adapter expires the cookie
		err := s.remove(ctx, rec.ID, driver.Always())
		return err == nil, err
	}
	var passed []string
	defer func() {
		for _, id := range slices.Backward(passed) {
			if err == nil {
				err = s.removeAny(ctx, id)
			}
		}
	}()
	for attempt := 0; attempt < maxAttempts; {
		if t, isTombstone := tombstoneOf(rec.Data); isTombstone {
			passed = append(passed, rec.ID)
			switch {
			case !e.follows(t):
				return false, nil
			case len(passed) == maxRenewals:
				return false, fmt.Errorf("gave up after following %d renewals of a session", maxRenewals)
			}
			rec, attempt = driver.Record{ID: t.next}, 0
		} else if rec.Version != 0 {
			err := s.remove(ctx, rec.ID, driver.IfVersion(rec.Version))
			if !lostRace(err) {
				return err == nil, err
			}
			attempt++
			if err := backOff(ctx, attempt); err != nil {
				return false, err
			}
		}
		id := rec.ID
		rec, err = s.loadAny(ctx, id)
		if errors.Is(err, driver.ErrNotFound) {
			return false, nil
		}
		if err != nil && !unreadable(err) {
			return false, err
		}
		if e.user != "" && s.ownerOf(rec, err) != e.user {
			return false, nil
		}
		rec.ID = id
	}
	return false, driver.ErrConflict
}

// follows reports whether the successor of a tombstone ends too.
func (e ending) follows(t tombstone) bool {
	switch {
	case t.next == "" || slices.Contains(e.kept, t.next):
		return false
	case t.why == byMerge: // the target is a session of its own, unless it is the user's now
		return e.user != ""
	}
	return true
}

// removeAny removes the record with the id, if there is one.
func (s *Store) removeAny(ctx context.Context, id string) error {
	err := s.remove(ctx, id, driver.Always())
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	return err
}
