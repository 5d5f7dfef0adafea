package scskit

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/codec"
)

// SessionManager.MergeSession copies the values of one session, the source, into another, the
// target. It deletes the source at once, but the target is only stored by the next commit. If that
// commit fails, the values are lost. In a context with a tracker the store therefore only records
// the call. The commit stores the target and then retires the source (retireSources). If the source
// has changed meanwhile, the changes are merged into the target. If another request has destroyed
// or renewed the source, the commit removes its values from the target.

// errTargetGone means that the target or the successor was destroyed while it was being stored.
var errTargetGone = errors.New("the session is gone")

// mergeSources returns the sources of the session that is committed, and records the session's data
// before the merge. It leaves out the session itself, which can be a source under a key from All or
// under its token before a renewal.
func (c *commitOp) mergeSources(before []byte) []note {
	s := c.store
	all := c.tracker.sources(c.ctx, s)
	oldID := ""
	if c.old.state != 0 {
		oldID = s.idOf(&c.old.note)
	}
	return slices.DeleteFunc(all, func(n note) bool {
		if id := s.idOf(&n); id == c.id || id == oldID {
			c.tracker.endSource(s, n.token, n.state)
			return true
		}
		c.tracker.update(s, n.token, func(n *note) {
			if e := n.extras(); e.source != nil && e.source.before == nil {
				a := *e.source
				a.before = append([]byte{}, before...)
				e.source = &a
				n.extra = &e
			}
		})
		return false
	})
}

// retireSources retires the sources after the target is stored, and merges into the target what
// others have saved to them meanwhile. If a source was destroyed or renewed by others, it removes
// the source's values from the target.
func (c *commitOp) retireSources() error {
	n := &c.note
	ours := n.data
	defer func() {
		if n.state == noteLive && !bytes.Equal(ours, n.data) {
			n.data, n.version = ours, 0 // the handler has not seen the merge, so merge again
		}
	}()
	for _, other := range c.sources {
		if other.state != noteLive {
			continue
		}
		other.base = other.extra.source.base
		outcome, err := c.retireMerging(&other, byMerge, func(current driver.Record) error {
			next, err := c.mergeInto(current.Data, other.data, c.data)
			if err != nil {
				return err
			}
			c.data = next.data
			if c.expiry.After(next.deadline) {
				c.expiry = next.deadline
			}
			c.tracker.noteAdopted(c.store, other.token, current.Data)
			return c.rewrite()
		})
		switch {
		case errors.Is(err, errTargetGone):
			return nil
		case err != nil:
			// It is unknown whether the source is destroyed, so remove its values.
			ctx, cancel := c.detached()
			defer cancel()
			c.ctx = ctx
			cleaned, dropErr := c.dropValues(ours, &other, nil)
			if dropErr == nil {
				c.data, dropErr = c.dropValues(c.data, &other, nil)
			}
			if dropErr == nil && c.rewrite() == nil {
				ours = cleaned
			}
			return err
		case outcome == retired:
			c.tracker.endSource(c.store, other.token, noteRenewed)
			continue
		case outcome == renewed:
			c.tracker.ended(c.store, other.token, noteRenewed, nil)
		case outcome == destroyed:
			c.tracker.ended(c.store, other.token, noteGone, nil)
		}
		cleaned, err := c.dropLost(ours)
		if err == nil {
			c.data, err = c.dropLost(c.data)
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
		ours = cleaned
	}
	return nil
}

// rewrite stores c.data if it has changed since the last save.
func (c *commitOp) rewrite() error {
	if c.store.codec.same(c.note.data, c.data) {
		return nil
	}
	c.removeOffset()
	c.lastVersion = 0 // the data has changed since that save
	err := c.write(KindSave, driver.IfVersion(c.note.version), c.expires())
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

// dropLost returns the data without the values of sources that others have destroyed or renewed. It
// restores the values that the target had before the merge, or got from its other sources.
func (c *commitOp) dropLost(data []byte) (_ []byte, err error) {
	lost := slices.DeleteFunc(c.tracker.sources(c.ctx, c.store), func(n note) bool {
		return n.state == noteLive || n.extra.source.before == nil
	})
	for _, n := range lost {
		var kept [][]byte
		for _, other := range c.sources {
			if !slices.ContainsFunc(lost, func(n note) bool { return n.token == other.token }) {
				kept = append(kept, other.extra.source.data)
			}
		}
		if data, err = c.dropValues(data, &n, kept); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// dropValues returns the data without the values of one source. It restores the values that the
// target had before the merge, and then those of kept.
func (c *commitOp) dropValues(data []byte, other *note, kept [][]byte) (_ []byte, err error) {
	now := c.tracker.get(c.store, other.token)
	source := now.extras().source
	if source == nil { // another commit has retired the source
		return data, nil
	}
	kept = append([][]byte{source.before}, kept...)
	for _, merged := range append([][]byte{source.data}, source.adopted...) {
		if data, err = c.restoreValues(data, merged, kept); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// restoreValues removes from data every value that is equal to the one in merged, and puts back the
// value that kept has under the same key. Later elements of kept take precedence.
func (c *commitOp) restoreValues(data, merged []byte, kept [][]byte) ([]byte, error) {
	s := c.store
	mergedDeadline, mergedValues, err := s.codec.Decode(merged)
	if err != nil {
		return nil, err
	}
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return nil, err
	}
	oldDeadline, oldValues := deadline, map[string]any{}
	for _, data := range kept {
		if len(data) == 0 {
			continue
		}
		d, v, err := s.codec.Decode(data)
		if err != nil {
			return nil, err
		}
		oldDeadline = d
		maps.Copy(oldValues, v)
	}
	for key, value := range mergedValues {
		if ours, ok := values[key]; !ok || !codec.Equal(ours, value) {
			continue
		}
		delete(values, key)
		if old, ok := oldValues[key]; ok {
			values[key] = old
		}
	}
	if deadline.Equal(mergedDeadline) {
		deadline = oldDeadline
	}
	if c.expiry.After(deadline) {
		c.expiry = deadline
	}
	return s.codec.Encode(deadline, values)
}
