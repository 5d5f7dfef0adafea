package scskit

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/codec"
)

// SessionManager.MergeSession takes up the values of another session and deletes that, while its
// own is stored by the next commit. In between the values are nowhere: a commit that fails, or a
// panic, has then lost them. As with renewals the store only notes it, in a context with a tracker,
// and retires the other session once the one that has absorbed it is stored.

// errTargetGone says that a session which carries another on has come to its end meanwhile.
var errTargetGone = errors.New("the session is gone")

// absorbing returns the sessions that the one to be committed has absorbed, and notes what that was
// before. A session that was merged with itself, under a key from All or under the token that it
// had before a renewal, is not among them.
func (c *commitOp) absorbing(before []byte) []note {
	s := c.store
	all := c.tracker.absorbed(c.ctx, s)
	oldID := ""
	if c.old.state != 0 {
		oldID, _ = s.ids.id(c.old.token)
	}
	return slices.DeleteFunc(all, func(n note) bool {
		if id, _ := s.ids.id(n.token); id == c.id || id == oldID {
			c.tracker.released(s, n.token, n.state)
			return true
		}
		c.tracker.update(s, n.token, func(n *note) {
			if r := n.rarely(); r.absorbed != nil && r.absorbed.before == nil {
				a := *r.absorbed
				a.before = append([]byte{}, before...)
				r.absorbed = &a
				n.rare = &r
			}
		})
		return false
	})
}

// absorb retires the sessions that the one that was stored has absorbed, and takes up what others
// have saved to them meanwhile. Of one that has come to its end otherwise nothing stays.
func (c *commitOp) absorb() error {
	n := &c.note
	ours := n.data
	defer func() {
		if n.state == noteLive && !bytes.Equal(ours, n.data) {
			n.data, n.version = ours, 0 // the handler knows nothing of what others have saved
		}
	}()
	for _, other := range c.others {
		if other.state != noteLive {
			continue
		}
		other.base = other.rare.absorbed.base
		outcome, err := c.succeed(&other, func(current driver.Record) error {
			next, err := c.mergeInto(current.Data, other.data, c.data)
			if err != nil {
				return err
			}
			c.data = next.data
			if c.expiry.After(next.deadline) {
				c.expiry = next.deadline
			}
			c.tracker.took(c.store, other.token, current.Data)
			return c.rewrite()
		})
		switch {
		case errors.Is(err, errTargetGone):
			return nil
		case err != nil:
			// Nobody knows whether the other is destroyed: its values must not stay in this one.
			ctx, cancel := c.afterwards()
			defer cancel()
			c.ctx = ctx
			left, leaveErr := c.leave(ours, &other, nil)
			if leaveErr == nil {
				c.data, leaveErr = c.leave(c.data, &other, nil)
			}
			if leaveErr == nil && c.rewrite() == nil {
				ours = left
			}
			return err
		case outcome == retired:
			c.tracker.released(c.store, other.token, noteRenewed)
			continue
		case outcome == renewed:
			c.tracker.ended(c.store, other.token, noteRenewed, nil)
		case outcome == destroyed:
			c.tracker.ended(c.store, other.token, noteGone, nil)
		}
		left, err := c.leaveStrays(ours)
		if err == nil {
			c.data, err = c.leaveStrays(c.data)
		}
		if err == nil {
			err = c.rewrite()
		}
		switch {
		case errors.Is(err, errTargetGone):
			return nil
		case err != nil:
			return err
		}
		ours = left
	}
	return nil
}

// rewrite stores the session anew, with what its data is now.
func (c *commitOp) rewrite() error {
	if c.store.codec.same(c.note.data, c.data) {
		return nil
	}
	c.unmark()
	c.sent = 0 // what was sent before is not what is to be stored now
	err := c.write(KindSave, driver.IfVersion(c.note.version), c.store.withSlack(c.plain, c.expiry))
	switch {
	case err != nil:
		return err
	case c.note.state != noteLive:
		return errTargetGone
	case c.note.result.Merged == nil:
		c.note.result.Merged = c.plain
	}
	return nil
}

// leaveStrays returns the data without what came from sessions that this one has absorbed and that
// have come to their end otherwise: others have destroyed them, or renewed them. It has again what
// it had before, or has from those that it did absorb.
func (c *commitOp) leaveStrays(data []byte) (_ []byte, err error) {
	strays := slices.DeleteFunc(c.tracker.absorbed(c.ctx, c.store), func(n note) bool {
		return n.state == noteLive || n.rare.absorbed.before == nil
	})
	for _, n := range strays {
		var rightful [][]byte
		for _, other := range c.others {
			if !slices.ContainsFunc(strays, func(n note) bool { return n.token == other.token }) {
				rightful = append(rightful, other.rare.absorbed.data)
			}
		}
		if data, err = c.leave(data, &n, rightful); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// leave returns the data without what came from another session. It has again what it had before,
// or what is rightful besides.
func (c *commitOp) leave(data []byte, other *note, rightful [][]byte) (_ []byte, err error) {
	now := c.tracker.get(c.store, other.token)
	absorbed := now.rarely().absorbed
	if absorbed == nil { // released by another commit meanwhile
		return data, nil
	}
	rightful = append([][]byte{absorbed.before}, rightful...)
	for _, taken := range append([][]byte{absorbed.data}, absorbed.taken...) {
		if data, err = c.without(data, taken, rightful); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// without returns the data without the values that are those taken, but with those that are
// rightful, the last first.
func (c *commitOp) without(data, taken []byte, rightful [][]byte) ([]byte, error) {
	s := c.store
	takenDeadline, takenValues, err := s.codec.Decode(taken)
	if err != nil {
		return nil, err
	}
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return nil, err
	}
	wasDeadline, were := deadline, map[string]any{}
	for _, data := range rightful {
		if len(data) == 0 {
			continue
		}
		d, v, err := s.codec.Decode(data)
		if err != nil {
			return nil, err
		}
		wasDeadline = d
		maps.Copy(were, v)
	}
	for key, value := range takenValues {
		if ours, ok := values[key]; !ok || !codec.Equal(ours, value) {
			continue
		}
		delete(values, key)
		if was, ok := were[key]; ok {
			values[key] = was
		}
	}
	if deadline.Equal(takenDeadline) {
		deadline = wasDeadline
	}
	if c.expiry.After(deadline) {
		c.expiry = deadline
	}
	return s.codec.Encode(deadline, values)
}
