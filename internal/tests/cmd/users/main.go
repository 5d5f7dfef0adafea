// Users measures what it costs to list and to end the sessions of a user, on each backend, in
// tables of several sizes:
//
//	cd internal/tests && go run ./cmd/users [-sizes 10000,100000,1000000] [-only redis,sqlite]
//
// It fills each backend with sessions of other users, five for each. At each size one more user
// signs in five times, and the program calls SessionsOf and DestroySessionsOf for that user. It
// repeats that and prints the medians. A backend that takes longer than -limit to fill ends with
// the last size that it has reached.
//
// Package testenv finds or starts the servers, and SCSKIT_SKIP_BACKENDS skips some.
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
	"strconv"
	"strings"
	"time"

	"github.com/scskit/scskit/internal/testenv"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	testenv.Close()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "users:", err)
		os.Exit(1)
	}
}

func run(args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("users", flag.ContinueOnError)
	list := flags.String("sizes", "10000,100000,1000000", "the numbers of sessions, a `list`")
	only := flags.String("only", "", "measure only these backends, a comma-separated `list`")
	limit := flags.Duration("limit", 5*time.Minute, "how long filling a backend may take in all")
	trials := flags.Int("trials", 21, "calls of each method at each size")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var sizes []int
	for text := range strings.SplitSeq(*list, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || len(sizes) > 0 && size <= sizes[len(sizes)-1] {
			return fmt.Errorf("-sizes %s: write positive numbers in ascending order", *list)
		}
		sizes = append(sizes, size)
	}
	if *trials < 1 {
		return errors.New("-trials must be positive")
	}
	dir, err := os.MkdirTemp("", "users")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	var results []result
	var failed []error
	for _, b := range backends(dir) {
		named := slices.Contains(strings.Split(*only, ","), strings.ToLower(b.name))
		if *only != "" && !named || b.skipped() {
			continue
		}
		r, err := b.measure(ctx, sizes, *trials, *limit, progress)
		if err != nil { // the others are worth a table all the same
			failed = append(failed, fmt.Errorf("%s: %w", b.name, err))
		}
		results = append(results, r)
	}
	fmt.Fprintf(out, "%d CPUs, %s/%s, %s; %s; %d sessions of the user, median of %d\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		time.Now().UTC().Format(time.DateOnly), perUser, *trials)
	printTable(out, sizes, results)
	return errors.Join(failed...)
}

// printTable prints a table in Markdown.
func printTable(out io.Writer, sizes []int, results []result) {
	fmt.Fprint(out, "| |")
	for _, method := range []string{"SessionsOf", "DestroySessionsOf"} {
		for _, size := range sizes {
			fmt.Fprintf(out, " `%s`, %s |", method, thousands(size))
		}
	}
	fmt.Fprintln(out, "\n|"+strings.Repeat(" --- |", 1+2*len(sizes)))
	for _, r := range results {
		fmt.Fprintf(out, "| %s", r.server)
		if r.reached < sizes[len(sizes)-1] {
			fmt.Fprintf(out, " (%s after %s)", thousands(r.reached), r.filling.Round(time.Second))
		}
		fmt.Fprint(out, " |")
		for _, times := range [][]time.Duration{r.list, r.end} {
			for i := range sizes {
				if i < len(times) {
					fmt.Fprintf(out, " %s |", millis(times[i]))
				} else {
					fmt.Fprint(out, " – |")
				}
			}
		}
		fmt.Fprintln(out)
	}
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// millis formats a time in milliseconds, with two or more significant digits.
func millis(d time.Duration) string {
	ms := d.Seconds() * 1000
	switch {
	case ms < 0.1:
		return fmt.Sprintf("%.3f ms", ms)
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
