package codec

import (
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var updateGolden = flag.Bool("update", false, "write testdata/version1.hex")

// TestGolden decodes a record that an earlier build has stored. A later version must read it, so
// do not update it: add a second one when the format changes.
func TestGolden(t *testing.T) {
	const file = "testdata/version1.hex"
	registerTypes()
	want := map[string]any{}
	for i, v := range natives {
		want["n"+string(rune('a'+i/26))+string(rune('a'+i%26))] = v
	}
	want["gob"] = order{Items: []string{"tea"}, Count: map[string]int{"tea": 1}}
	if *updateGolden {
		record := hex.EncodeToString(mustEncode(t, Codec{}, want))
		if err := os.WriteFile(file, []byte(record+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	record, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	deadline, values, err := Decode(record)
	if err != nil || !deadline.Equal(someDeadline) {
		t.Fatalf("deadline %v, error %v", deadline.Format(time.RFC3339Nano), err)
	}
	if len(values) != len(want) {
		t.Errorf("%d values, want %d", len(values), len(want))
	}
	for key, v := range want {
		if !wantEqual(values[key], v) {
			t.Errorf("%s: got %#v, want %#v", key, values[key], v)
		}
	}
}
