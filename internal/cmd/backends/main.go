// Backends starts the servers that the tests of the stores need, runs a command, and stops the
// servers:
//
//	go run ./internal/cmd/backends [-only redis,mysql] [-json FILE] [--] go test ./stores/...
//
// The command gets the servers in the environment variables that package testenv reads, so that the
// tests of many packages share one set of servers. Backends does not start servers that the
// environment already names, or that SCSKIT_SKIP_BACKENDS skips. Its exit code is the command's.
//
// With -json, it writes the kinds and versions of the servers into a file.
//
// Without a command, it prints the variables as shell commands and runs the servers until it is
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
		"start only these servers, a comma-separated `list` of: "+strings.Join(names(), " "))
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
		fmt.Fprintln(stderr, "backends: press Ctrl-C to stop the servers")
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

// choose returns the kinds to start: those that only names, or else all that are not skipped.
func choose(only string) ([]testenv.Kind, error) {
	known := append(names(), "toxiproxy") // tests start it themselves, and can skip it
	for name := range strings.SplitSeq(os.Getenv("SCSKIT_SKIP_BACKENDS"), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(known, name) {
			return nil, unknown("SCSKIT_SKIP_BACKENDS", name, known)
		}
	}
	if only == "" {
		skipped := func(k testenv.Kind) bool { return testenv.Skipped(k.String()) }
		return slices.DeleteFunc(testenv.Kinds(), skipped), nil
	}
	var kinds []testenv.Kind
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(), strings.TrimSpace(name))
		if i < 0 {
			return nil, unknown("-only", name, names())
		}
		kinds = append(kinds, testenv.Kinds()[i])
	}
	return kinds, nil
}

func unknown(setting, name string, known []string) error {
	return fmt.Errorf("%s: unknown: %q (known: %s)", setting, name, strings.Join(known, " "))
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
	for _, kind := range testenv.Kinds() {
		isKind := func(r result) bool { return r.Kind == kind }
		if testenv.Skipped(kind.String()) && !slices.ContainsFunc(results, isKind) {
			fmt.Fprintf(t, "%s\tskipped\t\tnamed in SCSKIT_SKIP_BACKENDS\n", kind)
		}
	}
	_ = t.Flush()
}

// writeVersions omits the addresses: they are useless after the run, and may hold credentials.
func writeVersions(file string, results []result) error {
	type server struct {
		Kind    string `json:"kind"`
		Version string `json:"version"` // empty if it is unknown
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

// command runs the command and returns its exit code. It forwards SIGTERM. It does not forward an
// interrupt, which the terminal sends to the command, too.
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

// exitCode returns the exit code that shells use for a signal.
func exitCode(sig os.Signal) int {
	if s, ok := sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 1
}
