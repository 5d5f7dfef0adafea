package driver

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that there is no live record with that id.
	ErrNotFound = errors.New("session record not found")

	// ErrConflict says that the condition of a save or a touch did not hold.
	ErrConflict = errors.New("session record changed meanwhile")

	// ErrTooLarge is matched, with errors.Is, by every *TooLargeError.
	ErrTooLarge = errors.New("session too large")

	// ErrNoSchema says that the backend lacks the table or index it needs. The
	// error that wraps it says how to create it.
	ErrNoSchema = errors.New("session schema missing")
)

// TooLargeError says that a session was not stored because its data is too
// large. What was stored before is unchanged.
type TooLargeError struct {
	Size  int // bytes of encoded data
	Limit int // bytes that may be stored

	// Key is the session's key whose value takes most of the data, and KeySize how many bytes
	// that is, more or less. A driver leaves them empty: data is opaque to it.
	Key     string
	KeySize int
}

func (e *TooLargeError) Error() string {
	if e.KeySize == 0 {
		return fmt.Sprintf("%v: %d bytes, limit %d", ErrTooLarge, e.Size, e.Limit)
	}
	return fmt.Sprintf("%v: %d bytes, limit %d; the key %q takes most, %d bytes", ErrTooLarge, e.Size,
		e.Limit, e.Key, e.KeySize)
}

// Is reports whether target is ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }
