package format_test

import (
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
)

// role is a type that only gob can encode. Its stream holds no numbers of types, which depend on
// what the process has encoded before.
type role string

func init() { gob.RegisterName("example.com/shop.Role", role("")) }

var (
	deadline  = time.Date(2100, 5, 6, 7, 8, 9, 123456789, time.UTC)
	kathmandu = time.FixedZone("", 5*3600+45*60)
)

// everyType has values of every type that a session can hold, with the name of the type.
var everyType = []struct {
	typ string
	v   any
}{
	{"nil", nil},
	{"bool", false},
	{"bool", true},
	{"string", ""},
	{"string", "déjà vu"},
	{"string", strings.Repeat("s", 31)},
	{"string", strings.Repeat("s", 32)},
	{"string", strings.Repeat("s", 256)},
	{"[]byte", []byte{}},
	{"[]byte", []byte{0, 0xff}},
	{"int", 0},
	{"int", 127},
	{"int", 128},
	{"int", -32},
	{"int", -33},
	{"int", 1 << 15},
	{"int", 1 << 31},
	{"int", math.MaxInt},
	{"int", math.MinInt},
	{"float64", 1.5},
	{"float64", -2.0},
	{"float64", math.MaxFloat64},
	{"float64", math.Inf(-1)},
	{"float64", math.Copysign(0, -1)},
	{"float32", float32(0.1)},
	{"time.Time", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	{"time.Time", deadline},
	{"time.Time", time.Time{}},
	{"time.Time", time.Date(2600, 1, 2, 3, 4, 5, 6, time.UTC)},
	{"time.Time", time.Date(2026, 1, 2, 3, 4, 5, 6, kathmandu)},
	{"time.Time", time.Date(1914, 1, 2, 3, 4, 5, 6, time.FixedZone("", -3600))},
	{"[]any", []any{}},
	{"[]any", []any{nil, 1, "a", []any{int8(3)}}},
	{"map[string]any", map[string]any{}},
	{"map[string]any", map[string]any{"b": 1, "a": map[string]any{"": time.Second}}},
	{"int8", int8(-128)},
	{"int16", int16(-129)},
	{"int32", int32(1 << 30)},
	{"int64", int64(1)},
	{"int64", int64(math.MinInt64)},
	{"uint", uint(255)},
	{"uint8", uint8(200)},
	{"uint16", uint16(40000)},
	{"uint32", uint32(1 << 31)},
	{"uint64", uint64(math.MaxUint64)},
	{"time.Duration", 90 * time.Minute},
	{"time.Duration", -time.Nanosecond},
	{"[]byte", []byte(nil)},
	{"[]string", []string(nil)},
	{"[]any", []any(nil)},
	{"map[string]any", map[string]any(nil)},
	{"map[string]string", map[string]string(nil)},
	{"[]string", []string{}},
	{"[]string", []string{"tea", "", "tea"}},
	{"map[string]string", map[string]string{}},
	{"map[string]string", map[string]string{"b": "x", "a": strings.Repeat("s", 300)}},
	{"example.com/shop.Role", role("admin")},
}

// allValues returns the values of everyType, each under a key of its own.
func allValues() map[string]any {
	values := make(map[string]any)
	for i, one := range everyType {
		values[fmt.Sprintf("%02d %s", i, one.typ)] = one.v
	}
	return values
}

// notation returns a value as docs/format/vectors.json and examples/node write it in JSON.
func notation(v any) any {
	tagged := func(tag string, v any) any { return map[string]any{"$" + tag: v} }
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case int:
		if v > 1<<53-1 || v < -1<<53+1 {
			return tagged("int", fmt.Sprint(v))
		}
		return v
	case float32:
		return float64(v)
	case float64:
		switch {
		case math.IsInf(v, 0):
			return tagged("float", map[bool]string{true: "Infinity", false: "-Infinity"}[v > 0])
		case v == 0 && math.Signbit(v):
			return tagged("float", "-0")
		}
		return v
	case time.Duration:
		return tagged("duration", fmt.Sprint(int64(v)))
	case int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return tagged(fmt.Sprintf("%T", v), fmt.Sprint(v))
	case time.Time:
		text := v.UTC().Format("2006-01-02T15:04:05.000000000Z")
		if v.Location() == time.UTC {
			return tagged("time", text)
		}
		_, offset := v.Zone()
		return map[string]any{"$time": text, "offset": offset}
	case []byte:
		if v == nil {
			return tagged("nil", "[]byte")
		}
		return tagged("bytes", hex.EncodeToString(v))
	case []string:
		if v == nil {
			return tagged("nil", "[]string")
		}
		return tagged("strings", v)
	case map[string]string:
		if v == nil {
			return tagged("nil", "map[string]string")
		}
		return tagged("stringMap", v)
	case []any:
		if v == nil {
			return tagged("nil", "[]any")
		}
		all := make([]any, len(v))
		for i := range v {
			all[i] = notation(v[i])
		}
		return all
	case map[string]any:
		if v == nil {
			return tagged("nil", "map[string]any")
		}
		all := make(map[string]any, len(v))
		for key := range v {
			all[key] = notation(v[key])
		}
		return all
	default:
		return tagged("gob", hex.EncodeToString(gobOf(v)))
	}
}
