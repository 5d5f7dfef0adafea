package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/scskit/scskit/internal/stats"
)

// The targets.
const (
	readAtLeast   = 0.85 // of the requests per second of one bare GET
	writeAtMost   = 1.3  // times the duration of a bare GET and SET
	allocsAtMost  = 40   // in the server's process, per request that reads
	sessionAtMost = 108  // bytes of the value of a session with three keys

	// With Options.Keys and UserKey, times the duration without them.
	sealedReadAtMost  = 1.15
	sealedWriteAtMost = 1.25
)

// table holds the measurements of one operation.
type table struct {
	op          string
	connections int
	rounds      map[string][]figures
	size        map[string]int64
}

var captions = map[string]string{
	"read": "A request that reads one key. Bare: a handler that makes one GET.",
	"write": "A request that reads and changes one key. " +
		"Bare: a handler that makes one GET and one SET.",
}

func (t *table) print(out io.Writer) {
	fmt.Fprintf(out, "%s %d at a time.\n", captions[t.op], t.connections)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "variant\trequests/s\tof bare\t(from\tto)\tmedian\tCPU\tallocs\tbytes\tvalue\t")
	for _, v := range variants {
		low, ratio, high := t.ratio(v.name, "bare")
		size := "-"
		if n, ok := t.size[v.name]; ok {
			size = fmt.Sprint(n, " B")
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f ms\t%.1f µs\t%.1f\t%.0f\t%s\t\n", v.name,
			t.median(v.name, func(f figures) float64 { return f.PerSecond }), ratio, low, high,
			t.median(v.name, func(f figures) float64 { return f.Median.Seconds() * 1000 }),
			t.median(v.name, func(f figures) float64 { return f.CPU.Seconds() * 1e6 }),
			t.median(v.name, func(f figures) float64 { return f.Allocs }),
			t.median(v.name, func(f figures) float64 { return f.Bytes }), size)
	}
	_ = w.Flush()
	fmt.Fprintln(out)
	_, ratio, _ := t.ratio("scskit", "bare")
	_, sealed, _ := t.ratio("sealed", "scskit")
	if t.op == "write" {
		when := "under load"
		if t.connections == 1 {
			when = "alone"
		}
		verdict(out, 1/ratio <= writeAtMost,
			"a write %s takes %.2f times as long as a bare GET and SET; at most %.2f",
			when, 1/ratio, writeAtMost)
		verdict(out, 1/sealed <= sealedWriteAtMost,
			"with Keys and UserKey a write %s takes %.2f times as long as without; at most %.2f",
			when, 1/sealed, sealedWriteAtMost)
		fmt.Fprintln(out)
		return
	}
	n := t.median("scskit", func(f figures) float64 { return f.Allocs })
	verdict(out, ratio >= readAtLeast,
		"reads reach %.2f of the requests per second of a bare GET; at least %.2f",
		ratio, readAtLeast)
	verdict(out, 1/sealed <= sealedReadAtMost,
		"with Keys and UserKey a read takes %.2f times as long as without; at most %.2f", 1/sealed,
		sealedReadAtMost)
	verdict(out, n <= allocsAtMost,
		"a read allocates %.1f objects, including net/http's; at most %d", n, allocsAtMost)
	verdict(out, t.size["scskit"] <= sessionAtMost,
		"a session with three keys takes %d bytes; at most %d", t.size["scskit"], sessionAtMost)
	fmt.Fprintln(out)
}

func verdict(out io.Writer, met bool, format string, args ...any) {
	word := "MISSED"
	if met {
		word = "met"
	}
	fmt.Fprintf(out, "%7s  %s\n", word, fmt.Sprintf(format, args...))
}

func (t *table) median(variant string, of func(figures) float64) float64 {
	var values []float64
	for _, f := range t.rounds[variant] {
		values = append(values, of(f))
	}
	return stats.Median(values)
}

// ratio returns the requests per second of a variant, relative to those of another in the same
// round: the minimum, the median and the maximum over the rounds.
func (t *table) ratio(variant, base string) (low, median, high float64) {
	var ratios []float64
	for i, f := range t.rounds[variant] {
		ratios = append(ratios, f.PerSecond/t.rounds[base][i].PerSecond)
	}
	return slices.Min(ratios), stats.Median(ratios), slices.Max(ratios)
}
