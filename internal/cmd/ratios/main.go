// Ratios reads the output of go test -bench and prints how scskit compares with the gob codec, with
// stock scs and with a bare handler. All figures are medians.
//
//	go run ./internal/cmd/ratios FILE
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/scskit/scskit/internal/stats"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ratios FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(file string, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r, err := parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r.print(out)
	return nil
}

// benchmarks holds the measurements of a run.
type benchmarks struct {
	names  []string // in the order of the input
	values map[string]measurements
}

// measurements are the values of one benchmark, one per repetition, by their units.
type measurements map[string][]float64

var procs = regexp.MustCompile(`-[0-9]+$`) // the GOMAXPROCS that go test appends to names

// parse reads the lines of results, and skips all others.
func parse(in io.Reader) (*benchmarks, error) {
	b := &benchmarks{values: make(map[string]measurements)}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := procs.ReplaceAllString(fields[0], "")
		if b.values[name] == nil {
			b.values[name] = make(measurements)
			b.names = append(b.names, name)
		}
		for i := 2; i+1 < len(fields); i += 2 { // after the name and the number of iterations
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			unit := fields[i+1]
			b.values[name][unit] = append(b.values[name][unit], value)
		}
	}
	return b, lines.Err()
}

// median returns 0 if the unit was not measured.
func (m measurements) median(unit string) float64 {
	if len(m[unit]) == 0 {
		return 0
	}
	return stats.Median(m[unit])
}

const bare = "stack=bare"

// baselines are the suffixes of the benchmarks to compare with, and those of scskit's counterparts.
var baselines = []struct{ suffix, ours string }{
	{"codec=gob", "codec=scskit"},
	{"stack=scs", "stack=scskit"},
	{bare, "stack=scskit"},
}

var variant = regexp.MustCompile(`/(codec|stack)=[a-z]+`)

func (b *benchmarks) print(out io.Writer) {
	for _, name := range b.names {
		for _, baseline := range baselines {
			stem, ok := strings.CutSuffix(name, baseline.suffix)
			ours := b.values[stem+baseline.ours]
			if !ok || ours == nil {
				continue
			}
			title := variant.ReplaceAllString(strings.TrimPrefix(name, "Benchmark"), "")
			compare(out, title, baseline.suffix, b.values[name], ours)
		}
	}
}

// compare prints one line.
func compare(out io.Writer, title, baseline string, base, ours measurements) {
	const time, allocs, size = "ns/op", "allocs/op", "bytes/record"
	if baseline == bare {
		extra := ours.median(time) - base.median(time)
		fmt.Fprintf(out, "%-28s %5.0f ns over the bare handler\n", title, extra)
		return
	}
	fmt.Fprintf(out, "%-28s %5.1f times faster", title, base.median(time)/ours.median(time))
	if n := base.median(allocs); n > 0 {
		fmt.Fprintf(out, ", %.2f of the allocations", ours.median(allocs)/n)
	}
	if n := base.median(size); n > 0 {
		fmt.Fprintf(out, ", %.2f of the size", ours.median(size)/n)
	}
	fmt.Fprintln(out)
}
