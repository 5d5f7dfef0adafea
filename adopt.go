package scskit

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
)

// A session of another package is adopted as if it had an old token of ours, made from its id,
// which is renewed at once: the commit creates the session under a new token, and stores a
// tombstone under the old one, if there is none yet. So of several requests that adopt it at the
// same time, in any process, one makes the session, and the others go on with it.

// Adopt implements tracking.Tracker.
func (t *tracker) Adopt(
	store scs.Store, token string, read func(context.Context) ([]byte, error),
) {
	s, ok := StoreOf(store)
	if !ok || s.carrier != nil {
		return
	}
	t.update(s, token, func(n *note) {
		e := n.extras()
		e.adopt = read
		n.extra = &e
	})
}

// adopt returns the data of a session to adopt, or nil, under a token that has no record.
func (s *Store) adopt(
	ctx context.Context, t *tracker, token, id string, manager any,
) ([]byte, error) {
	n := t.get(s, token)
	read := n.extras().adopt
	if read == nil {
		return nil, nil
	}
	data, err := read(ctx)
	if err != nil || data == nil {
		return nil, err
	}
	deadline, known := s.codec.deadline(data)
	now := s.opts.Now()
	if !known || !deadline.After(now) {
		return nil, nil
	}
	data = t.loaded(s, token, driver.Record{
		ID: id, Data: data, Expiry: deadline, Created: now.Add(-time.Hour), Updated: now,
	}, manager)
	t.update(s, token, func(n *note) {
		e := n.extras()
		e.adopted = true
		n.extra = &e
	})
	return data, nil
}

// retireAdopted stores a tombstone for an adopted session, if there is none.
func (s *Store) retireAdopted(ctx context.Context, old *note, t tombstone) (int64, error) {
	now := s.opts.Now()
	return s.saveTombstone(ctx, driver.Record{
		ID: s.idOf(old), Expiry: ceilMilli(now.Add(periodicLife)), Created: now, Updated: now, Seen: now,
	}, t, driver.IfAbsent())
}

// endAdopted destroys a session that was adopted, but perhaps not stored yet. A closed tombstone
// keeps other requests from adopting it.
func (s *Store) endAdopted(ctx context.Context, n *note) error {
	_, err := s.retireAdopted(ctx, n, tombstone{closed: true})
	if !lostRace(err) {
		return err
	}
	_, err = s.endAny(ctx, s.idOf(n), 0)
	return err
}
