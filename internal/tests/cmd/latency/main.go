// Latency measures the latency of requests with a session on each backend, and draws a picture:
//
//	cd internal/tests && go run ./cmd/latency [-svg FILE] [-time 4s] [-only redis,sqlite]
//
// The client sends requests over sockets to a net/http server with scshttp.LoadAndSave in the same
// process. It uses 8 connections. Each sends one request at a time and has its own session with
// three keys. A read request reads one key. A write request changes one key, which takes one load
// and one conditional save. The latency is the time from the first byte of the request to the last
// byte of the response.
//
// Package testenv finds or starts the servers, and SCSKIT_SKIP_BACKENDS skips some. Private servers
// sync writes to disk before they acknowledge them, if they have such a setting.
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

// connections is the number of concurrent requests.
const connections = 8

// result is the measurement of one backend.
type result struct {
	name   string
	server string // the version and durability
	read   sample
	write  sample
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("latency", flag.ContinueOnError)
	file := flags.String("svg", "", "write a picture to this `file`")
	turn := flags.Duration("time", 4*time.Second, "length of the measurement of reads and of writes")
	only := flags.String("only", "", "measure only these backends, a comma-separated `list`")
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
		named := slices.Contains(strings.Split(*only, ","), strings.ToLower(b.name))
		if *only != "" && !named || b.skipped() {
			continue
		}
		r, err := b.measure(ctx, *turn)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		results = append(results, r)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	machine := fmt.Sprintf("%d CPUs, %s/%s, %s; %s",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), today)
	printTable(out, machine, results)
	if *file == "" {
		return nil
	}
	return os.WriteFile(*file, []byte(draw(machine, results)), 0o644)
}

// quantiles are those in the table and the picture.
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

// millis formats a time in milliseconds, with two or more significant digits.
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
