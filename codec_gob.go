package scskit

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// gobError is why a value could not be encoded with gob. Its text names the type and,
// where gob itself found the fault, gives gob's words, which speak of types only.
// What a GobEncode method of the application said may quote the value, and
// is left to errors.Unwrap.
type gobError struct {
	typ reflect.Type
	err error
}

func (e *gobError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("a value of type %s is nested too deep for gob", e.typ)
	}
	reason := e.err.Error()
	if !strings.HasPrefix(reason, "gob: ") {
		return fmt.Sprintf("a value of type %s could not encode itself", e.typ)
	}
	if strings.Contains(reason, "not registered") {
		return fmt.Sprintf("a value of type %s goes through gob: %s; pass a value of that type to gob.Register when the program starts",
			e.typ, strings.TrimPrefix(reason, "gob: "))
	}
	return fmt.Sprintf("a value of type %s goes through gob: %s", e.typ, strings.TrimPrefix(reason, "gob: "))
}

func (e *gobError) Unwrap() error { return e.err }

func appendGob(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	// A pointer to the interface, so that gob sends the concrete type as well.
	if err := gob.NewEncoder(&buf).Encode(&v); err != nil {
		return b, &gobError{reflect.TypeOf(v), err}
	}
	if _, ok := normalizeGob(buf.Bytes()); !ok {
		return b, &gobError{reflect.TypeOf(v), nil}
	}
	b = appendExt(b, extGob, buf.Len())
	return append(b, buf.Bytes()...), nil
}

func decodeGob(payload []byte) (any, error) {
	var v any
	if err := decodeGobStream(payload, &v); err != nil {
		return nil, err
	}
	if isNative(v) {
		// Never written, and it would get round the limit of depth.
		return nil, errMalformed
	}
	return v, nil
}

// decodeLegacy decodes a record of scs.GobCodec.
func decodeLegacy(record []byte) (time.Time, map[string]any, error) {
	// A gob stream begins with the length of its first message: a byte below 0x80
	// if that is all, else the number of bytes that follow, negated.
	if len(record) == 0 || record[0] >= 0x80 && record[0] < 0xf8 {
		return time.Time{}, nil, errFormat
	}
	var session struct {
		Deadline time.Time
		Values   map[string]any
	}
	if err := decodeGobStream(record, &session, "Deadline", "Values"); err != nil {
		return time.Time{}, nil, err
	}
	if !validTime(session.Deadline) {
		return time.Time{}, nil, errMalformed
	}
	if session.Values == nil {
		session.Values = map[string]any{}
	}
	return session.Deadline.UTC(), session.Values, nil
}

// decodeGobStream decodes a stream of one value; a struct may have only the fields
// named. What goes wrong, a panic in a GobDecode method included, is errGob.
func decodeGobStream(stream []byte, into any, fields ...string) (err error) {
	stream, ok := normalizeGob(stream, fields...)
	if !ok {
		return errGob
	}
	defer func() {
		if recover() != nil {
			err = errGob
		}
	}()
	if gob.NewDecoder(bytes.NewReader(stream)).Decode(into) != nil {
		return errGob
	}
	return nil
}
