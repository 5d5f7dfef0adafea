package scskit

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

// codecGobs are values that go through gob.
func codecGobs() []any {
	registerCodecTypes()
	return []any{
		codecRole("admin"),
		codecCart{},
		codecCart{Items: []string{"a", "b"}, Count: map[string]int{"a": 1, "b": -2},
			Saved: codecDeadline},
		codecCart{Extra: codecRole("x"),
			Next: &codecCart{Extra: codecCart{Extra: &codecPoint{1, 2}, Items: []string{"after"}}}},
		codecCart{Extra: []any{codecRole("y"), map[string]any{"a": codecGrid{}, "b": 1, "c": codecCart{}},
			7, nil}},
		&codecPoint{3, 4},
		codecGrid{{1, 2}, {3, 4}},
		[]int{1, 2, 3}, []float64{0}, []bool{true}, complex(1, -2), []complex128{1i},
	}
}

func TestCodecGobTypes(t *testing.T) {
	t.Parallel()
	for _, v := range codecGobs() {
		if got := codecDecode(t, codecEncode(t, v)); !reflect.DeepEqual(got, v) {
			t.Errorf("%T: got %#v, want %#v", v, got, v)
		}
		nested := map[string]any{"a": []any{v, "after"}, "b": 1}
		if got := codecDecode(t, codecEncode(t, nested)); !reflect.DeepEqual(got, nested) {
			t.Errorf("nested %T: got %#v, want %#v", v, got, nested)
		}
	}
}

func TestCodecReadsLegacyRecords(t *testing.T) {
	t.Parallel()
	legacy := append(codecGobs(),
		"x", 1, true, nil, 2.5, []byte("b"), []string{"s"}, int64(5), codecDeadline,
		map[string]any{"a": []any{1, codecCart{Extra: codecRole("r")}, map[string]any{}}})
	for _, v := range legacy {
		if got := codecDecode(t, codecLegacy(t, v)); !reflect.DeepEqual(got, v) {
			t.Errorf("%T: got %#v, want %#v", v, got, v)
		}
	}
	all := map[string]any{}
	for i, v := range legacy {
		all[strings.Repeat("k", i)] = v
	}
	if got := codecSession(t, codecRecord(t, scs.GobCodec{}, all)); !reflect.DeepEqual(got, all) {
		t.Errorf("got %#v, want %#v", got, all)
	}
	for _, values := range []map[string]any{nil, {}} {
		if got := codecSession(t, codecRecord(t, scs.GobCodec{}, values)); got == nil || len(got) != 0 {
			t.Errorf("an empty legacy session gave %v, want an empty map", got)
		}
	}
}

// TestNormalizedGobIsEquivalent covers what sessions rarely hold: streams that
// gob cuts into many messages, and fields that the reader does not know.
func TestNormalizedGobIsEquivalent(t *testing.T) {
	t.Parallel()
	registerCodecTypes()
	type wide struct {
		A int
		B any
		C []any
		D map[string]codecPoint
		E [3]uint8
		F *float32
		G struct{ H, I *codecCart }
		Z string
	}
	type narrow struct {
		A int
		Z string
	}
	f := float32(2.5)
	in := wide{
		A: -1, B: []any{codecCart{Extra: codecRole("deep")}, &codecPoint{1, 2}}, C: []any{codecGrid{}, 5},
		D: map[string]codecPoint{"p": {5, 6}}, E: [3]uint8{1, 2, 3}, F: &f, Z: "end",
	}
	in.G.I = &codecCart{Items: []string{strings.Repeat("long", 100)}}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(in); err != nil {
		t.Fatal(err)
	}
	names := []string{"A", "B", "C", "D", "E", "F", "G", "Z"}
	stream, ok := normalizeGob(buf.Bytes(), names...)
	if !ok {
		t.Fatal("a stream that gob wrote was refused")
	}
	var out wide
	if err := gob.NewDecoder(bytes.NewReader(stream)).Decode(&out); err != nil ||
		!reflect.DeepEqual(out, in) {
		t.Errorf("decoded to %+v, %v; want %+v", out, err, in)
	}
	var some narrow
	if err := gob.NewDecoder(bytes.NewReader(stream)).Decode(&some); err != nil ||
		some != (narrow{-1, "end"}) {
		t.Errorf("decoded in part to %+v, %v", some, err)
	}
	if _, ok := normalizeGob(buf.Bytes(), names[1:]...); ok {
		t.Error("a field that is not named was accepted")
	}
	again, ok := normalizeGob(stream, names...)
	if !ok || !bytes.Equal(again, stream) {
		t.Error("a normalized stream is not its own normal form")
	}
	for n := range buf.Len() {
		if _, ok := normalizeGob(buf.Bytes()[:n], names...); ok {
			t.Errorf("the first %d of %d bytes were accepted", n, buf.Len())
		}
	}
}

func TestCodecGobErrors(t *testing.T) {
	t.Parallel()
	registerCodecTypes()
	var list *codecCart
	for range maxGobDepth {
		list = &codecCart{Next: list}
	}
	for _, c := range []struct {
		name string
		put  any
		want string
	}{
		{"unregistered", codecUnknown{"hunter2"},
			`scskit: encode: key "k": a value of type scskit.codecUnknown goes through gob: type not registered for interface: scskit.codecUnknown; pass a value of that type to gob.Register when the program starts`},
		{"unregistered, nested", []any{map[string]any{"hunter2": &codecUnknown{"hunter2"}}},
			`scskit: encode: key "k": a value of type *scskit.codecUnknown goes through gob: type not registered for interface: scskit.codecUnknown; pass a value of that type to gob.Register when the program starts`},
		{"unregistered, in a registered one", codecCart{Extra: codecUnknown{"hunter2"}},
			`scskit: encode: key "k": a value of type scskit.codecCart goes through gob: type not registered for interface: scskit.codecUnknown; pass a value of that type to gob.Register when the program starts`},
		{"nil pointer", (*codecPoint)(nil),
			`scskit: encode: key "k": a value of type *scskit.codecPoint goes through gob: gob: cannot encode nil pointer of type *scskit.codecPoint inside interface`},
		{"function", func() {}, `scskit: encode: key "k": a value of type func() cannot be kept: a session holds data, not functions or channels`},
		{"channels", []any{map[string]chan<- int{}},
			`scskit: encode: key "k": a value of type map[string]chan<- int cannot be kept: a session holds data, not functions or channels`},
		{"pointer to a function", new(func()),
			`scskit: encode: key "k": a value of type *func() cannot be kept: a session holds data, not functions or channels`},
		{"function in a registered type", codecCart{Extra: func() {}},
			`scskit: encode: key "k": a value of type scskit.codecCart holds a func(): a session holds data, not functions or channels`},
		{"mutex", &sync.Mutex{}, `scskit: encode: key "k": a value of type *sync.Mutex cannot be kept: the type exports no field and does not encode itself`},
		{"made-up Unknown", Unknown{},
			`scskit: encode: key "k": a scskit.Unknown that no Decode has returned`},
		{"failing GobEncode", codecShy{"hunter2"},
			`scskit: encode: key "k": a value of type scskit.codecShy could not encode itself`},
		{"too deep", *list, `scskit: encode: key "k": a value of type scskit.codecCart is nested too deep for gob`},
	} {
		_, err := Codec{}.Encode(codecDeadline, codecValues(c.put))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if !errors.Is(err, ErrEncode) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a failure to encode is not ErrEncode alone", c.name)
		}
	}
}

func TestCodecContainsGobPanics(t *testing.T) {
	t.Parallel()
	registerCodecTypes()
	for _, b := range [][]byte{codecEncode(t, codecPanic{}), codecLegacy(t, codecPanic{})} {
		if v, ok := codecDecode(t, b).(Unknown); !ok ||
			v.Type() != "github.com/scskit/scskit.codecPanic" {
			t.Errorf("a panic in GobDecode gave %v, want an Unknown", v)
		}
	}
}

func TestCodecRefusesInvalidTimes(t *testing.T) {
	t.Parallel()
	var bad time.Time
	if err := bad.UnmarshalBinary([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff, 0xff,
		0xff}); err != nil {
		return // this Go refuses such a time itself
	}
	if _, err := (Codec{}).Encode(codecDeadline, codecValues(bad)); err == nil {
		t.Error("a time with more nanoseconds than a second has was encoded")
	}
	if _, err := (Codec{}).Encode(bad, nil); err == nil {
		t.Error("a deadline with more nanoseconds than a second has was encoded")
	}
}
