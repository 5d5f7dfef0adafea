package scskit

import (
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/codec"
)

// marked returns the data of a session with a deadline that is later by so much. If the codec is
// not as exact as that, it returns the data itself, and false.
func (s *Store) marked(data []byte, by time.Duration) (marked []byte, exact bool) {
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return data, false
	}
	want := deadline.Add(by)
	if marked, err = s.codec.Encode(want, values); err != nil {
		return data, false
	}
	if got, ok := s.codec.deadline(marked); !ok || !got.Equal(want) {
		return data, false
	}
	return marked, true
}

// handedOut returns the deadline of a session, by which its commit will be known.
func (s *Store) handedOut(data []byte) *time.Time {
	deadline, _ := s.codec.deadline(data)
	return &deadline
}

// rebase makes the note's base the record that the data to be committed is based on: of those that
// were handed out the one with the same deadline, which each load of a token has of its own. If
// the deadline was changed, it is the one from which the data differs in the fewest keys; of
// several, one whose own deadline was not changed, and the latest.
func (c *commitOp) rebase(n *note) error {
	if n.state != noteLive || len(n.rarely().more) == 0 {
		return nil
	}
	all := n.bases()
	if deadline, ok := c.store.codec.deadline(c.data); ok {
		var same []base
		for _, b := range all {
			if deadline.Equal(*b.handed) {
				same = append(same, b)
			}
		}
		if late := deadline.Sub(*n.handed); len(same) == 0 && late > 0 &&
			late <= time.Duration(n.rare.marks) {
			return fmt.Errorf("%w: since this session was loaded, the same tracker has loaded it %d times: "+
				"give each unit of work a context from scskit.WithTracker of its own", driver.ErrConflict,
				maxLoads)
		}
		if len(same) > 0 {
			all = same
		}
	}
	fewest := -1
	for _, b := range all {
		d := 2 * c.distance(b.data)
		if was, ok := c.store.codec.deadline(b.data); ok && !was.Equal(*b.handed) {
			d++
		}
		if fewest < 0 || d < fewest {
			n.base, fewest = b, d
		}
	}
	return nil
}

// unmark takes the mark of the base from what is to be stored.
func (c *commitOp) unmark() {
	c.plain = c.data
	if !c.note.exact {
		return
	}
	handed := *c.note.handed
	if deadline, ok := c.store.codec.deadline(c.data); !ok || !deadline.Equal(handed) {
		return
	}
	c.plain, _ = c.store.marked(c.data, -c.note.mark)
	if c.expiry.Equal(handed) {
		c.expiry = handed.Add(-c.note.mark)
	}
}

// distance returns in how many keys, the deadline counted as one, the data differs from a base.
func (c *commitOp) distance(base []byte) int {
	if c.store.codec.same(base, c.data) {
		return 0
	}
	const far = 1 << 30
	baseDeadline, baseValues, err := c.store.codec.Decode(base)
	if err != nil {
		return far
	}
	deadline, values, err := c.store.codec.Decode(c.data)
	if err != nil {
		return far
	}
	d := 1 // the same values are not always the same bytes
	if !deadline.Equal(baseDeadline) {
		d++
	}
	for key, value := range values {
		if was, ok := baseValues[key]; !ok || !codec.Equal(value, was) {
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
