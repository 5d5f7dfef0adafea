package codec

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
)

// gobError is the error for a value that gob cannot encode. Its text names the type, and quotes
// errors of package gob, which mention only types. It does not quote an error of the application's
// own GobEncode or MarshalBinary, which could contain the value. errors.Unwrap returns that error.
type gobError struct {
	typ reflect.Type
	err error
}

const notRegistered = "type not registered for interface: "

func (e *gobError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("a value of type %s is nested too deeply for gob", e.typ)
	}
	reason, ok := strings.CutPrefix(e.err.Error(), "gob: ")
	if !ok {
		return fmt.Sprintf("cannot encode a value of type %s with gob: a GobEncode or MarshalBinary "+
			"method failed", e.typ)
	}
	reason = strings.TrimPrefix(reason, "gob: ") // gob repeats it in some errors
	name, ok := strings.CutPrefix(reason, notRegistered)
	switch {
	case !ok:
		return fmt.Sprintf("cannot encode a value of type %s with gob: %s", e.typ, reason)
	case isFuncOrChan(e.typ):
		return fmt.Sprintf("a value of type %s cannot be stored: a session holds data, not functions or "+
			"channels", e.typ)
	case name != e.typ.String() && isFuncOrChanName(name):
		return fmt.Sprintf("a value of type %s holds a %s: a session holds data, not functions or "+
			"channels", e.typ, name)
	case !hasData(e.typ):
		return fmt.Sprintf("a value of type %s cannot be stored: the type exports no field and does not "+
			"encode itself", e.typ)
	}
	return fmt.Sprintf("cannot encode a value of type %s with gob: %s: call gob.Register with a "+
		"value of that type when the program starts", e.typ, reason)
}

func (e *gobError) Unwrap() error { return e.err }

// isFuncOrChan reports whether a type is a function or a channel, or contains only these.
func isFuncOrChan(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return isFuncOrChan(t.Elem())
	}
	return false
}

// isFuncOrChanName is isFuncOrChan for the name of a type.
func isFuncOrChanName(name string) bool {
	name = strings.TrimLeft(name, "*[]")
	return strings.HasPrefix(name, "func(") || strings.HasPrefix(name, "chan ") ||
		strings.HasPrefix(name, "<-chan ")
}

// hasData reports whether gob encodes any part of a value of the type.
func hasData(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p := reflect.PointerTo(t)
	if t.Kind() != reflect.Struct || p.Implements(gobEncoderType) ||
		p.Implements(binaryMarshalerType) {
		return true
	}
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

func appendGob(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	// With a pointer to the interface, gob encodes the concrete type too.
	if err := gob.NewEncoder(&buf).Encode(&v); err != nil {
		return b, &gobError{reflect.TypeOf(v), err}
	}
	if _, ok := normalizeGob(buf.Bytes()); !ok {
		return b, &gobError{reflect.TypeOf(v), nil}
	}
	b = appendExt(b, extGob, buf.Len())
	return append(b, buf.Bytes()...), nil
}

// decodeGobStream decodes a stream of one value that normalizeGob returned. It returns errGob for
// any failure, including a panic in a GobDecode method.
func decodeGobStream(stream []byte, into any) (err error) {
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
