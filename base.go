package scskit

import "time"

// marked returns the data of a session with a deadline that is later by so much. If the codec is
// not as exact as that, it returns the data itself, and false.
func (s *Store) marked(data []byte, by time.Duration) (marked []byte, exact bool) {
	deadline, values, err := s.decode(data)
	if err != nil {
		return data, false
	}
	want := deadline.Add(by)
	if marked, err = s.opts.Codec.Encode(want, values); err != nil {
		return data, false
	}
	if got, ok := s.deadline(marked); !ok || !got.Equal(want) {
		return data, false
	}
	return marked, true
}

// rebase makes the note's base the record that the data to be committed is based on: of those that
// were handed out the one with the same deadline, which each load of a token has of its own. If
// the deadline was changed, it is the one from which the data differs in the fewest keys, and the
// latest of these.
func (c *commit) rebase(n *note) {
	if n.state != noteLive || len(n.rarely().more) == 0 {
		return
	}
	all := n.bases()
	if deadline, ok := c.store.deadline(c.data); ok {
		var same []base
		for _, b := range all {
			if d, ok := c.store.deadline(b.data); ok && d.Equal(deadline) {
				same = append(same, b)
			}
		}
		if len(same) > 0 {
			all = same
		}
	}
	n.base = all[0]
	fewest := c.distance(n.data)
	for _, b := range all[1:] {
		if d := c.distance(b.data); d < fewest {
			n.base, fewest = b, d
		}
	}
}

// unmark takes the mark of the base from what is to be stored.
func (c *commit) unmark() {
	c.plain = c.data
	if !c.note.exact {
		return
	}
	deadline, ok := c.store.deadline(c.data)
	if marked, known := c.store.deadline(c.note.data); !ok || !known || !marked.Equal(deadline) {
		return
	}
	c.plain, _ = c.store.marked(c.data, -c.note.mark)
	if c.expiry.Equal(deadline) {
		c.expiry = deadline.Add(-c.note.mark)
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
