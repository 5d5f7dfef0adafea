package scskit

import (
	"bytes"

	"github.com/scskit/scskit/driver"
)

// SessionManager.MergeSession takes up the values of another session and deletes that, while its own
// is stored by the next commit. In between the values are nowhere: a commit that fails, or a panic,
// has then lost them. As with renewals the store only notes it, in a context with a tracker, and
// retires the other session once the one that has absorbed it is stored.

// absorb retires the sessions that the one that was stored has absorbed, and takes up what others
// have saved to them meanwhile. Of one that has come to its end otherwise nothing stays. before is
// what the session was before it absorbed any.
func (c *commit) absorb(before []byte) error {
	n, ours := &c.note, c.data
	for _, other := range c.tracker.absorbed(c.ctx, c.store) {
		if other.state != noteLive || other.token == n.token {
			continue
		}
		other.base = other.rare.absorbed.base
		outcome, err := c.succeed(&other, func(current driver.Record) error {
			next, err := c.mergeInto(current.Data, other.data, c.data)
			if err != nil {
				return err
			}
			c.data = next.data
			return c.rewrite()
		})
		switch {
		case err != nil:
			return err
		case n.state != noteLive: // by now
			return nil
		case outcome == retired:
			c.tracker.released(c.store, other.token, noteRenewed)
			continue
		case outcome == renewed:
			c.tracker.ended(c.store, other.token, noteRenewed, nil)
		case outcome == destroyed:
			c.tracker.ended(c.store, other.token, noteGone, nil)
		}
		if ours, err = c.leaveStrays(ours, before); err == nil {
			c.data, err = c.leaveStrays(c.data, before)
		}
		if err == nil {
			err = c.rewrite()
		}
		if err != nil || n.state != noteLive {
			return err
		}
	}
	if !bytes.Equal(ours, c.data) { // the handler knows nothing of what others have saved
		n.data, n.version = ours, 0
	}
	return nil
}

// rewrite stores the session anew, with what its data is now.
func (c *commit) rewrite() error {
	if sameSession(c.store.opts.Codec, c.note.data, c.data) {
		return nil
	}
	c.unmark()
	c.sent = 0 // what was sent before is not what is to be stored now
	err := c.write(KindSave, driver.IfVersion(c.note.version), c.store.withSlack(c.plain, c.expiry))
	if err == nil && c.note.state == noteLive && c.note.commit.Merged == nil {
		c.note.commit.Merged = c.plain
	}
	return err
}
