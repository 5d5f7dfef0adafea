// Latency measures how long requests with a session take on each backend, and draws it:
//
//	cd internal/tests && go run ./cmd/latency [-svg FILE] [-time 4s] [-only redis,sqlite]
//
// A request goes over a socket to a net/http server with scshttp.LoadAndSave, from a client in the
// same process that keeps 8 connections busy, each with one request at a time and a session of its
// own with three keys. A read gets one key; a write changes one, which is one load and one
// conditional save. What is measured is the time from the first byte of the request to the last of
// the answer.
//
// The servers are found, or started on this machine, as for the tests; SCSKIT_SKIP_BACKENDS leaves
// some out. Those that are started have on disk what they have acknowledged, as far as they can be
// told so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scskit/scskit/internal/testenv"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	testenv.Close()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// connections is how many requests are under way at any time.
const connections = 8

// result is what one backend has shown.
type result struct {
	name   string
	server string // and what it does for durability
	read   sample
	write  sample
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("latency", flag.ContinueOnError)
	file := flags.String("svg", "", "write a picture to this file")
	turn := flags.Duration("time", 4*time.Second, "how long each kind of request is measured")
	only := flags.String("only", "", "measure only these, separated by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "latency")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	var results []result
	for _, b := range backends(dir) {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), strings.ToLower(b.name)) ||
			b.skipped() {
			continue
		}
		r, err := b.measure(ctx, *turn)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		results = append(results, r)
	}
	machine := fmt.Sprintf("%d CPUs, %s/%s, %s; %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(),
		time.Now().UTC().Format(time.DateOnly))
	printTable(out, machine, results)
	if *file == "" {
		return nil
	}
	return os.WriteFile(*file, []byte(draw(machine, results)), 0o644)
}

// quantiles are what the table and the picture tell of each sample.
var quantiles = []float64{0.5, 0.9, 0.99, 0.999}

func printTable(out io.Writer, machine string, results []result) {
	fmt.Fprintln(out, machine)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tread p50\tp90\tp99\tp99.9\tn\twrite p50\tp90\tp99\tp99.9\tn\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t", r.name)
		for _, s := range []sample{r.read, r.write} {
			for _, q := range quantiles {
				fmt.Fprintf(w, "%s\t", millis(s.at(q)))
			}
			fmt.Fprintf(w, "%d\t", len(s))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// millis writes a time in milliseconds, with as many digits as mean something.
func millis(d time.Duration) string {
	ms := d.Seconds() * 1000
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2f", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}
