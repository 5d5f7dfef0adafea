// Backends starts the servers that the tests of the stores need, and runs a command with them:
//
//	go run ./internal/cmd/backends [-only redis,mysql] [-json FILE] [--] go test ./stores/...
//
// The command finds them in the environment variables that package testenv reads, so that the tests
// of many packages share one set of servers. Servers that the environment names already are used as
// they are, and those that SCSKIT_SKIP_BACKENDS names are left out. Afterwards the servers are
// stopped, and the exit code is the command's.
//
// With -json it writes which servers these are, and their versions, into a file.
//
// Without a command it prints the variables as lines for a shell, and keeps the servers until it is
// interrupted.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/scskit/scskit/internal/testenv"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	code := run(os.Args[1:], os.Stdout, os.Stderr, signals)
	testenv.Close()
	os.Exit(code)
}

func run(args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	flags := flag.NewFlagSet("backends", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "",
		"start only these, separated by commas, of: "+strings.Join(names(), " "))
	list := flags.String("json", "", "write the servers' kinds and versions into this `file`")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: backends [-only NAMES] [-json FILE] [--] [COMMAND ARGUMENT…]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	kinds, err := choose(*only)
	if err != nil {
		fmt.Fprintln(stderr, "backends:", err)
		return 2
	}

	started := make(chan []result, 1)
	go func() { started <- start(kinds) }()
	var results []result
	select {
	case results = <-started:
	case sig := <-signals:
		return exitCode(sig)
	}
	failed := false
	for _, r := range results {
		if r.err != nil {
			fmt.Fprintln(stderr, "backends:", r.err)
			failed = true
		}
	}
	if failed {
		return 1
	}
	printTable(stderr, results)
	if *list != "" {
		if err := writeVersions(*list, results); err != nil {
			fmt.Fprintln(stderr, "backends:", err)
			return 1
		}
	}

	if flags.NArg() == 0 {
		for _, variable := range environment(results) {
			name, value, _ := strings.Cut(variable, "=")
			fmt.Fprintf(stdout, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
		fmt.Fprintln(stderr, "backends: Ctrl-C stops them")
		<-signals
		return 0
	}
	code, err := command(flags.Args(), environment(results), stdout, stderr, signals)
	if err != nil {
		fmt.Fprintln(stderr, "backends:", err)
		return 1
	}
	return code
}

func names() (names []string) {
	for _, kind := range testenv.Kinds() {
		names = append(names, kind.String())
	}
	return names
}

// choose returns the kinds to start: those named, or all but the skipped.
func choose(only string) ([]testenv.Kind, error) {
	known := append(names(), "toxiproxy") // which only tests start
	for name := range strings.SplitSeq(os.Getenv("SCSKIT_SKIP_BACKENDS"), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(known, name) {
			return nil, fmt.Errorf("SCSKIT_SKIP_BACKENDS: unknown: %q (known: %s)", name,
				strings.Join(known, " "))
		}
	}
	if only == "" {
		return slices.DeleteFunc(testenv.Kinds(),
			func(k testenv.Kind) bool { return testenv.Skipped(k.String()) }), nil
	}
	var kinds []testenv.Kind
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("-only: unknown: %q (known: %s)", name, strings.Join(names(), " "))
		}
		kinds = append(kinds, testenv.Kinds()[i])
	}
	return kinds, nil
}

type result struct {
	testenv.Backend
	err error
}

// start starts the servers at the same time.
func start(kinds []testenv.Kind) []result {
	results := make([]result, len(kinds))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		wg.Go(func() { results[i].Backend, results[i].err = testenv.Find(kind) })
	}
	wg.Wait()
	return results
}

func printTable(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range results {
		version, from := r.Version, "from "+r.Kind.Env()
		if version == "" {
			version = "version unknown"
		}
		if r.Private {
			from = "private, ready in " + r.Started.Round(time.Millisecond).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Kind, version, r.Addr, from)
	}
	for _, name := range names() {
		if testenv.Skipped(name) &&
			!slices.ContainsFunc(results, func(r result) bool { return r.Kind.String() == name }) {
			fmt.Fprintf(t, "%s\tskipped\t\tnamed in SCSKIT_SKIP_BACKENDS\n", name)
		}
	}
	_ = t.Flush()
}

// writeVersions leaves out addresses: they are gone when somebody reads the file, and may hold
// credentials.
func writeVersions(file string, results []result) error {
	type server struct {
		Kind    string `json:"kind"`
		Version string `json:"version"` // empty if the server does not tell
	}
	list := make([]server, len(results))
	for i, r := range results {
		list[i] = server{r.Kind.String(), r.Version}
	}
	data, err := json.MarshalIndent(list, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func environment(results []result) (variables []string) {
	for _, r := range results {
		variables = append(variables, r.Kind.Env()+"="+r.URL)
	}
	return variables
}

// command runs the command to its end. An interrupt from the terminal reaches the command by
// itself; SIGTERM is passed on.
func command(args, env []string, stdout, stderr io.Writer, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // signals end it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if sig == syscall.SIGTERM {
				_ = cmd.Process.Signal(sig)
			}
		case err := <-done:
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				return 0, err
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return exitCode(status.Signal()), nil
			}
			return exit.ExitCode(), nil
		}
	}
}

// exitCode is the code by which shells tell of a signal.
func exitCode(sig os.Signal) int {
	if s, ok := sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 1
}
