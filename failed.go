package scskit

import "strings"

// failed says what has failed. The prefix of this package stands once in the text.
func failed(op string, err error) error { return &opError{op, err} }

type opError struct {
	op  string
	err error
}

func (e *opError) Error() string {
	return "scskit: " + e.op + ": " + strings.TrimPrefix(e.err.Error(), "scskit: ")
}

func (e *opError) Unwrap() error { return e.err }
