package scskit

import (
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/codec"
)

// withOffset returns the data with a deadline that is later by the given time. If the codec does
// not keep so exact a deadline, it returns the data unchanged, and false.
func (s *Store) withOffset(data []byte, by time.Duration) ([]byte, bool) {
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return data, false
	}
	want := deadline.Add(by)
	moved, err := s.codec.Encode(want, values)
	if err != nil {
		return data, false
	}
	if got, ok := s.codec.deadline(moved); !ok || !got.Equal(want) {
		return data, false
	}
	return moved, true
}

// deadlineOf returns the deadline of encoded session data.
func (s *Store) deadlineOf(data []byte) *time.Time {
	deadline, _ := s.codec.deadline(data)
	return &deadline
}

// chooseBase sets the note's base to the load that the committed data is based on. That is the load
// with the same deadline. If the handler has changed the deadline, chooseBase takes the load that
// differs from the data in the fewest keys. Among equals it prefers one whose own deadline has not
// been changed, and then the latest.
func (c *commitOp) chooseBase(n *note) error {
	if n.state != noteLive || len(n.extras().more) == 0 {
		return nil
	}
	all := n.bases()
	if deadline, ok := c.store.codec.deadline(c.data); ok {
		var same []base
		for _, b := range all {
			if deadline.Equal(*b.deadline) {
				same = append(same, b)
			}
		}
		if late := deadline.Sub(*n.deadline); len(same) == 0 && late > 0 &&
			late <= time.Duration(n.extra.reloads) {
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
		if was, ok := c.store.codec.deadline(b.data); ok && !was.Equal(*b.deadline) {
			d++
		}
		if fewest < 0 || d < fewest {
			n.base, fewest = b, d
		}
	}
	return nil
}

// removeOffset sets c.plain to the data without the offset of its base. It removes the offset from
// c.expiry too, if that is the deadline.
func (c *commitOp) removeOffset() {
	c.plain = c.data
	if !c.note.hasOffset {
		return
	}
	loadedDeadline := *c.note.deadline
	if deadline, ok := c.store.codec.deadline(c.data); !ok || !deadline.Equal(loadedDeadline) {
		return
	}
	c.plain, _ = c.store.withOffset(c.data, -c.note.offset)
	if c.expiry.Equal(loadedDeadline) {
		c.expiry = loadedDeadline.Add(-c.note.offset)
	}
}

// distance returns the number of keys in which the data differs from a base. The deadline counts as
// a key.
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
	d := 1 // equal values may be encoded differently
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
