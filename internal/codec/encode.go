package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"
)

var (
	errDepth = errors.New("nested more than 64 levels deep: does it contain itself?")
	errTime  = errors.New("the time is not valid")
)

// keysOnStack is the number of keys of a map that can be sorted without an allocation.
const keysOnStack = 16

func sortedKeys[V any](buf []string, m map[string]V) []string {
	if len(m) > cap(buf) {
		buf = make([]string, 0, len(m))
	}
	for key := range m {
		buf = append(buf, key)
	}
	slices.Sort(buf)
	return buf
}

// sizeHint estimates the encoded size of v, so that most records need one allocation.
func sizeHint(v any) int {
	switch v := v.(type) {
	case string:
		return stringSize(v)
	case []byte:
		return 5 + len(v)
	case nil, bool:
		return 1
	case time.Time:
		return 18
	case []any:
		return 16 * len(v)
	case map[string]any:
		return 32 * len(v)
	case []string:
		return 16 * len(v)
	case map[string]string:
		return 32 * len(v)
	case Unknown:
		return 6 + len(v.data)
	default:
		return 10
	}
}

// appendValue appends one value inside depth containers.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return msgp.AppendNil(b), nil
	case string:
		return msgp.AppendString(b, v), nil
	case bool:
		return msgp.AppendBool(b, v), nil
	case int:
		return msgp.AppendInt(b, v), nil
	case float64:
		return msgp.AppendFloat64(b, v), nil
	case float32:
		return msgp.AppendFloat32(b, v), nil
	case []byte:
		if v == nil {
			return appendTypedNil(b, nilBytes), nil
		}
		return msgp.AppendBytes(b, v), nil
	case time.Time:
		return appendTime(b, v)
	case []any:
		if v == nil {
			return appendTypedNil(b, nilSlice), nil
		}
		return appendSlice(b, v, depth)
	case map[string]any:
		if v == nil {
			return appendTypedNil(b, nilMap), nil
		}
		return appendMap(b, v, depth)
	case []string:
		if v == nil {
			return appendTypedNil(b, nilStrings), nil
		}
		return appendStrings(b, v), nil
	case map[string]string:
		if v == nil {
			return appendTypedNil(b, nilStringsMap), nil
		}
		return appendStringsMap(b, v), nil
	case int64:
		return appendSigned(b, extInt64, v), nil
	case time.Duration:
		return appendSigned(b, extDuration, int64(v)), nil
	case int8:
		return appendSigned(b, extInt8, int64(v)), nil
	case int16:
		return appendSigned(b, extInt16, int64(v)), nil
	case int32:
		return appendSigned(b, extInt32, int64(v)), nil
	case uint:
		return appendUnsigned(b, extUint, uint64(v)), nil
	case uint8:
		return appendUnsigned(b, extUint8, uint64(v)), nil
	case uint16:
		return appendUnsigned(b, extUint16, uint64(v)), nil
	case uint32:
		return appendUnsigned(b, extUint32, uint64(v)), nil
	case uint64:
		return appendUnsigned(b, extUint64, v), nil
	case Unknown:
		return appendUnknown(b, v)
	default:
		return appendGob(b, v)
	}
}

// isNative reports whether appendValue encodes v without gob.
func isNative(v any) bool {
	switch v.(type) {
	case nil, string, bool, []byte, time.Time, time.Duration,
		int, int8, int16, int32, int64,
		uint, uint8, uint16, uint32, uint64,
		float32, float64,
		[]any, []string, map[string]any, map[string]string:
		return true
	}
	return false
}

func appendSlice(b []byte, s []any, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return b, errDepth
	}
	b = msgp.AppendArrayHeader(b, uint32(len(s)))
	var err error
	for _, v := range s {
		if b, err = appendValue(b, v, depth+1); err != nil {
			return b, err
		}
	}
	return b, nil
}

func appendMap(b []byte, m map[string]any, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return b, errDepth
	}
	b = msgp.AppendMapHeader(b, uint32(len(m)))
	var (
		buf [keysOnStack]string
		err error
	)
	for _, key := range sortedKeys(buf[:0], m) {
		b = msgp.AppendString(b, key)
		if b, err = appendValue(b, m[key], depth+1); err != nil {
			return b, err
		}
	}
	return b, nil
}

func appendStrings(b []byte, s []string) []byte {
	n := containerSize(len(s))
	for _, v := range s {
		n += stringSize(v)
	}
	b = appendExt(b, extStrings, n)
	b = msgp.AppendArrayHeader(b, uint32(len(s)))
	for _, v := range s {
		b = msgp.AppendString(b, v)
	}
	return b
}

func appendStringsMap(b []byte, m map[string]string) []byte {
	n := containerSize(len(m))
	for key, v := range m {
		n += stringSize(key) + stringSize(v)
	}
	b = appendExt(b, extStringsMap, n)
	b = msgp.AppendMapHeader(b, uint32(len(m)))
	var buf [keysOnStack]string
	for _, key := range sortedKeys(buf[:0], m) {
		b = msgp.AppendString(b, key)
		b = msgp.AppendString(b, m[key])
	}
	return b
}

// containerSize returns the size of the header of an array or map of n entries.
func containerSize(n int) int {
	switch {
	case n <= 15:
		return 1
	case n <= math.MaxUint16:
		return 3
	default:
		return 5
	}
}

// stringSize returns the size of s with its header.
func stringSize(s string) int {
	n := len(s)
	switch {
	case n <= 31:
		return 1 + n
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	default:
		return 5 + n
	}
}

func appendTime(b []byte, t time.Time) ([]byte, error) {
	if t.Location() == time.UTC {
		return appendUTC(b, t)
	}
	_, offset := t.Zone()
	if !validTime(t) || int64(offset) != int64(int32(offset)) {
		return b, errTime
	}
	b = appendExt(b, extZonedTime, 16)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	return binary.BigEndian.AppendUint32(b, uint32(offset)), nil
}

func appendUTC(b []byte, t time.Time) ([]byte, error) {
	if !validTime(t) {
		return b, errTime
	}
	return msgp.AppendTimeExt(b, t), nil
}

// validTime refuses what only time.Time's UnmarshalBinary can make, from a hostile record.
func validTime(t time.Time) bool { return t.Nanosecond() < int(time.Second) }

func appendTypedNil(b []byte, of byte) []byte {
	return append(appendExt(b, extNil, 1), of)
}

func appendSigned(b []byte, typ int8, v int64) []byte {
	switch {
	case v == int64(int8(v)):
		return append(appendExt(b, typ, 1), byte(v))
	case v == int64(int16(v)):
		return binary.BigEndian.AppendUint16(appendExt(b, typ, 2), uint16(v))
	case v == int64(int32(v)):
		return binary.BigEndian.AppendUint32(appendExt(b, typ, 4), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(appendExt(b, typ, 8), uint64(v))
	}
}

func appendUnsigned(b []byte, typ int8, v uint64) []byte {
	switch {
	case v <= math.MaxUint8:
		return append(appendExt(b, typ, 1), byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(appendExt(b, typ, 2), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(appendExt(b, typ, 4), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(appendExt(b, typ, 8), v)
	}
}

// appendExt appends the header of an extension of n bytes. The msgp library can write an extension
// only from an interface value, which costs an allocation.
func appendExt(b []byte, typ int8, n int) []byte {
	switch {
	case n == 1:
		return append(b, 0xd4, byte(typ))
	case n == 2:
		return append(b, 0xd5, byte(typ))
	case n == 4:
		return append(b, 0xd6, byte(typ))
	case n == 8:
		return append(b, 0xd7, byte(typ))
	case n == 16:
		return append(b, 0xd8, byte(typ))
	case n <= math.MaxUint8:
		return append(b, 0xc7, byte(n), byte(typ))
	case n <= math.MaxUint16:
		return append(binary.BigEndian.AppendUint16(append(b, 0xc8), uint16(n)), byte(typ))
	default:
		return append(binary.BigEndian.AppendUint32(append(b, 0xc9), uint32(n)), byte(typ))
	}
}
