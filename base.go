package scskit

import "time"

// marked returns the data of a session with a deadline that is later by so much, or, if the codec is
// not as exact as that, the data itself.
func (s *Store) marked(data []byte, by time.Duration) []byte {
	deadline, values, err := s.decode(data)
	if err != nil {
		return data
	}
	other, err := s.opts.Codec.Encode(deadline.Add(by), values)
	if err != nil {
		return data
	}
	return other
}

// rebase makes the note's base the record that the data to be committed is based on: of those that
// were handed out the one with the same deadline, which each load of a token has of its own. If
// the deadline was changed, it is the one from which the data differs in the fewest keys, and the
// latest of these.
func (c *commit) rebase(n *note) {
	more := n.rarely().more
	if n.state != noteLive || len(more) == 0 {
		return
	}
	deadline, ok := c.store.deadline(c.data)
	best, fewest := -1, c.rank(&n.base, deadline, ok)
	for i := range more {
		if d := c.rank(&more[i], deadline, ok); d < fewest || d == fewest && best < 0 {
			best, fewest = i, d
		}
	}
	if best >= 0 {
		n.base = more[best]
	}
}

// rank is the lower the likelier the data to be committed is based on b.
func (c *commit) rank(b *base, deadline time.Time, known bool) int {
	if d, ok := c.store.deadline(b.data); ok && known && d.Equal(deadline) {
		return -2
	}
	return c.distance(b.data)
}

// unmark takes the mark of the base from what is to be stored.
func (c *commit) unmark() {
	c.plain = c.data
	mark := c.note.mark
	if mark == 0 {
		return
	}
	deadline, ok := c.store.deadline(c.data)
	if marked, known := c.store.deadline(c.note.data); !ok || !known || !marked.Equal(deadline) {
		return
	}
	c.plain = c.store.marked(c.data, -mark)
	if c.expiry.Equal(deadline) {
		c.expiry = deadline.Add(-mark)
	}
}

// distance returns in how many keys, the deadline counted as one, the data differs from a base.
func (c *commit) distance(base []byte) int {
	if sameSession(c.store.opts.Codec, base, c.data) {
		return -1
	}
	const far = 1 << 30
	baseDeadline, baseValues, err := c.store.decode(base)
	if err != nil {
		return far
	}
	deadline, values, err := c.store.decode(c.data)
	if err != nil {
		return far
	}
	d := 0
	if !deadline.Equal(baseDeadline) {
		d++
	}
	for key, value := range values {
		if was, ok := baseValues[key]; !ok || !equalValues(value, was) {
			d++
		}
	}
	for key := range baseValues {
		if _, ok := values[key]; !ok {
			d++
		}
	}
	return d
}

// leaveStrays takes out of the session what came from sessions that it was merged with
// (SessionManager.MergeSession) and that another request had destroyed by then. base is what the
// session was before.
func (c *commit) leaveStrays(base []byte) error {
	s := c.store
	for _, stray := range c.tracker.notes(s, func(n *note) bool { return n.state == noteStray }) {
		if by := stray.rare.mergers; len(by) > 0 && !isOneOf(c.ctx, by) {
			continue // it was merged into another
		}
		strayDeadline, strayValues, err := s.decode(stray.rare.taken)
		if err != nil {
			return err
		}
		deadline, values, err := s.decode(c.data)
		if err != nil {
			return err
		}
		baseDeadline, baseValues := deadline, map[string]any{}
		if len(base) > 0 {
			if baseDeadline, baseValues, err = s.decode(base); err != nil {
				return err
			}
		}
		for key, value := range strayValues {
			if ours, ok := values[key]; !ok || !equalValues(ours, value) {
				continue
			}
			delete(values, key)
			if was, ok := baseValues[key]; ok {
				values[key] = was
			}
		}
		if deadline.Equal(strayDeadline) {
			deadline = baseDeadline
		}
		if c.data, err = s.opts.Codec.Encode(deadline, values); err != nil {
			return err
		}
	}
	return nil
}
