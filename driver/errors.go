package driver

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound means that there is no live record with the id.
	ErrNotFound = errors.New("session record not found")

	// ErrConflict means that the condition of a Save, Touch or Delete did not hold.
	ErrConflict = errors.New("session record changed meanwhile")

	// ErrTooLarge is matched, with errors.Is, by every *TooLargeError.
	ErrTooLarge = errors.New("session too large")

	// ErrNoSchema means that the backend lacks the table or index that it needs. The error that wraps
	// it says how to create it.
	ErrNoSchema = errors.New("session schema missing")
)

// TooLargeError means that a session was not stored because its data is too large. The record that
// was stored before is unchanged.
type TooLargeError struct {
	Size  int // of the encoded data, in bytes
	Limit int // maximum size in bytes

	// Key is the session key with the largest value, and KeySize approximately how many bytes that
	// takes. A driver leaves both empty, since it does not decode Data.
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
