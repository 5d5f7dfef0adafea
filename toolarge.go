package scskit

import (
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// tooLarge returns the error for a session over the store's limit. It names the largest key, but no
// value.
func (s *Store) tooLarge(data []byte) error {
	err := &driver.TooLargeError{Size: len(data), Limit: s.maxSize}
	err.Key, err.KeySize = s.largest(data)
	if s.maxSize < s.opts.MaxSize {
		return fmt.Errorf("%w: keep less in the session: the backend holds no more", err)
	}
	return fmt.Errorf("%w: keep less in the session, or raise Options.MaxSize", err)
}

// largest returns the key that takes the most bytes of an encoded session, and how many. They are
// zero for data that does not decode or has no keys.
func (s *Store) largest(data []byte) (key string, size int) {
	_, values, err := s.codec.Decode(data)
	if err != nil {
		return "", 0
	}
	for k, v := range values {
		b, err := s.codec.Encode(time.Time{}, map[string]any{k: v})
		if err == nil && (len(b) > size || len(b) == size && k < key) {
			key, size = k, len(b)
		}
	}
	return key, size
}
