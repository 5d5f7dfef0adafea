package scskit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scskit/scskit/internal/codec"
)

// mergeResult is the result of a three-way merge.
type mergeResult struct {
	data     []byte
	deadline time.Time
	ours     bool // this request moved the deadline
}

// merge3 applies what a request changed, from base to ours, to theirs, which others have stored
// since: key by key, what the request put or removed wins, and every other
// key is theirs, unless it is one that the request overwrites in any case. The same goes for the
// deadline. An empty base is one without keys.
func (s *Store) merge3(base, ours, theirs []byte, overwrites ...string) (mergeResult, error) {
	ourDeadline, result, err := s.codec.Decode(ours)
	if err != nil {
		return mergeResult{}, fmt.Errorf(
			"merge: the data committed is not what Options.Codec decodes: %w", err)
	}
	var baseDeadline time.Time
	baseValues := map[string]any{}
	if len(base) > 0 {
		if baseDeadline, baseValues, err = s.codec.Decode(base); err != nil {
			return mergeResult{}, fmt.Errorf("merge: the data loaded is not what Options.Codec decodes: %w", err)
		}
	}
	theirDeadline, theirValues, err := s.codec.Decode(theirs)
	if errors.Is(err, ErrCorrupt) { // there is nothing to keep in it
		return mergeResult{data: ours, deadline: ourDeadline, ours: true}, nil
	}
	if err != nil {
		return mergeResult{}, fmt.Errorf("merge: the data stored meanwhile is not what Options.Codec "+
			"decodes: %w", err)
	}

	for key, value := range theirValues {
		ourValue, have := result[key]
		baseValue, had := baseValues[key]
		changed := have != had || have && !codec.Equal(ourValue, baseValue) ||
			slices.Contains(overwrites, key)
		if !changed {
			result[key] = value
		}
	}
	for key, baseValue := range baseValues {
		if _, ok := theirValues[key]; ok {
			continue
		}
		ourValue, have := result[key]
		if have && codec.Equal(ourValue, baseValue) && !slices.Contains(overwrites, key) {
			delete(result, key) // they removed it, and we did not care
		}
	}
	m := mergeResult{deadline: theirDeadline}
	if len(base) == 0 || !ourDeadline.Equal(baseDeadline) {
		m.deadline, m.ours = ourDeadline, true
	}
	m.data, err = s.codec.Encode(m.deadline, result)
	if err != nil {
		return mergeResult{}, fmt.Errorf("merge: %w", err)
	}
	return m, nil
}

// expiry returns when a merged record expires: as late as either request wanted,
// but not after the deadline; and if this request set the deadline, as it wanted.
func (m *mergeResult) expiry(ours, theirs time.Time) time.Time {
	e := ours
	if !m.ours && theirs.After(e) {
		e = theirs
	}
	if e.After(m.deadline) {
		e = m.deadline
	}
	return ceilMilli(e)
}
