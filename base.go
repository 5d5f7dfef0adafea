package scskit

import "slices"

// rebase makes the note's base the record that the data to be committed is based on. Of those that
// were handed out it is the one that the session in the context has claimed by an earlier commit.
// Otherwise it is one that none has claimed, of these the one from which the data differs in the
// fewest keys, and the latest of these; it is claimed then.
func (c *commit) rebase(n *note) {
	if n.state != noteLive {
		return
	}
	best := -1
	if len(n.older) > 0 {
		rank, distance := c.rank(&n.base)
		for i := range n.older {
			r, d := c.rank(&n.older[i])
			if r < rank || r == rank && d < distance {
				best, rank, distance = i, r, d
			}
		}
	}
	if best >= 0 {
		n.older = slices.Clone(n.older)
		n.base, n.older[best] = n.older[best], n.base
	}
	if n.session == nil && n.manager != nil {
		others := n.base
		others.loads--
		n.session, n.loads = c.ctx.Value(n.manager), 1
		if others.loads > 0 && n.session != nil {
			n.keepOlder(others)
		}
	}
}

// rank orders the bases that a commit may have, the best first.
func (c *commit) rank(b *base) (rank, distance int) {
	switch {
	case b.session == nil:
		return 1, c.distance(b.data)
	case b.session == c.ctx.Value(b.manager):
		return 0, 0
	}
	return 2, c.distance(b.data)
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
		strayDeadline, strayValues, err := s.decode(stray.data)
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
