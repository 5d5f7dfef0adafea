package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

var updateCorpus = flag.Bool("update-corpus", false,
	"write the seeds of the codec's fuzz targets to testdata/fuzz")

// decodeSeeds returns valid and invalid records of all kinds: the seeds of FuzzDecode in
// testdata/fuzz.
func decodeSeeds(t testing.TB) map[string][]byte {
	seeds := map[string][]byte{
		"three-keys": mustEncode(t, Codec{}, threeKeys()),
		"no-keys":    mustEncode(t, Codec{}, nil),
	}
	for i, v := range natives {
		if b := encodeOne(t, v); len(b) < 300 {
			seeds[fmt.Sprintf("native-%d-%T", i, v)] = b
		}
	}
	for i, v := range gobValuesOfAllTypes() {
		seeds[fmt.Sprintf("gob-%d", i)] = encodeOne(t, v)
		seeds[fmt.Sprintf("legacy-gob-%d", i)] = legacyOne(t, v)
		seeds[fmt.Sprintf("unknown-%d", i)] = foreign(encodeOne(t, v))
		seeds[fmt.Sprintf("legacy-unknown-%d", i)] = foreign(legacyOne(t,
			map[string]any{"known": role("r"), "v": v}))
	}
	for name, b := range laterRecords() {
		seeds["later-"+name] = b
	}
	seeds["legacy"] = legacyOne(t, "v")
	seeds["legacy-native"] = legacyOne(t, []any{map[string]any{"a": 1, "b": someDeadline}, nil})
	seeds["gob-of-a-native"] = bomb("81 a16b c70b 1e 0a 10 00 03 696e74 04 02 00 0a")
	seeds["gob-of-a-deep-native"] = deepNative(t)
	seeds["legacy-cut"] = seeds["legacy"][:len(seeds["legacy"])/2]
	seeds["gob-cut"] = seeds["gob-2"][:len(seeds["gob-2"])-3]
	seeds["three-keys-cut"] = seeds["three-keys"][:len(seeds["three-keys"])-1]
	seeds["deep"] = encodeOne(t, nest(maxDepth-1, nil))
	seeds["deep-maps"] = encodeOne(t, nestMaps(maxDepth-1, nil))
	for name, b := range hostileRecords() {
		seeds["hostile-"+name] = b
	}
	for i, b := range gobBombs(t) {
		seeds[fmt.Sprintf("bomb-legacy-%d", i)] = b
	}
	return seeds
}

// makerSeeds returns the seeds of FuzzRoundTrip: bytes from which maker makes sessions. Some have
// every kind of value, and one is nested.
func makerSeeds() map[string][]byte {
	seeds := map[string][]byte{"empty": {}}
	for _, filling := range []byte{0, 1, 7, 0x7f, 0x80, 0xff} {
		b := bytes.Repeat([]byte{filling}, 16)
		for kind := range byte(makerKinds) {
			b = append(b, 1, 'a'+kind, kind)
			b = append(b, bytes.Repeat([]byte{filling}, 24)...)
		}
		seeds[fmt.Sprintf("kinds-%02x", filling)] = b
	}
	seeds["nested"] = append(make([]byte, 16),
		append([]byte("\x01k"), bytes.Repeat([]byte("\x17\x01\x00\x16\x01"), 20)...)...)
	return seeds
}

// TestCorpus tests that Check agrees with Decode on all seeds. With -update-corpus it writes them.
func TestCorpus(t *testing.T) {
	seeds := decodeSeeds(t)
	for name, b := range seeds {
		_, _, decodeErr := Codec{}.Decode(b)
		if checkErr := Check(b); (decodeErr == nil) != (checkErr == nil) {
			t.Errorf("%s: Decode: %v, but Check: %v", name, decodeErr, checkErr)
		}
	}
	if *updateCorpus {
		writeCorpus(t, "FuzzDecode", seeds)
		writeCorpus(t, "FuzzRoundTrip", makerSeeds())
	}
}

func writeCorpus(t *testing.T, target string, seeds map[string][]byte) {
	dir := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range seeds {
		file := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '-'
		}, name)
		text := "go test fuzz v1\n[]byte(" + strconv.Quote(string(b)) + ")\n"
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzDecode tests Decode with arbitrary bytes. Its seeds are in testdata/fuzz.
func FuzzDecode(f *testing.F) {
	registerTypes()
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		deadline, values, err := Codec{}.Decode(b)
		runtime.ReadMemStats(&after)
		// Records with gob have a higher limit, since gob allocates to set up each decoder.
		limit := 64<<10 + 128*uint64(len(b))
		if !isVersion1(b) || bytes.IndexByte(b, extGob) >= 0 {
			limit = 1<<20 + 1024*uint64(len(b))
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > limit {
			t.Errorf("Decode allocated %d bytes for %d of input", n, len(b))
		}
		if checkErr := Check(b); (checkErr == nil) != (err == nil) {
			t.Errorf("Decode: %v, but Check: %v", err, checkErr)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) && !errors.Is(err, errLegacyTypes) ||
				values != nil {
				t.Errorf("Decode: got %v and %v values, want a known error and no values", err, len(values))
			}
			return
		}
		if values == nil {
			t.Error("Decode: got a nil map, want an empty one")
		}
		if got, ok := Deadline(b); !ok || !got.Equal(deadline) {
			t.Errorf("Deadline: got %v, %v, but Decode: %v", got, ok, deadline)
		}
		wantFixedPoint(t, deadline, values, isVersion1(b))
	})
}

// wantFixedPoint checks that values are the same after encoding and decoding, and that encoding
// them again gives the same bytes.
func wantFixedPoint(t *testing.T, deadline time.Time, values map[string]any, must bool) {
	t.Helper()
	first, err := Codec{}.Encode(deadline, values)
	if err != nil {
		if must {
			t.Errorf("cannot encode the decoded values: %v", err)
		}
		return // a record of scs.GobCodec may be nested deeper than Codec allows
	}
	again, got, err := Codec{}.Decode(first)
	if err != nil {
		t.Fatalf("cannot decode the encoded values: %v", err)
	}
	if !again.Equal(deadline) || !wantEqual(got, values) {
		t.Errorf("%v became %v", values, got)
	}
	if bytes.IndexByte(first, extGob) >= 0 {
		return // gob encodes maps in random order
	}
	second, err := Codec{}.Encode(again, got)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("encoded to %x, and again to %x, %v", first, second, err)
	}
}

// wantEqual is reflect.DeepEqual with two differences: NaN equals NaN, and times are equal if their
// instants and offsets are.
func wantEqual(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case float32:
		b, ok := b.(float32)
		return ok && math.Float32bits(a) == math.Float32bits(b)
	case time.Time:
		b, ok := b.(time.Time)
		_, x := a.Zone()
		_, y := b.Zone()
		return ok && a.Equal(b) && x == y
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) || (a == nil) != (b == nil) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !wantEqual(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) || (a == nil) != (b == nil) {
			return false
		}
		for i := range a {
			if !wantEqual(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	if isNative(a) {
		return reflect.DeepEqual(a, b)
	}
	// Compare only the types of values encoded with gob, which may contain NaN and time zones.
	return reflect.TypeOf(a) == reflect.TypeOf(b)
}

// FuzzRoundTrip encodes and decodes sessions made from the fuzzer's bytes.
func FuzzRoundTrip(f *testing.F) {
	registerTypes()
	f.Fuzz(func(t *testing.T, b []byte) {
		m := maker{rest: b}
		deadline := time.Unix(int64(m.uint64()), int64(m.uint64()%1e9))
		values := map[string]any{}
		for len(m.rest) > 0 && len(values) < 100 {
			values[m.text()] = m.value(1)
		}
		wantFixedPoint(t, deadline, values, true)
		first, err := Codec{}.Encode(deadline, values)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(first); err != nil {
			t.Errorf("Check fails on an encoded record: %v", err)
		}
		if _, _, err := (Codec{}).Decode(first[:len(first)-1]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a record without its last byte: got %v, want ErrCorrupt", err)
		}
	})
}

// makerKinds is the number of kinds of values that maker makes.
const makerKinds = 28

// maker makes values from bytes.
type maker struct{ rest []byte }

func (m *maker) take(n int) []byte {
	n = min(n, len(m.rest))
	b := m.rest[:n]
	m.rest = m.rest[n:]
	return b
}

func (m *maker) byte() (b byte) {
	for _, b = range m.take(1) {
	}
	return b
}

func (m *maker) uint64() uint64 {
	var b [8]byte
	copy(b[:], m.take(8))
	return binary.LittleEndian.Uint64(b[:])
}

func (m *maker) text() string { return string(m.take(int(m.byte()))) }

func (m *maker) value(depth int) any {
	kind := m.byte() % makerKinds
	if depth >= maxDepth && (kind == 22 || kind == 23) {
		kind = 0
	}
	switch kind {
	case 1:
		return m.text()
	case 2:
		return []byte(m.text())
	case 3:
		return m.byte()&1 == 1
	case 4:
		return int(m.uint64())
	case 5:
		return int8(m.byte())
	case 6:
		return int16(m.uint64())
	case 7:
		return int32(m.uint64())
	case 8:
		return int64(m.uint64())
	case 9:
		return uint(m.uint64())
	case 10:
		return m.byte()
	case 11:
		return uint16(m.uint64())
	case 12:
		return uint32(m.uint64())
	case 13:
		return m.uint64()
	case 14:
		return math.Float32frombits(uint32(m.uint64()))
	case 15:
		return math.Float64frombits(m.uint64())
	case 16:
		return time.Duration(m.uint64())
	case 17:
		return time.Unix(int64(m.uint64()), int64(m.uint64()%1e9)).UTC()
	case 18:
		zone := time.FixedZone("z", int(int32(m.uint64())))
		return time.Unix(int64(m.uint64()), int64(m.uint64()%1e9)).In(zone)
	case 19:
		return time.Unix(int64(int32(m.uint64())), 0)
	case 20:
		s := make([]string, m.byte()%20)
		for i := range s {
			s[i] = m.text()
		}
		return s
	case 21:
		s := map[string]string{}
		for range m.byte() % 20 {
			s[m.text()] = m.text()
		}
		return s
	case 22:
		s := make([]any, m.byte()%20)
		for i := range s {
			s[i] = m.value(depth + 1)
		}
		return s
	case 23:
		s := map[string]any{}
		for range m.byte() % 20 {
			s[m.text()] = m.value(depth + 1)
		}
		return s
	case 24:
		return role(m.text())
	case 25:
		return &point{int(m.uint64()), int(m.byte())}
	case 26:
		return order{Items: []string{m.text()}, Count: map[string]int{m.text(): 1},
			Extra: role(m.text())}
	case 27:
		return []any{[]byte(nil), []string(nil), []any(nil), map[string]any(nil),
			map[string]string(nil)}[m.byte()%5]
	default:
		return nil
	}
}
