package scskit

import (
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// tooLarge is the error for a session over the store's limit. It says what to do, and names a
// key, which is the program's own word, but no value.
func (s *Store) tooLarge(data []byte) error {
	err := &driver.TooLargeError{Size: len(data), Limit: s.maxSize}
	err.Key, err.KeySize = s.largest(data)
	if s.maxSize < s.opts.MaxSize {
		return fmt.Errorf("%w: the backend holds no more", err)
	}
	return fmt.Errorf("%w: keep less in the session, or raise Options.MaxSize", err)
}

// largest returns the key of an encoded session that takes the most bytes, and how many. They are
// zero for data that does not decode, or has no keys.
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
