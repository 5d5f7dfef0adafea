package codec

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"math"
	"reflect"
	"time"
)

// Equal reports whether two session values are equal, so that replacing one by the other changes
// nothing. It is reflect.DeepEqual with these differences:
//
//   - NaN equals NaN.
//   - Times are equal if they are the same instant at the same offset.
//   - Values of a type that encodes itself are also equal if their encodings are.
//
// The values must come from a decoder, so that no value contains itself.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case int:
		b, ok := b.(int)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case nil:
		return b == nil
	}
	return equalReflected(reflect.ValueOf(a), reflect.ValueOf(b), 0)
}

// maxEqualDepth is deeper than a session's values can nest.
const maxEqualDepth = 2 * (maxDepth + maxGobDepth)

func equalReflected(a, b reflect.Value, depth int) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() || depth > maxEqualDepth {
		return false
	}
	if a.CanInterface() && b.CanInterface() {
		if at, ok := a.Interface().(time.Time); ok {
			return equalTimes(at, b.Interface().(time.Time))
		}
	}
	return equalContents(a, b, depth+1) || equalEncodings(a, b)
}

// equalTimes is stricter than Time.Equal because the codec keeps the offset.
func equalTimes(a, b time.Time) bool {
	_, x := a.Zone()
	_, y := b.Zone()
	return a.Equal(b) && x == y
}

func equalContents(a, b reflect.Value, depth int) bool {
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return equalFloats(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return equalFloats(real(x), real(y)) && equalFloats(imag(x), imag(y))
	case reflect.Interface:
		return equalReflected(a.Elem(), b.Elem(), depth)
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || equalReflected(a.Elem(), b.Elem(), depth)
	case reflect.Slice:
		return a.IsNil() == b.IsNil() && equalElements(a, b, depth)
	case reflect.Array:
		return equalElements(a, b, depth)
	case reflect.Map:
		return a.IsNil() == b.IsNil() && equalMaps(a, b, depth)
	case reflect.Struct:
		for i := range a.NumField() {
			if !equalReflected(a.Field(i), b.Field(i), depth) {
				return false
			}
		}
		return true
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	default:
		return a.Equal(b)
	}
}

func equalFloats(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b)
}

func equalElements(a, b reflect.Value, depth int) bool {
	if a.Len() != b.Len() {
		return false
	}
	if a.Kind() == reflect.Slice && a.Type().Elem().Kind() == reflect.Uint8 {
		return bytes.Equal(a.Bytes(), b.Bytes())
	}
	for i := range a.Len() {
		if !equalReflected(a.Index(i), b.Index(i), depth) {
			return false
		}
	}
	return true
}

// equalMaps compares maps. It finds no NaN keys, so maps that have one are not equal.
func equalMaps(a, b reflect.Value, depth int) bool {
	if a.Len() != b.Len() {
		return false
	}
	for entries := a.MapRange(); entries.Next(); {
		other := b.MapIndex(entries.Key())
		if !other.IsValid() || !equalReflected(entries.Value(), other, depth) {
			return false
		}
	}
	return true
}

// equalEncodings reports whether two values of one type encode themselves to the same bytes, with
// the methods that gob calls.
func equalEncodings(a, b reflect.Value) bool {
	x, ok := selfEncoding(a)
	if !ok {
		return false
	}
	y, ok := selfEncoding(b)
	return ok && bytes.Equal(x, y)
}

var (
	gobEncoderType      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshalerType = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// selfEncoding returns the result of the value's own encoding method. ok is false if it has none,
// or the method fails.
func selfEncoding(v reflect.Value) (b []byte, ok bool) {
	t := v.Type()
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer || !v.CanInterface() {
		return nil, false // equalContents compares what it points to
	}
	p := reflect.PointerTo(t)
	if !p.Implements(gobEncoderType) && !p.Implements(binaryMarshalerType) {
		return nil, false
	}
	defer func() {
		if recover() != nil {
			b, ok = nil, false
		}
	}()
	copied := reflect.New(t) // the method may have a pointer receiver
	copied.Elem().Set(v)
	var err error
	switch v := copied.Interface().(type) {
	case gob.GobEncoder:
		b, err = v.GobEncode()
	case encoding.BinaryMarshaler:
		b, err = v.MarshalBinary()
	}
	return b, err == nil
}
