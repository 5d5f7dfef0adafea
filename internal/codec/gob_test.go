package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// gobValuesOfAllTypes returns values that are encoded with gob.
func gobValuesOfAllTypes() []any {
	registerTypes()
	return []any{
		role("admin"),
		order{},
		order{Items: []string{"a", "b"}, Count: map[string]int{"a": 1, "b": -2},
			Saved: someDeadline},
		order{Extra: role("x"),
			Next: &order{Extra: order{Extra: &point{1, 2}, Items: []string{"after"}}}},
		order{Extra: []any{role("y"), map[string]any{"a": grid{}, "b": 1, "c": order{}},
			7, nil}},
		&point{3, 4},
		grid{{1, 2}, {3, 4}},
		[]int{1, 2, 3}, []float64{0}, []bool{true}, complex(1, -2), []complex128{1i},
	}
}

func TestGobTypes(t *testing.T) {
	t.Parallel()
	for _, v := range gobValuesOfAllTypes() {
		if got := decodeOne(t, encodeOne(t, v)); !reflect.DeepEqual(got, v) {
			t.Errorf("%T: got %#v, want %#v", v, got, v)
		}
		nested := map[string]any{"a": []any{v, "after"}, "b": 1}
		if got := decodeOne(t, encodeOne(t, nested)); !reflect.DeepEqual(got, nested) {
			t.Errorf("nested %T: got %#v, want %#v", v, got, nested)
		}
	}
}

func TestReadsLegacyRecords(t *testing.T) {
	t.Parallel()
	legacy := append(gobValuesOfAllTypes(),
		"x", 1, true, nil, 2.5, []byte("b"), []string{"s"}, int64(5), someDeadline,
		map[string]any{"a": []any{1, order{Extra: role("r")}, map[string]any{}}})
	for _, v := range legacy {
		if got := decodeOne(t, legacyOne(t, v)); !reflect.DeepEqual(got, v) {
			t.Errorf("%T: got %#v, want %#v", v, got, v)
		}
	}
	all := map[string]any{}
	for i, v := range legacy {
		all[strings.Repeat("k", i)] = v
	}
	if got := mustDecode(t, mustEncode(t, scs.GobCodec{}, all)); !reflect.DeepEqual(got, all) {
		t.Errorf("got %#v, want %#v", got, all)
	}
	for _, values := range []map[string]any{nil, {}} {
		if got := mustDecode(t, mustEncode(t, scs.GobCodec{}, values)); got == nil || len(got) != 0 {
			t.Errorf("an empty session of scs.GobCodec decoded to %v, want an empty map", got)
		}
	}
}

// TestNormalizedGobIsEquivalent tests streams that are rare in sessions: with many messages, and
// with fields that the reader does not have.
func TestNormalizedGobIsEquivalent(t *testing.T) {
	t.Parallel()
	registerTypes()
	type wide struct {
		A int
		B any
		C []any
		D map[string]point
		E [3]uint8
		F *float32
		G struct{ H, I *order }
		Z string
	}
	type narrow struct {
		A int
		Z string
	}
	f := float32(2.5)
	in := wide{
		A: -1, B: []any{order{Extra: role("deep")}, &point{1, 2}}, C: []any{grid{}, 5},
		D: map[string]point{"p": {5, 6}}, E: [3]uint8{1, 2, 3}, F: &f, Z: "end",
	}
	in.G.I = &order{Items: []string{strings.Repeat("long", 100)}}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(in); err != nil {
		t.Fatal(err)
	}
	names := []string{"A", "B", "C", "D", "E", "F", "G", "Z"}
	stream, ok := normalizeGob(buf.Bytes(), names...)
	if !ok {
		t.Fatal("a stream of gob was rejected")
	}
	var out wide
	if err := gob.NewDecoder(bytes.NewReader(stream)).Decode(&out); err != nil ||
		!reflect.DeepEqual(out, in) {
		t.Errorf("decoded to %+v, %v; want %+v", out, err, in)
	}
	var some narrow
	if err := gob.NewDecoder(bytes.NewReader(stream)).Decode(&some); err != nil ||
		some != (narrow{-1, "end"}) {
		t.Errorf("decoded some fields to %+v, %v", some, err)
	}
	if _, ok := normalizeGob(buf.Bytes(), names[1:]...); ok {
		t.Error("a field that was not named was accepted")
	}
	again, ok := normalizeGob(stream, names...)
	if !ok || !bytes.Equal(again, stream) {
		t.Error("normalizing a stream twice changed it")
	}
	for n := range buf.Len() {
		if _, ok := normalizeGob(buf.Bytes()[:n], names...); ok {
			t.Errorf("the first %d of %d bytes were accepted", n, buf.Len())
		}
	}
}

func TestGobErrors(t *testing.T) {
	t.Parallel()
	registerTypes()
	var list *order
	for range maxGobDepth {
		list = &order{Next: list}
	}
	for _, c := range []struct {
		name string
		put  any
		want string
	}{
		{"unregistered", unregistered{"hunter2"},
			`scskit: encode: key "k": cannot encode a value of type codec.unregistered with gob: ` +
				`type not registered for interface: codec.unregistered: call gob.Register with a value ` +
				`of that type when the program starts`},
		{"unregistered, nested", []any{map[string]any{"hunter2": &unregistered{"hunter2"}}},
			`scskit: encode: key "k": cannot encode a value of type *codec.unregistered with gob: ` +
				`type not registered for interface: codec.unregistered: call gob.Register with a value ` +
				`of that type when the program starts`},
		{"unregistered, in a registered one", order{Extra: unregistered{"hunter2"}},
			`scskit: encode: key "k": cannot encode a value of type codec.order with gob: ` +
				`type not registered for interface: codec.unregistered: call gob.Register with a value ` +
				`of that type when the program starts`},
		{"nil pointer", (*point)(nil),
			`scskit: encode: key "k": cannot encode a value of type *codec.point with gob: ` +
				`cannot encode nil pointer of type *codec.point inside interface`},
		{"function", func() {}, `scskit: encode: key "k": a value of type func() cannot be stored: ` +
			"a session holds data, not functions or channels"},
		{"channels", []any{map[string]chan<- int{}},
			`scskit: encode: key "k": a value of type map[string]chan<- int cannot be stored: ` +
				"a session holds data, not functions or channels"},
		{"pointer to a function", new(func()),
			`scskit: encode: key "k": a value of type *func() cannot be stored: ` +
				"a session holds data, not functions or channels"},
		{"function in a registered type", order{Extra: func() {}},
			`scskit: encode: key "k": a value of type codec.order holds a func(): ` +
				`a session holds data, not functions or channels`},
		{"mutex", &sync.Mutex{},
			`scskit: encode: key "k": a value of type *sync.Mutex cannot be stored: ` +
				`the type exports no field and does not encode itself`},
		{"made-up Unknown", Unknown{},
			`scskit: encode: key "k": a scskit.Unknown that Decode did not return`},
		{"failing GobEncode", shy{"hunter2"},
			`scskit: encode: key "k": cannot encode a value of type codec.shy with gob: ` +
				`a GobEncode or MarshalBinary method failed`},
		{"too deep", *list,
			`scskit: encode: key "k": a value of type codec.order is nested too deeply for gob`},
	} {
		_, err := Codec{}.Encode(someDeadline, oneValue(c.put))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if !errors.Is(err, ErrEncode) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want only ErrEncode to match", c.name, err)
		}
	}
}

func TestContainsGobPanics(t *testing.T) {
	t.Parallel()
	registerTypes()
	for _, b := range [][]byte{encodeOne(t, panicking{}), legacyOne(t, panicking{})} {
		if v, ok := decodeOne(t, b).(Unknown); !ok ||
			v.Type() != "github.com/scskit/scskit/internal/codec.panicking" {
			t.Errorf("after a panic in GobDecode: got %v, want an Unknown", v)
		}
	}
}

func TestRejectsInvalidTimes(t *testing.T) {
	t.Parallel()
	var bad time.Time
	if err := bad.UnmarshalBinary([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff, 0xff,
		0xff}); err != nil {
		return // this version of Go rejects the time
	}
	if _, err := (Codec{}).Encode(someDeadline, oneValue(bad)); err == nil {
		t.Error("a time with more than 1e9 nanoseconds was encoded")
	}
	if _, err := (Codec{}).Encode(bad, nil); err == nil {
		t.Error("a deadline with more than 1e9 nanoseconds was encoded")
	}
}
