package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// foreign returns the record with its types registered under other names, which no process knows.
func foreign(record []byte) []byte {
	return bytes.ReplaceAll(record, []byte("internal/codec."), []byte("internal/other."))
}

// home reverses foreign.
func home(record []byte) []byte {
	return bytes.ReplaceAll(record, []byte("internal/other."), []byte("internal/codec."))
}

// laterRecords returns records that a later version of Codec may write.
func laterRecords() map[string][]byte {
	return map[string][]byte{
		"version":            {version1, 2},
		"version with data":  append([]byte{version1, 0x7f}, "anything at all"...),
		"extension":          bomb("81 a16b d4 1f 01"),
		"empty extension":    bomb("81 a16b c700 7f"),
		"nested extension":   bomb("81 a16b 92 d520 abcd 01"),
		"extension and more": bomb("82 a16b c703 20 abcdef a16c 01"),
	}
}

func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	for _, v := range gobValuesOfAllTypes() {
		known := encodeOne(t, map[string]any{"v": v, "list": []any{v, 1}})
		foreign := foreign(known)
		if bytes.Equal(known, foreign) {
			continue // package gob registers the type
		}
		values := decodeOne(t, foreign).(map[string]any)
		u, ok := values["v"].(Unknown)
		list := values["list"].([]any)
		if in, listed := list[0].(Unknown); !ok || !listed || in.Type() != u.Type() || list[1] != 1 {
			t.Errorf("%T: decoded to %v", v, values)
			continue
		}
		if name := u.Type(); !strings.Contains(name, "internal/other.") {
			t.Errorf("%T: got type %q", v, name)
		}
		again := encodeOne(t, values)
		if !bytes.Equal(again, foreign) {
			t.Errorf("%T: %x became %x", v, foreign, again)
		}
		if got := decodeOne(t, home(again)).(map[string]any); !reflect.DeepEqual(got["v"], v) {
			t.Errorf("%T: decoded to %#v with the type known again, want %#v", v, got["v"], v)
		}
	}
}

// TestUnknownTypesInLegacyRecords also tests that values of known types are decoded.
func TestUnknownTypesInLegacyRecords(t *testing.T) {
	t.Parallel()
	registerTypes()
	all := map[string]any{"role": point{1, 2}, "n": 1, "nil": nil, "at": someDeadline}
	for i, v := range gobValuesOfAllTypes() {
		all["v"+strconv.Itoa(i)] = v
	}
	all["in a list"] = []any{order{Extra: role("deep")}, map[string]any{"a": grid{}}, 5}
	all["role"] = role("x")
	record := mustEncode(t, scs.GobCodec{}, all)
	foreign := bytes.ReplaceAll(record, []byte("internal/codec.order"),
		[]byte("internal/other.order"))
	values := mustDecode(t, foreign)
	if len(values) != len(all) {
		t.Errorf("%d keys, want %d", len(values), len(all))
	}
	unknown := 0
	for key, want := range all {
		if u, ok := values[key].(Unknown); ok {
			unknown++
			if !strings.Contains(fmt.Sprintf("%#v", want), "order") {
				t.Errorf("%s: got the Unknown %v, want a %T", key, u, want)
			}
		} else if !wantEqual(values[key], want) {
			t.Errorf("%s: got %#v, want %#v", key, values[key], want)
		}
	}
	if unknown == 0 {
		t.Error("got no Unknown")
	}

	home := mustDecode(t, home(mustEncode(t, Codec{}, values)))
	if !reflect.DeepEqual(home, all) {
		t.Errorf("with the types known again: decoded to %#v, want %#v", home, all)
	}
}

// deepNative returns a record of Codec that has, in gob, a list nested deeper than Codec allows.
func deepNative(t testing.TB) []byte {
	registerTypes()
	w := newGobWalk(legacyOne(t, nest(maxDepth, 1)))
	w.values = &gobValues{w: w}
	if _, ok := w.normalize("Deadline", "Values"); !ok {
		t.Fatal("a record of scs.GobCodec was rejected")
	}
	return encodeOne(t, Unknown{extGob, string(w.values.part(w.values.entries[0]))})
}

// TestNativesInGob tests native types encoded with gob. Codec does not write them, but a native
// list in a record of scs.GobCodec may contain a value of an unknown type, and is then kept as gob.
func TestNativesInGob(t *testing.T) {
	t.Parallel()
	if v, ok := decodeOne(t, deepNative(t)).(Unknown); !ok {
		t.Errorf("a list nested too deeply decoded to %v, want an Unknown", v)
	}
	_, values, err := Codec{}.Decode(bomb("81 a16b c70b 1e 0a 10 00 03 696e74 04 02 00 0a"))
	if err != nil || values["k"] != 5 {
		t.Errorf("an int in gob decoded to %v, %v, want 5", values, err)
	}
}

// TestUnknownShape tests a type that has the same name but other fields: its values are Unknown.
func TestUnknownShape(t *testing.T) {
	t.Parallel()
	type shape struct{ N string }
	type before struct{ N int }
	gob.RegisterName("scskit.shape1", before{})
	gob.RegisterName("scskit.shape2", shape{})
	b := encodeOne(t, before{7})
	changed := bytes.ReplaceAll(b, []byte("scskit.shape1"), []byte("scskit.shape2"))
	u, ok := decodeOne(t, changed).(Unknown)
	if !ok || u.Type() != "scskit.shape2" {
		t.Fatalf("decoded to %v, want an Unknown", u)
	}
	back := bytes.ReplaceAll(encodeOne(t, u), []byte("scskit.shape2"), []byte("scskit.shape1"))
	if got := decodeOne(t, back); got != (before{7}) {
		t.Errorf("with the original type: decoded to %v", got)
	}
}

func TestUnknownHidesItsValue(t *testing.T) {
	t.Parallel()
	u := decodeOne(t, foreign(encodeOne(t, role("hunter2"))))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(verb, u); strings.Contains(s, "hunter2") ||
			!strings.Contains(s, "internal/other.role") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

func TestLaterFormats(t *testing.T) {
	t.Parallel()
	for name, b := range laterRecords() {
		_, values, err := Codec{}.Decode(b)
		if b[1] < 0x80 {
			if !errors.Is(err, ErrNewer) || errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: got %v, want ErrNewer", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := mustEncode(t, Codec{}, values); !bytes.HasSuffix(again, b[7:]) {
			t.Errorf("%s: %x became %x", name, b, again)
		}
	}
}

// TestLegacyPartsAreBounded tests that the memory for many values of an unknown type is limited,
// although each is stored with the definition of the type. It is not parallel because it measures
// allocations.
func TestLegacyPartsAreBounded(t *testing.T) {
	registerTypes()
	for _, n := range []int{10, 100, 1000, 10000} {
		values := map[string]any{}
		for i := range n {
			values[strconv.Itoa(i)] = order{Items: []string{"a"}}
		}
		b := foreign(mustEncode(t, scs.GobCodec{}, values))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Codec{}.Decode(b)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%d values: %v", n, err)
		}
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("%d values: %d bytes for %d", n, allocated, len(b))
		if allocated > 1<<20+1024*uint64(len(b)) {
			t.Errorf("%d values: Decode allocated %d bytes for %d of input", n, allocated, len(b))
		}
	}
}
