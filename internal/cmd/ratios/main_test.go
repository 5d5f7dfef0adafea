package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const output = `goos: linux
pkg: github.com/scskit/scskit
BenchmarkCodec/op=encode/codec=gob-2 	 68655 	 4000 ns/op	 200.0 bytes/record	 33 allocs/op
BenchmarkCodec/op=encode/codec=gob-2 	 68655 	 9999 ns/op	 200.0 bytes/record	 33 allocs/op
BenchmarkCodec/op=encode/codec=gob-2 	 68655 	 1 ns/op	 200.0 bytes/record	 33 allocs/op
BenchmarkCodec/op=encode/codec=scskit-2 	 1459432 	 200.0 ns/op	 50.00 bytes/record	 3 allocs/op
BenchmarkCodec/op=check/codec=scskit-2 	 6486990 	 54.93 ns/op	 0 allocs/op
BenchmarkRequest/op=untouched/stack=bare-2 	 100 	 1000 ns/op
BenchmarkRequest/op=untouched/stack=scs-2 	 100 	 9000 ns/op
BenchmarkRequest/op=lazy-untouched/stack=bare-2 	 100 	 1000 ns/op
BenchmarkRequest/op=read/stack=scs-2 	 100 	 9000 ns/op
BenchmarkRequest/op=untouched/stack=scskit-2 	 100 	 3000 ns/op
BenchmarkRequest/op=untouched/stack=scskit-2 	 100 	 3500 ns/op
PASS
`

const want = "" +
	"Codec/op=encode               20.0 times faster, 0.09 of the allocations, 0.25 of the size\n" +
	"Request/op=untouched          2250 ns over the bare handler\n" +
	"Request/op=untouched           2.8 times faster\n"

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.txt")
	if err := os.WriteFile(file, []byte(output), 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := run(file, &b); err != nil || b.String() != want {
		t.Errorf("error %v, output\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestParseError(t *testing.T) {
	_, err := parse(strings.NewReader("BenchmarkX 	 100 	 fast ns/op\n"))
	if err == nil || !strings.Contains(err.Error(), "fast ns/op") {
		t.Errorf("error %v, want one that shows the line", err)
	}
}
