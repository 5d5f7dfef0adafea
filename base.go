package scskit

import "slices"

// rebase makes the note that of the record which the data to be committed is based on: of those that
// were handed out the one from which it differs in the fewest keys, and the latest of these.
func (c *commit) rebase() {
	n := &c.note
	if len(n.older) == 0 || n.state != noteLive {
		return
	}
	best, fewest := -1, c.distance(n.data)
	for i, b := range n.older {
		if d := c.distance(b.data); d < fewest {
			best, fewest = i, d
		}
	}
	if best >= 0 {
		n.older = slices.Clone(n.older)
		n.base, n.older[best] = n.older[best], n.base
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
// (SessionManager.MergeSession) and that another request had destroyed by then.
func (c *commit) leaveStrays() error {
	s := c.store
	for _, stray := range c.tracker.notes(s, func(n *note) bool { return n.state == noteStray }) {
		strayDeadline, strayValues, err := s.decode(stray.data)
		if err != nil {
			return err
		}
		deadline, values, err := s.decode(c.data)
		if err != nil {
			return err
		}
		baseDeadline, baseValues := deadline, map[string]any{}
		if len(c.note.data) > 0 {
			if baseDeadline, baseValues, err = s.decode(c.note.data); err != nil {
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
