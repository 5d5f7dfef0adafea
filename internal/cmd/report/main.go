// Report reads what the conformance kit wrote, prints the counts of every subject, and draws
// the matrix.
//
//	report [-svg FILE] REPORT.json
//
// It exits with 1 if any check failed, or none ran.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/scskit/scskit/conformance"
)

func main() {
	svg := flag.String("svg", "", "draw the matrix as SVG into this `file`")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: report [-svg FILE] REPORT.json")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *svg); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, file, svg string) error {
	r, err := conformance.ReadReport(file)
	if err != nil {
		return err
	}
	m := newMatrix(r)
	m.print(w)
	if svg != "" {
		if err := os.WriteFile(svg, []byte(m.ours().svg()), 0o644); err != nil {
			return err
		}
	}
	switch failed := r.Count(conformance.Failed); {
	case failed > 0:
		return fmt.Errorf("%d checks failed", failed)
	case r.Count(conformance.Passed) == 0:
		return fmt.Errorf("%s holds no check that passed", file)
	}
	return nil
}

// matrix holds the counts of each subject and group of checks.
type matrix struct {
	subjects []subject
	groups   []string
	cells    map[cell]counts
}

// subject is a column: a store or driver by itself, or a pair.
type subject struct{ adapter, store string }

func (s subject) String() string {
	switch s.adapter {
	case "", "store":
		return s.store
	}
	if s.store == "" || s.store == "reference" { // an adapter by itself, over the kit's own store
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
	seen := make(map[one]bool) // a store is checked by itself, and once more in a matrix
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

// ours returns the matrix without the stores of others and of examples, which are checked to
// prove the kit.
func (m *matrix) ours() *matrix {
	subjects := slices.DeleteFunc(slices.Clone(m.subjects), func(s subject) bool {
		return s.store == "directory" || strings.HasPrefix(s.store, "scs-") || s == subject{store: "reference"}
	})
	return &matrix{subjects: subjects, groups: m.groups, cells: m.cells}
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
