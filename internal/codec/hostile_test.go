package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// bomb returns a record with the bytes after its version and deadline. Most callers use it for a
// record that claims to be longer than it is.
func bomb(s string) []byte {
	b, err := hex.DecodeString("c1d6ff5d000000" + strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// hostileRecords returns records that Decode must reject.
func hostileRecords() map[string][]byte {
	nested := func(header string, n int) []byte {
		return bomb("81 a16b" + strings.Repeat(header, n))
	}
	return map[string][]byte{
		"empty":                    {},
		"version only":             {version1},
		"text":                     []byte("hello"),
		"JSON":                     []byte(`{"user":1}`),
		"zeros":                    make([]byte, 100),
		"UTF-8":                    []byte("\u00e9t\u00e9"),
		"next version":             {0xc0, 0xd6, 0xff, 0, 0, 0, 0, 0x80},
		"no values":                {version1, 0xd6, 0xff, 0, 0, 0, 0},
		"deadline of another type": {version1, 0xd6, 0x13, 0, 0, 0, 0, 0x80},
		"deadline not a timestamp": {version1, 0xa5, 0x80},
		"deadline of 3 bytes":      {version1, 0xc7, 3, 0xff, 0, 0, 0, 0x80},
		"deadline, nanoseconds":    {version1, 0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80},
		"values not a map":         bomb("90"),
		"trailing byte":            bomb("80 00"),
		"two records":              append(bomb("80"), bomb("80")...),
		"key not a string":         bomb("81 01 01"),
		"key repeated":             bomb("82 a16b 01 a16b 01"),
		"keys out of order":        bomb("82 a162 01 a161 01"),
		"nested key repeated":      bomb("81 a16b 82 a16b 01 a16b 01"),
		"string map repeated":      bomb("81 a16b c707 1d 82 a161 a0 a161 a0"),
		"map of 2^31":              bomb("df 80000000"),
		"map of 2^32-1":            bomb("df ffffffff a16b 01"),
		"nested map of 2^31":       bomb("81 a16b df 80000000 a16b 01"),
		"array of 2^31":            bomb("81 a16b dd 80000000 01"),
		"string of 2^31":           bomb("81 a16b db 80000000 61"),
		"key of 2^32-1":            bomb("81 db ffffffff 61"),
		"bytes of 2^31":            bomb("81 a16b c6 80000000 61"),
		"extension of 2^32-1":      bomb("81 a16b c9 ffffffff 1e 00"),
		"strings of 2^31":          bomb("81 a16b c706 1c dd 80000000 a0"),
		"strings beyond the end":   bomb("82 a16b c702 1c 92 a0 a16c a0"),
		"strings short of the end": bomb("81 a16b c703 1c 91 a0 a0"),
		"not strings":              bomb("81 a16b c702 1c 91 01"),
		"string map short":         bomb("81 a16b c702 1d 81 a0"),
		"arrays that share a tail": nested("dd00001000", 50),
		"arrays too deep":          append(nested("91", 200), 1),
		"maps too deep":            append(nested("81a0", 200), 1),
		"unknown extension":        bomb("81 a16b d4 05 01"),
		"MessagePack complex":      bomb("81 a16b d7 03 0000000000000000"),
		"reserved byte":            bomb("81 a16b c1"),
		"int8 out of range":        bomb("81 a16b d5 10 0080"),
		"uint16 out of range":      bomb("81 a16b d6 16 00010000"),
		"uint of 16 bytes":         bomb("81 a16b d8 14 00000000000000000000000000000000"),
		"int of 2^64-1":            bomb("81 a16b cf ffffffffffffffff"),
		"zoned time, short":        bomb("81 a16b d7 1a 0000000000000000"),
		"zoned time, nanoseconds":  bomb("81 a16b d8 1a 0000000000000000 3b9aca00 00000000"),
		"time, nanoseconds":        bomb("81 a16b d7 ff ffffffff00000000"),
		"nil of no type":           bomb("81 a16b d4 1b 05"),
		"gob of nothing":           bomb("81 a16b c700 1e"),
		"gob of an int":            bomb("81 a16b c70c 1e 0a 10 00 03 696e74 04 02 00 0a 00"),
		"gob without an interface": bomb("81 a16b c704 1e 03 04 00 0a"),
		"gob of nil":               bomb("81 a16b c704 1e 03 10 00 00"),
		"gob of 8 GB":              bomb("81 a16b c706 1e fb 01ffffffff"),
		"gob message of 9 MB":      {0xfd, 0x90, 0, 0, 0x10},
		"gob without end":          bytes.Repeat([]byte{0x7f}, 1000),
	}
}

// gobBombs returns records of scs.GobCodec whose map of values claims to be larger than it is.
// encoding/gob alone would allocate memory for the claimed size.
func gobBombs(t testing.TB) [][]byte {
	b := legacyOne(t, "v")
	// The value message ends with: the number of entries, the key k, the value.
	at := bytes.LastIndex(b, []byte("\x01\x01k\x06string"))
	if at < 0 {
		t.Fatal("a record of scs.GobCodec has an unexpected format")
	}
	var bombs [][]byte
	for _, count := range []string{"\x02", "\xfd\xff\xff\xff", "\xfc\x40\x00\x00\x00",
		"\xf8\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		bombs = append(bombs, gobReplace(t, b, at, count))
	}
	return bombs
}

// gobReplace replaces the byte at an index in the last message of a gob stream, and corrects the
// length of that message.
func gobReplace(t testing.TB, b []byte, at int, with string) []byte {
	for i := 0; i < len(b); {
		w := gobWalk{rest: b[i:]}
		w.nextMessage()
		if w.failed {
			break
		}
		body := len(b) - len(w.rest) - len(w.message)
		if at >= body && at < body+len(w.message) {
			if len(w.rest) > 0 {
				t.Fatal("the byte is not in the last message")
			}
			message := string(b[body:at]) + with + string(b[at+1:])
			return append(appendGobUint(append([]byte(nil), b[:i]...), len(message)), message...)
		}
		i = body + len(w.message)
	}
	t.Fatal("not a gob stream")
	return nil
}

func mustFail(t *testing.T, name string, b []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	deadline, values, err := Codec{}.Decode(b)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrCorrupt) || values != nil || !deadline.IsZero() {
		t.Errorf("%s: Decode: got %v, %v, %v, want ErrCorrupt", name, deadline, values, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10+128*uint64(len(b)) {
		t.Errorf("%s: Decode allocated %d bytes for %d of input", name, n, len(b))
	}
	if err := Check(b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: Check: got %v, want ErrCorrupt", name, err)
	}
}

// This test and those below are not parallel, because they measure allocations.
func TestHostileRecords(t *testing.T) {
	registerTypes()
	for _, control := range []string{"80", "81 a16b 01", "82 a16b c702 1c 91 a0 a16c a0",
		"81 a16b c703 1d 81 a0 a0"} {
		if _, _, err := (Codec{}).Decode(bomb(control)); err != nil {
			t.Fatalf("a valid record like the bombs does not decode: %v", err)
		}
	}
	for name, b := range hostileRecords() {
		mustFail(t, name, b)
	}
	for i, b := range gobBombs(t) {
		mustFail(t, fmt.Sprint("gob bomb ", i), b)
	}
}

func TestTruncation(t *testing.T) {
	records := [][]byte{legacyOne(t, 1)}
	for _, v := range append(gobValuesOfAllTypes(), natives...) {
		if b := encodeOne(t, v); len(b) < 1000 {
			records = append(records, b)
		}
	}
	for i, b := range records {
		for n := range b {
			mustFail(t, fmt.Sprintf("the first %d bytes of record %d", n, i), b[:n])
		}
		mustFail(t, fmt.Sprintf("record %d with an extra byte", i), append(b, 0))
	}
}

func TestErrorsHoldNoData(t *testing.T) {
	t.Parallel()
	secret := "hunter2"
	for _, c := range [][]byte{
		append(encodeOne(t, secret), secret...),
		[]byte(secret),
		bytes.Replace(legacyOne(t, gobValuesOfAllTypes()[0]), []byte("Values"), []byte("hunter"), 1),
		append(legacyOne(t, secret), secret...),
		append([]byte{version1, 2}, secret...),
	} {
		_, _, err := Codec{}.Decode(c)
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("got %v, want an error that does not quote the record", err)
		}
	}
}

// TestAmplification checks the memory per byte of input that the documentation of Codec states.
func TestAmplification(t *testing.T) {
	const n = 65535
	for name, element := range map[string]string{
		"nils": "c0", "empty arrays": "90", "arrays of one": "91c0", "empty maps": "80",
		"maps of one": "81a0c0", "ints": "cd0400",
		"strings": "a161", "times": "d6ff00000000", "nested": "9180",
		"zoned": "d81a" + strings.Repeat("00", 16), "strings of none": "c7011c90",
		"string maps": "c7031d81a0a0",
	} {
		b := bomb("81 a16b dd 0000ffff" + strings.Repeat(element, n))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Codec{}.Decode(b)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		factor := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(b))
		t.Logf("%-16s %.1f bytes for each byte", name, factor)
		if factor > 130 {
			t.Errorf("%s: Decode allocated %.0f bytes for each byte of input", name, factor)
		}
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	for i, v := range natives {
		b := encodeOne(t, []any{v, map[string]any{"a": v}})
		if n := testing.AllocsPerRun(10, func() {
			if err := Check(b); err != nil {
				t.Error(err)
			}
			if _, ok := Deadline(b); !ok {
				t.Error("Deadline found none")
			}
		}); n != 0 {
			t.Errorf("value %d, a %T: Check and Deadline allocate %v times, want 0", i, v, n)
		}
	}
}

// TestBudget limits the allocations of Codec. BenchmarkCodec measures the time.
func TestBudget(t *testing.T) {
	values := threeKeys()
	b := mustEncode(t, Codec{}, values)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Codec{}.Decode(b) }); n > 8 {
		t.Errorf("decoding three keys allocates %v times, want at most 8", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Codec{}.Encode(someDeadline, values) }); n > 2 {
		t.Errorf("encoding three keys allocates %v times, want at most 2", n)
	}
}
