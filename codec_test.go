package scskit

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

var codecDeadline = time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.UTC)

type (
	codecRole string
	codecCart struct {
		Items []string
		Count map[string]int
		Saved time.Time
		Extra any
		Next  *codecCart
	}
	codecPoint struct{ X, Y int }
	codecGrid  [2]codecPoint

	// codecUnknown is never registered.
	codecUnknown struct{ Secret string }

	codecShy   struct{ secret string }
	codecPanic struct{ N int }
)

func (c codecShy) GobEncode() ([]byte, error) {
	return nil, errors.New("cannot encode " + c.secret)
}
func (c *codecShy) GobDecode(b []byte) error  { return nil }
func (codecPanic) GobEncode() ([]byte, error) { return []byte{1}, nil }
func (*codecPanic) GobDecode(b []byte) error  { panic("in GobDecode") }
func codecNest(depth int, leaf any) any       { return codecNestIn(depth, leaf, false) }
func codecNestMaps(depth int, leaf any) any   { return codecNestIn(depth, leaf, true) }
func codecValues(v any) map[string]any        { return map[string]any{"k": v} }
func codecEncode(t testing.TB, v any) []byte  { return codecRecord(t, Codec{}, codecValues(v)) }
func codecDecode(t testing.TB, b []byte) any  { return codecSession(t, b)["k"] }
func codecLegacy(t testing.TB, v any) []byte {
	return codecRecord(t, scs.GobCodec{}, codecValues(v))
}
func codecThree() map[string]any {
	return map[string]any{"user_id": "3f2b8c9e-6f1d-4d3a-9a55-0c1e8f7a2b6d", "logins": 1042,
		"admin": true}
}

func registerCodecTypes() {
	gob.Register(codecRole(""))
	gob.Register(codecCart{})
	gob.Register(&codecPoint{})
	gob.Register(codecGrid{})
	gob.Register(codecShy{})
	gob.Register(codecPanic{})
	gob.Register(map[string]any{})
	gob.Register([]any{})
	gob.Register(time.Time{})
}

func codecNestIn(depth int, leaf any, maps bool) any {
	for range depth {
		if maps {
			leaf = map[string]any{"": leaf}
		} else {
			leaf = []any{leaf}
		}
	}
	return leaf
}

func codecRecord(t testing.TB, c scs.Codec, values map[string]any) []byte {
	t.Helper()
	b, err := c.Encode(codecDeadline, values)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

func codecSession(t testing.TB, b []byte) map[string]any {
	t.Helper()
	deadline, values, err := Codec{}.Decode(b)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if !deadline.Equal(codecDeadline) || deadline.Location() != time.UTC {
		t.Fatalf("deadline is %v, want %v", deadline, codecDeadline)
	}
	if err := (ownCodec{}).check(b); err != nil {
		t.Fatalf("check fails on a record that decodes: %v", err)
	}
	if got, ok := (ownCodec{}).deadline(b); !ok || !got.Equal(codecDeadline) {
		t.Fatalf("deadline() = %v, %v", got, ok)
	}
	return values
}

// codecNatives are values of every type that needs no registration.
var codecNatives = []any{
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
	codecDeadline,
	time.Unix(1<<34-1, 1).UTC(), time.Unix(1<<34, 0).UTC(), time.Unix(math.MaxUint32+1, 0).UTC(),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Unix(math.MinInt64>>3, 1).UTC(),
	time.Unix(math.MaxInt64>>3, 1).UTC(),
	time.Unix(1700000000, 5), time.Date(2024, 7, 1, 12, 0, 0, 1, time.Local),
	[]string(nil), []string{}, []string{"", "b", "a", "a"}, make([]string, 16), make([]string, 65536),
	[]any(nil), []any{}, []any{nil, 1, "a", int8(3)}, make([]any, 16), make([]any, 65536),
	map[string]any(nil), map[string]any{}, map[string]any{"": nil, "b": 1, "a": []any{uint8(1)}},
	map[string]string(nil), map[string]string{}, map[string]string{"": "", "b": "x", "a": "y"},
	map[string]any{"list": []any{map[string]any{"when": codecDeadline, "tags": []string{"a"},
		"for": time.Second}}},
}

func TestCodecNativeTypes(t *testing.T) {
	t.Parallel()
	for i, v := range codecNatives {
		t.Run(fmt.Sprintf("%d/%T", i, v), func(t *testing.T) {
			if got := codecDecode(t, codecEncode(t, v)); !reflect.DeepEqual(got, v) {
				t.Errorf("got %T, which differs from the %T that was put", got, v)
			}
			nested := []any{map[string]any{"a": v, "b": "after"}, v}
			if got := codecDecode(t, codecEncode(t, nested)); !reflect.DeepEqual(got, nested) {
				t.Errorf("nested %T differs from what was put", v)
			}
		})
	}
}

func TestCodecNaN(t *testing.T) {
	t.Parallel()
	f, ok := codecDecode(t, codecEncode(t, math.NaN())).(float64)
	if !ok || !math.IsNaN(f) {
		t.Errorf("got %v, want NaN", f)
	}
}

func TestCodecTimeZones(t *testing.T) {
	t.Parallel()
	for _, offset := range []int{0, 3600, -5*3600 - 1800, 1, -3, 14 * 3600, 32767 * 60, -32768 * 60} {
		put := time.Date(2024, 2, 29, 1, 2, 3, 4, time.FixedZone("somewhere", offset))
		got := codecDecode(t, codecEncode(t, put)).(time.Time)
		if _, o := got.Zone(); !got.Equal(put) || o != offset || got.Location() == time.UTC {
			t.Errorf("offset %d: got %v, want %v", offset, got, put)
		}
	}
	now := time.Now()
	got := codecDecode(t, codecEncode(t, now)).(time.Time)
	if got != now.Round(0) {
		t.Errorf("a local time came back as %#v, want it without its monotonic reading: %#v", got,
			now.Round(0))
	}
}

func TestCodecDeadline(t *testing.T) {
	t.Parallel()
	for _, deadline := range []time.Time{
		{}, time.Unix(0, 0), time.Now(), codecDeadline, time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 1, 1, 0, 0, 0, 1, time.FixedZone("x", 7200)),
		time.Unix(math.MaxInt64>>1, 999999999), time.Unix(math.MinInt64>>1, 1),
	} {
		b, err := Codec{}.Encode(deadline, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, values, err := Codec{}.Decode(b)
		if err != nil || !got.Equal(deadline) || got.Location() != time.UTC {
			t.Errorf("deadline %v came back as %v, %v", deadline, got, err)
		}
		if values == nil || len(values) != 0 {
			t.Errorf("the values of an empty session are %v, want an empty map", values)
		}
	}
}

func TestCodecDeterminism(t *testing.T) {
	t.Parallel()
	values := map[string]any{}
	for i := range 20 {
		values[fmt.Sprint("key", i)] = map[string]any{"b": map[string]string{"y": "1", "x": "2"}, "a": i,
			"c": []string{"z"}}
	}
	want := codecRecord(t, Codec{}, values)
	for range 100 {
		again := map[string]any{}
		for k, v := range values {
			again[k] = v
		}
		if got := codecRecord(t, Codec{}, again); string(got) != string(want) {
			t.Fatal("the same values gave different bytes")
		}
	}
	if got := codecRecord(t, Codec{}, codecSession(t, want)); string(got) != string(want) {
		t.Error("what was decoded encodes to different bytes")
	}
}

func TestCodecSize(t *testing.T) {
	t.Parallel()
	got, legacy := len(codecRecord(t, Codec{}, codecThree())),
		len(codecRecord(t, scs.GobCodec{}, codecThree()))
	if got > 100 || got*2 > legacy {
		t.Errorf("a session of three keys takes %d bytes, gob's %d; want at most 100 and half", got,
			legacy)
	}
}

func TestCodecDepth(t *testing.T) {
	t.Parallel()
	for _, nest := range []func(int, any) any{codecNest, codecNestMaps} {
		// The session's own map is the first level.
		deepest := nest(maxDepth-1, "leaf")
		if got := codecDecode(t, codecEncode(t, deepest)); !reflect.DeepEqual(got, deepest) {
			t.Error("the deepest value differs from what was put")
		}
		_, err := Codec{}.Encode(codecDeadline, codecValues(nest(maxDepth, "leaf")))
		if err == nil || !strings.Contains(err.Error(), `key "k"`) ||
			!strings.Contains(err.Error(), "64 levels") {
			t.Errorf("a value that nests too deep: %v", err)
		}
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	if _, err := (Codec{}).Encode(codecDeadline, codecValues(cycle)); err == nil {
		t.Error("a map that contains itself was encoded")
	}
	list := make([]any, 1)
	list[0] = list
	if _, err := (Codec{}).Encode(codecDeadline, codecValues(list)); err == nil {
		t.Error("a slice that contains itself was encoded")
	}
}

func TestCodecDoesNotAlias(t *testing.T) {
	t.Parallel()
	want := map[string]any{"bytes": []byte("abc"), "string": "def", "list": []string{"ghi"},
		"map": map[string]string{"jkl": "mno"}}
	b := codecRecord(t, Codec{}, want)
	got := codecSession(t, b)
	clear(b)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after the record was overwritten the values are %v", got)
	}
	again := codecRecord(t, Codec{}, want)
	got["bytes"].([]byte)[0] = 'X'
	if v := codecSession(t, again)["bytes"]; string(v.([]byte)) != "abc" {
		t.Errorf("writing to a decoded slice changed the record: %q", v)
	}
	want["bytes"].([]byte)[1] = 'Y'
	if v := codecSession(t, again)["bytes"]; string(v.([]byte)) != "abc" {
		t.Errorf("writing to a value that was encoded changed the record: %q", v)
	}
}
