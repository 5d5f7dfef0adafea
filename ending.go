package scskit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scskit/scskit/driver"
)

// ending destroys sessions. A session that was renewed meanwhile ends under its new tokens.
type ending struct {
	store *Store
	user  string   // the hash of the user whose sessions end; empty for a session of any user
	kept  []string // ids of sessions that stay
	found int      // how many sessions were destroyed
	steps int
}

// maxRenewals limits how many records one call follows.
const maxRenewals = 10_000

// end destroys the session in a record, or the successors of a tombstone. It needs no more of the
// record than its ID and Version; if the version is zero, it loads the record. gone says that
// nothing is left: no successor is kept, or is another user's.
//
// Every record is removed on condition of its version. Otherwise a session could be a tombstone by
// now, which alone leads to the successors, or a tombstone could have one more. For the same reason
// a tombstone is removed after its successors: somebody else who finds it missing may take it that
// they have ended.
func (e *ending) end(ctx context.Context, rec driver.Record) (gone bool, err error) {
	s := e.store
	if s.carrier != nil { // the adapter expires the cookie
		e.found++
		return true, s.remove(ctx, rec.ID, driver.Always())
	}
	if e.steps++; e.steps > maxRenewals {
		return false, fmt.Errorf("gave up after following %d renewals", maxRenewals)
	}
	for attempt := range maxAttempts {
		if err := backOff(ctx, attempt); err != nil {
			return false, err
		}
		if attempt > 0 || rec.Version == 0 {
			id := rec.ID
			rec, err = s.loadAny(ctx, id)
			switch {
			case errors.Is(err, driver.ErrNotFound):
				return true, nil
			case err != nil && !unreadable(err):
				return false, err
			case attempt > 0 && errors.Is(err, ErrUnknownKey) && e.user == "":
				return false, err // it may be a tombstone by now
			case e.user != "" && s.ownerOf(rec, err) != e.user:
				return false, nil
			}
			rec.ID = id
		}
		t, isTombstone := tombstoneOf(rec.Data)
		if isTombstone {
			all, err := e.endSuccessors(ctx, t)
			if err != nil || !all && t.closed {
				return false, err
			}
			if !all {
				t.closed = true
				if _, err = s.resave(ctx, rec, t); !lostRace(err) {
					return false, err
				}
				continue
			}
		}
		cond := driver.IfVersion(rec.Version)
		if rec.Version == 0 { // not written by a Store
			cond = driver.Always()
		}
		if err = s.remove(ctx, rec.ID, cond); !lostRace(err) {
			if err == nil && !isTombstone {
				e.found++
			}
			return err == nil, err
		}
	}
	return false, driver.ErrConflict
}

// endSuccessors destroys the successors of a tombstone. gone is false if one of them stays.
func (e *ending) endSuccessors(ctx context.Context, t tombstone) (gone bool, err error) {
	gone = true
	for _, next := range t.next {
		switch {
		case slices.Contains(e.kept, next.id):
			gone = false
		case next.why == byMerge && e.user == "": // the target is a session of its own
		default:
			ended, err := e.end(ctx, driver.Record{ID: next.id})
			if err != nil {
				return false, err
			}
			gone = gone && ended
		}
	}
	return gone, nil
}

// endAny destroys the session with the id, if there is one. The version may be zero, if it is not
// known. found says whether there was one.
func (s *Store) endAny(ctx context.Context, id string, version int64) (found bool, err error) {
	e := ending{store: s}
	_, err = e.end(ctx, driver.Record{ID: id, Version: version})
	return e.found > 0, err
}
