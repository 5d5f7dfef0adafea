package codec

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
)

// gobError is why a value could not be encoded with gob. Its text names the type and,
// where gob itself found the fault, gives gob's words, which speak of types only.
// What a GobEncode method of the application said may quote the value, and
// is left to errors.Unwrap.
type gobError struct {
	typ reflect.Type
	err error
}

const notRegistered = "type not registered for interface: "

func (e *gobError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("a value of type %s is nested too deep for gob", e.typ)
	}
	reason, ok := strings.CutPrefix(e.err.Error(), "gob: ")
	if !ok {
		return fmt.Sprintf("a value of type %s could not encode itself", e.typ)
	}
	name, ok := strings.CutPrefix(reason, notRegistered)
	switch {
	case !ok:
		return fmt.Sprintf("a value of type %s goes through gob: %s", e.typ, reason)
	case isLive(e.typ):
		return fmt.Sprintf("a value of type %s cannot be kept: a session holds data, not functions or "+
			"channels", e.typ)
	case name != e.typ.String() && isLiveName(name):
		return fmt.Sprintf("a value of type %s holds a %s: a session holds data, not functions or "+
			"channels", e.typ, name)
	case !hasData(e.typ):
		return fmt.Sprintf("a value of type %s cannot be kept: the type exports no field and does not "+
			"encode itself", e.typ)
	}
	return fmt.Sprintf("a value of type %s goes through gob: %s; pass a value of that type to "+
		"gob.Register when the program starts",
		e.typ, reason)
}

func (e *gobError) Unwrap() error { return e.err }

// isLive reports whether a type is a function or a channel, or holds nothing but such.
func isLive(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return isLive(t.Elem())
	}
	return false
}

// isLiveName is isLive for a type of which only the name is known.
func isLiveName(name string) bool {
	name = strings.TrimLeft(name, "*[]")
	return strings.HasPrefix(name, "func(") || strings.HasPrefix(name, "chan ") ||
		strings.HasPrefix(name, "<-chan ")
}

// hasData reports whether there is anything in a value of the type that gob would send.
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

// decodeGobStream decodes a stream of one value that normalizeGob has returned. What goes wrong, a
// panic in a GobDecode method included, is errGob.
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
