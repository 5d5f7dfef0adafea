package scskit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/codec"
)

// mergeResult is the result of a three-way merge.
type mergeResult struct {
	data     []byte
	deadline time.Time
	ours     bool // this request changed the deadline
}

// merge3 applies the changes of a request, from base to ours, to theirs, the record that others
// have stored meanwhile. For each key that the request put or removed, its change wins. The keys in
// overwrites count as changed. Every other key keeps the stored value. The deadline is merged in
// the same way. An empty base has no keys.
func (s *Store) merge3(base, ours, theirs []byte, overwrites ...string) (mergeResult, error) {
	ourDeadline, result, err := s.codec.Decode(ours)
	if err != nil {
		return mergeResult{}, fmt.Errorf(
			"merge: Options.Codec cannot decode the committed session: %w", err)
	}
	var baseDeadline time.Time
	baseValues := map[string]any{}
	if len(base) > 0 {
		if baseDeadline, baseValues, err = s.codec.Decode(base); err != nil {
			return mergeResult{}, fmt.Errorf(
				"merge: Options.Codec cannot decode the loaded session: %w", err)
		}
	}
	theirDeadline, theirValues, err := s.codec.Decode(theirs)
	if errors.Is(err, ErrCorrupt) { // nothing in it can be kept
		return mergeResult{data: ours, deadline: ourDeadline, ours: true}, nil
	}
	if err != nil {
		return mergeResult{}, fmt.Errorf(
			"merge: Options.Codec cannot decode the stored session: %w", err)
	}

	merged, err := s.mergeValues(baseValues, theirValues, result, overwrites)
	if err != nil {
		return mergeResult{}, fmt.Errorf("merge: %w", err)
	}
	for key, value := range theirValues {
		ourValue, have := result[key]
		baseValue, had := baseValues[key]
		changed := have != had || have && !codec.Equal(ourValue, baseValue) ||
			slices.Contains(overwrites, key)
		if !changed {
			result[key] = value
		}
	}
	for key, baseValue := range baseValues {
		if _, ok := theirValues[key]; ok {
			continue
		}
		ourValue, have := result[key]
		if have && codec.Equal(ourValue, baseValue) && !slices.Contains(overwrites, key) {
			delete(result, key) // they removed it, and this request did not change it
		}
	}
	for key, value := range merged {
		result[key] = value
		if value == nil {
			delete(result, key)
		}
	}
	m := mergeResult{deadline: theirDeadline}
	if len(base) == 0 || !ourDeadline.Equal(baseDeadline) {
		m.deadline, m.ours = ourDeadline, true
	}
	m.data, err = s.codec.Encode(m.deadline, result)
	if err != nil {
		return mergeResult{}, fmt.Errorf("merge: %w", err)
	}
	return m, nil
}

// expiry returns the expiry of a merged record. It is the later of the two, but not after the
// deadline. If this request changed the deadline, it is the request's own expiry.
func (m *mergeResult) expiry(ours, theirs time.Time) time.Time {
	e := ours
	if !m.ours && theirs.After(e) {
		e = theirs
	}
	if e.After(m.deadline) {
		e = m.deadline
	}
	return ceilMilli(e)
}

// merge loads the stored record, applies the changes of this request and saves the result, until no
// other request interferes. raced says whether a save has already failed.
func (c *commitOp) merge(expiry time.Time, raced bool) error {
	s, n := c.store, &c.note
	endTurn, err := s.mergeTurn(c.ctx, c.id)
	if err != nil {
		return err
	}
	defer endTurn()
	for attempt := range maxAttempts {
		if err := backOff(c.ctx, attempt); err != nil {
			return err
		}
		current, err := s.load(c.ctx, c.id)
		switch {
		case asRenewed(err) != nil:
			followed, err := c.follow(asRenewed(err))
			if err != nil {
				return err
			}
			if !followed {
				return c.gone(noteRenewed)
			}
			raced = true
			continue
		case errors.Is(err, driver.ErrNotFound):
			return c.gone(noteGone)
		case err != nil && !errors.Is(err, ErrCorrupt): // of a damaged record nothing can be kept
			return err
		}
		if current.Version == c.lastVersion {
			// No other request: the backend's client lost the reply, retried, and conflicted with its own
			// save.
			c.noteMerge(current.Data, current.Version, current.Expiry, CommitStored)
			return nil
		}
		if raced {
			s.report(c.ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(c.id)})
		}
		if !s.codec.same(n.data, c.data) || len(c.overwrites) > 0 {
			if err := c.fenced(c.id, s.codec.same(current.Data, n.data)); err != nil {
				return err
			}
		}
		merged, err := c.mergeInto(current.Data, n.data, c.data, c.overwrites...)
		if err != nil {
			return err
		}
		until := c.mergedExpiry(&merged, expiry, current.Expiry)
		if s.codec.same(merged.data, current.Data) {
			if !current.Expiry.Before(until) {
				state := CommitKept
				if n.state == 0 {
					// an earlier attempt created it, but returned an error: the cookie is not sent yet
					state = CommitStored
				}
				c.noteMerge(merged.data, current.Version, current.Expiry, state)
				return nil
			}
			err = s.touch(c.ctx, driver.Record{
				ID: c.id, Version: current.Version, User: current.User, Expiry: until,
			})
			if err == nil {
				c.noteMerge(merged.data, current.Version, until, CommitStored)
				return nil
			}
		} else {
			rec := c.record(merged.data, until)
			rec.Created = current.Created
			c.lastVersion = rec.Version
			_, err = s.save(c.ctx, KindMerge, &rec, driver.IfVersion(current.Version))
			if err == nil {
				c.noteMerge(merged.data, rec.Version, until, CommitStored)
				return nil
			}
		}
		if !lostRace(err) {
			return err
		}
		raced = true
	}
	return c.conflictError()
}

// follow makes the commit go on with the successor of its session, if nobody has signed in. The
// response then sends no cookie, since the one of the renewal does.
func (c *commitOp) follow(renewed *renewedError) (followed bool, err error) {
	next, ok := renewed.periodic()
	if !ok {
		return false, nil
	}
	if err := c.moveLock(c.id, next); err != nil {
		return false, err
	}
	c.id, c.note.alias = next, next
	return true, nil
}

// mergeInto applies the changes from base to ours to theirs, the stored record.
func (c *commitOp) mergeInto(theirs, base, ours []byte, overwrites ...string) (mergeResult, error) {
	m, err := c.store.merge3(base, ours, theirs, overwrites...)
	if err == nil && len(m.data) > c.store.maxSize {
		err = c.store.tooLarge(m.data)
	}
	if err != nil {
		c.store.reportFailedSave(c.ctx, c.id, err)
	}
	return m, err
}

// noteMerge records the result of a merge. The handler continues with its own data, so that is the
// base of the next commit. If the stored record is different, version 0 makes the next commit merge
// again.
func (c *commitOp) noteMerge(stored []byte, version int64, expiry time.Time, state CommitState) {
	n := &c.note
	if !bytes.Equal(stored, c.plain) {
		version = 0
	}
	n.data, n.expiry, n.version, n.state = c.data, expiry, version, noteLive
	n.user, _ = c.store.userOf(stored) // it was saved, so its user is valid
	if state == CommitKept {
		n.keep(expiry)
		return
	}
	n.result = CommitResult{State: state, Expiry: expiry}
	if version == 0 {
		n.result.Merged = stored
	}
}
