package codec

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Codec implements scs.Codec with Encode and Decode.
type Codec struct{}

func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return Encode(deadline, values)
}

func (Codec) Decode(record []byte) (time.Time, map[string]any, error) { return Decode(record) }

var someDeadline = time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.UTC)

type (
	role  string
	order struct {
		Items []string
		Count map[string]int
		Saved time.Time
		Extra any
		Next  *order
	}
	point struct{ X, Y int }
	grid  [2]point

	// unregistered is never registered.
	unregistered struct{ Secret string }

	shy       struct{ secret string }
	panicking struct{ N int }
)

func (c shy) GobEncode() ([]byte, error) {
	return nil, errors.New("cannot encode " + c.secret)
}
func (c *shy) GobDecode(b []byte) error      { return nil }
func (panicking) GobEncode() ([]byte, error) { return []byte{1}, nil }
func (*panicking) GobDecode(b []byte) error  { panic("in GobDecode") }
func nest(depth int, leaf any) any           { return nestIn(depth, leaf, false) }
func nestMaps(depth int, leaf any) any       { return nestIn(depth, leaf, true) }
func oneValue(v any) map[string]any          { return map[string]any{"k": v} }
func encodeOne(t testing.TB, v any) []byte   { return mustEncode(t, Codec{}, oneValue(v)) }
func decodeOne(t testing.TB, b []byte) any   { return mustDecode(t, b)["k"] }
func legacyOne(t testing.TB, v any) []byte {
	return mustEncode(t, scs.GobCodec{}, oneValue(v))
}
func threeKeys() map[string]any {
	return map[string]any{"user_id": "3f2b8c9e-6f1d-4d3a-9a55-0c1e8f7a2b6d", "logins": 1042,
		"admin": true}
}

func registerTypes() {
	gob.Register(role(""))
	gob.Register(order{})
	gob.Register(&point{})
	gob.Register(grid{})
	gob.Register(shy{})
	gob.Register(panicking{})
	gob.Register(map[string]any{})
	gob.Register([]any{})
	gob.Register(time.Time{})
}

func nestIn(depth int, leaf any, maps bool) any {
	for range depth {
		if maps {
			leaf = map[string]any{"": leaf}
		} else {
			leaf = []any{leaf}
		}
	}
	return leaf
}

func mustEncode(t testing.TB, c scs.Codec, values map[string]any) []byte {
	t.Helper()
	b, err := c.Encode(someDeadline, values)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

func mustDecode(t testing.TB, b []byte) map[string]any {
	t.Helper()
	deadline, values, err := Codec{}.Decode(b)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if !deadline.Equal(someDeadline) || deadline.Location() != time.UTC {
		t.Fatalf("deadline is %v, want %v", deadline, someDeadline)
	}
	if err := Check(b); err != nil {
		t.Fatalf("Check fails on a record that decodes: %v", err)
	}
	if got, ok := Deadline(b); !ok || !got.Equal(someDeadline) {
		t.Fatalf("Deadline: got %v, %v", got, ok)
	}
	return values
}

// natives are values of all types that need no registration.
var natives = []any{
	nil, "", "x", "déjà\x00\xff", strings.Repeat("s", 31), strings.Repeat("s", 32),
	strings.Repeat("s", 255),
	strings.Repeat("s", 256), strings.Repeat("s", 65535), strings.Repeat("s", 65536),
	[]byte(nil), []byte{}, []byte{0}, make([]byte, 255), make([]byte, 256), make([]byte, 65536),
	false, true,
	0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, math.MaxInt32, math.MinInt32, math.MaxInt,
	math.MinInt,
	int8(0), int8(math.MinInt8), int8(math.MaxInt8),
	int16(0), int16(math.MinInt16), int16(math.MaxInt16),
	int32(0), 'x', int32(math.MinInt32), int32(math.MaxInt32),
	int64(0), int64(-1), int64(128), int64(-129), int64(math.MinInt64), int64(math.MaxInt64),
	uint(0), uint(math.MaxUint), uint8(0), uint8(255), uint16(0), uint16(math.MaxUint16),
	uint32(0), uint32(math.MaxUint32), uint64(0), uint64(256), uint64(math.MaxUint64),
	float32(0), float32(1.5), float32(math.MaxFloat32), float32(math.Inf(-1)),
	0.0, math.Copysign(0, -1), 1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1),
	time.Duration(0), time.Nanosecond, -time.Hour, time.Duration(math.MaxInt64),
	time.Duration(math.MinInt64),
	time.Time{}, time.Unix(0, 0).UTC(), time.Unix(1, 0).UTC(), time.Unix(-1, 999999999).UTC(),
	someDeadline,
	time.Unix(1<<34-1, 1).UTC(), time.Unix(1<<34, 0).UTC(), time.Unix(math.MaxUint32+1, 0).UTC(),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Unix(math.MinInt64>>3, 1).UTC(),
	time.Unix(math.MaxInt64>>3, 1).UTC(),
	time.Unix(1700000000, 5), time.Date(2024, 7, 1, 12, 0, 0, 1, time.Local),
	[]string(nil), []string{}, []string{"", "b", "a", "a"}, make([]string, 16), make([]string, 65536),
	[]any(nil), []any{}, []any{nil, 1, "a", int8(3)}, make([]any, 16), make([]any, 65536),
	map[string]any(nil), map[string]any{}, map[string]any{"": nil, "b": 1, "a": []any{uint8(1)}},
	map[string]string(nil), map[string]string{}, map[string]string{"": "", "b": "x", "a": "y"},
	map[string]any{"list": []any{map[string]any{"when": someDeadline, "tags": []string{"a"},
		"for": time.Second}}},
}

func TestNativeTypes(t *testing.T) {
	t.Parallel()
	for i, v := range natives {
		t.Run(fmt.Sprintf("%d/%T", i, v), func(t *testing.T) {
			if got := decodeOne(t, encodeOne(t, v)); !reflect.DeepEqual(got, v) {
				t.Errorf("decoded to a different value: type %T, want %T", got, v)
			}
			nested := []any{map[string]any{"a": v, "b": "after"}, v}
			if got := decodeOne(t, encodeOne(t, nested)); !reflect.DeepEqual(got, nested) {
				t.Errorf("a nested %T decoded to a different value", v)
			}
		})
	}
}

func TestNaN(t *testing.T) {
	t.Parallel()
	f, ok := decodeOne(t, encodeOne(t, math.NaN())).(float64)
	if !ok || !math.IsNaN(f) {
		t.Errorf("got %v, want NaN", f)
	}
}

func TestTimeZones(t *testing.T) {
	t.Parallel()
	for _, offset := range []int{0, 3600, -5*3600 - 1800, 1, -3, 14 * 3600, 32767 * 60, -32768 * 60} {
		put := time.Date(2024, 2, 29, 1, 2, 3, 4, time.FixedZone("somewhere", offset))
		got := decodeOne(t, encodeOne(t, put)).(time.Time)
		if _, o := got.Zone(); !got.Equal(put) || o != offset || got.Location() == time.UTC {
			t.Errorf("offset %d: got %v, want %v", offset, got, put)
		}
	}
	now := time.Now()
	got := decodeOne(t, encodeOne(t, now)).(time.Time)
	if got != now.Round(0) {
		t.Errorf("a local time: got %#v, want %#v", got, now.Round(0))
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, deadline := range []time.Time{
		{}, time.Unix(0, 0), time.Now(), someDeadline, time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 1, 1, 0, 0, 0, 1, time.FixedZone("x", 7200)),
		time.Unix(math.MaxInt64>>1, 999999999), time.Unix(math.MinInt64>>1, 1),
	} {
		b, err := Codec{}.Encode(deadline, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, values, err := Codec{}.Decode(b)
		if err != nil || !got.Equal(deadline) || got.Location() != time.UTC {
			t.Errorf("deadline %v decoded to %v, %v", deadline, got, err)
		}
		if values == nil || len(values) != 0 {
			t.Errorf("the values of an empty session are %v, want an empty map", values)
		}
	}
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	values := map[string]any{}
	for i := range 20 {
		values[fmt.Sprint("key", i)] = map[string]any{"b": map[string]string{"y": "1", "x": "2"}, "a": i,
			"c": []string{"z"}}
	}
	want := mustEncode(t, Codec{}, values)
	for range 100 {
		again := map[string]any{}
		for k, v := range values {
			again[k] = v
		}
		if got := mustEncode(t, Codec{}, again); string(got) != string(want) {
			t.Fatal("the same values encoded to different bytes")
		}
	}
	if got := mustEncode(t, Codec{}, mustDecode(t, want)); string(got) != string(want) {
		t.Error("the decoded values encode to different bytes")
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	got, legacy := len(mustEncode(t, Codec{}, threeKeys())),
		len(mustEncode(t, scs.GobCodec{}, threeKeys()))
	if got > 100 || got*2 > legacy {
		t.Errorf("a session of three keys takes %d bytes, want at most 100 and half of gob's %d",
			got, legacy)
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, nest := range []func(int, any) any{nest, nestMaps} {
		// The session's own map is the first level.
		deepest := nest(maxDepth-1, "leaf")
		if got := decodeOne(t, encodeOne(t, deepest)); !reflect.DeepEqual(got, deepest) {
			t.Error("the deepest value decoded to a different value")
		}
		_, err := Codec{}.Encode(someDeadline, oneValue(nest(maxDepth, "leaf")))
		if err == nil || !strings.Contains(err.Error(), `key "k"`) ||
			!strings.Contains(err.Error(), "64 levels") {
			t.Errorf("a value nested too deeply: got %v, want an error with the key and the limit", err)
		}
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	if _, err := (Codec{}).Encode(someDeadline, oneValue(cycle)); err == nil {
		t.Error("a map that contains itself was encoded")
	}
	list := make([]any, 1)
	list[0] = list
	if _, err := (Codec{}).Encode(someDeadline, oneValue(list)); err == nil {
		t.Error("a slice that contains itself was encoded")
	}
}

func TestDoesNotAlias(t *testing.T) {
	t.Parallel()
	want := map[string]any{"bytes": []byte("abc"), "string": "def", "list": []string{"ghi"},
		"map": map[string]string{"jkl": "mno"}}
	b := mustEncode(t, Codec{}, want)
	got := mustDecode(t, b)
	clear(b)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("overwriting the record changed the decoded values: %v", got)
	}
	again := mustEncode(t, Codec{}, want)
	got["bytes"].([]byte)[0] = 'X'
	if v := mustDecode(t, again)["bytes"]; string(v.([]byte)) != "abc" {
		t.Errorf("writing to a decoded slice changed the record: %q", v)
	}
	want["bytes"].([]byte)[1] = 'Y'
	if v := mustDecode(t, again)["bytes"]; string(v.([]byte)) != "abc" {
		t.Errorf("writing to an encoded value changed the record: %q", v)
	}
}

func TestPickText(t *testing.T) {
	values := map[string]any{"a": 1, "k": "v", "list": []string{"x"}, "z": "last"}
	for _, codec := range []scs.Codec{Codec{}, scs.GobCodec{}} {
		record := mustEncode(t, codec, values)
		for key, want := range map[string]string{"k": "v", "z": "last", "a": "", "list": "", "b": ""} {
			if got := PickText(record, key); string(got) != want {
				t.Errorf("key %q: got %q, want %q", key, got, want)
			}
			PickText(record[:len(record)-1], key) // must not panic
		}
	}
	record := mustEncode(t, Codec{}, values)
	if n := testing.AllocsPerRun(10, func() { PickText(record, "k") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
