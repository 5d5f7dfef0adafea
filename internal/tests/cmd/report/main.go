// Report reads a report of the conformance kit and prints the numbers of results of every subject:
//
//	report [-svg FILE] [-html FILE] [-compat FILE] [-update-docs FILE] [-backends FILE] REPORT.json
//
// -svg draws the matrix of results. -html writes a self-contained page with every result and its
// reason. -compat writes a Markdown table of the versions of servers, clients and frameworks, and
// -update-docs puts that table between the marks in a document. -backends names the file with the
// servers' versions, which the command backends writes.
//
// The exit code is 1 if a check failed, or no check passed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scskit/scskit/conformance"
)

// outputs are the names of files, or empty.
type outputs struct {
	svg      string
	html     string
	compat   string
	docs     string
	backends string // an input
}

func main() {
	var out outputs
	flag.StringVar(&out.svg, "svg", "", "draw the matrix as SVG into this `file`")
	flag.StringVar(&out.html, "html", "", "write a page with every result into this `file`")
	flag.StringVar(&out.compat, "compat", "",
		"write the table of tested versions into this `file`, as Markdown")
	flag.StringVar(&out.docs, "update-docs", "", "update the table of tested versions in this `file`")
	flag.StringVar(&out.backends, "backends", "", "read the versions of the servers from this `file`")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: report [FLAGS] REPORT.json")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), os.Stdout, flag.Arg(0), out); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, file string, out outputs) error {
	r, err := conformance.ReadReport(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	unify(r)
	m := newMatrix(r)
	m.print(w)
	if out.svg != "" {
		if err := os.WriteFile(out.svg, []byte(m.ours().svg()), 0o644); err != nil {
			return err
		}
	}
	when := fmt.Sprintf("%s, %s, %s/%s",
		info.ModTime().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if out.html != "" {
		text, err := newPage(r, when).html()
		if err != nil {
			return err
		}
		if err := os.WriteFile(out.html, text, 0o644); err != nil {
			return err
		}
	}
	if out.compat != "" || out.docs != "" {
		text, err := compatibility(ctx, r, out.backends, when)
		if err != nil {
			return err
		}
		if err := writeCompatibility(text, out); err != nil {
			return err
		}
	}
	switch failed := r.Count(conformance.Failed); {
	case failed > 0:
		return fmt.Errorf("%d checks failed", failed)
	case r.Count(conformance.Passed) == 0:
		return fmt.Errorf("%s: no check passed", file)
	}
	return nil
}

func writeCompatibility(text string, out outputs) error {
	if out.compat != "" {
		if err := os.WriteFile(out.compat, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if out.docs == "" {
		return nil
	}
	old, err := os.ReadFile(out.docs)
	if err != nil {
		return err
	}
	updated, err := replaceMarked(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", out.docs, err)
	}
	return os.WriteFile(out.docs, []byte(updated), 0o644)
}

// matrix holds the numbers of results of each subject and group of checks.
type matrix struct {
	subjects []subject
	groups   []string
	cells    map[cell]counts
}

// subject is a store, a driver or an adapter alone, or a pair.
type subject struct{ adapter, store string }

func (s subject) String() string {
	switch s.adapter {
	case "", "store":
		return s.store
	}
	if s.store == "" || s.store == reference { // an adapter alone
		return s.adapter
	}
	return s.adapter + " × " + s.store
}

type cell struct {
	subject subject
	group   string
}

type counts map[conformance.Outcome]int

func newMatrix(r conformance.Report) *matrix {
	m := &matrix{cells: make(map[cell]counts)}
	type one struct {
		subject subject
		check   string
	}
	seen := make(map[one]bool) // the tests of a store and the matrix may run the same check
	for _, res := range r.Results {
		group, _, _ := strings.Cut(res.Check, "/")
		s := subject{res.Adapter, res.Store}
		if s.adapter == "store" {
			s.adapter = ""
		}
		if seen[one{s, res.Check}] && res.Outcome != conformance.Failed {
			continue
		}
		seen[one{s, res.Check}] = true
		if !slices.Contains(m.subjects, s) {
			m.subjects = append(m.subjects, s)
		}
		if !slices.Contains(m.groups, group) {
			m.groups = append(m.groups, group)
		}
		c := cell{s, group}
		if m.cells[c] == nil {
			m.cells[c] = make(counts)
		}
		m.cells[c][res.Outcome]++
	}
	return m
}

// ours returns the matrix without the stores and adapters of others, of examples and of the guides.
func (m *matrix) ours() *matrix {
	subjects := slices.DeleteFunc(slices.Clone(m.subjects), func(s subject) bool {
		return !s.isOurs() || s == subject{store: reference}
	})
	return &matrix{subjects: subjects, groups: m.groups, cells: m.cells}
}

// isOurs reports whether the adapter and the store are those of this project.
func (s subject) isOurs() bool {
	ours := s.adapter == ""
	for _, f := range frameworks {
		ours = ours || f.adapter == s.adapter
	}
	return ours && (s.store == reference || !isOther(s.store))
}

func (m *matrix) total(s subject) counts {
	sum := make(counts)
	for _, g := range m.groups {
		for o, n := range m.cells[cell{s, g}] {
			sum[o] += n
		}
	}
	return sum
}

func (m *matrix) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	defer tw.Flush()
	fmt.Fprintln(tw, "subject\tpassed\tfailed\texempt\tnot applicable\t")
	row := func(name string, c counts) {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t\n", name, c[conformance.Passed], c[conformance.Failed],
			c[conformance.Exempt], c[conformance.NotApplicable])
	}
	all := make(counts)
	for _, s := range m.subjects {
		c := m.total(s)
		row(s.String(), c)
		for o, n := range c {
			all[o] += n
		}
	}
	row("all", all)
}
