// Package mutants compares the checks that mutants trip with golden files. It is for tests of the
// conformance kit.
package mutants

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Mutant describes a subject that is broken in one way.
type Mutant struct {
	Name string

	// Check is the id of the check that the mutant exists for. It is empty for a control: a correct
	// subject, which trips no check.
	Check string

	// Defect says in one line what is broken.
	Defect string
}

// Golden holds the checks that each mutant of a table trips besides its own, by the mutant's name.
// The ids are sorted. A tilde before an id says that chance decides whether the mutant trips it.
type Golden map[string][]string

// Expectation says whether a mutant trips a check.
type Expectation int

// The expectations.
const (
	MustNot Expectation = iota
	May
	Must
)

// Expect returns whether m trips the check with the id.
func (g Golden) Expect(m Mutant, id string) Expectation {
	switch {
	case id == m.Check || slices.Contains(g[m.Name], id):
		return Must
	case slices.Contains(g[m.Name], "~"+id):
		return May
	}
	return MustNot
}

// Sure returns the ids of the checks that m always trips.
func (g Golden) Sure(m Mutant) []string {
	var sure []string
	if m.Check != "" {
		sure = append(sure, m.Check)
	}
	for _, id := range g[m.Name] {
		if !strings.HasPrefix(id, "~") {
			sure = append(sure, id)
		}
	}
	return sure
}

// Diff returns what is wrong with the checks that m has tripped.
func (g Golden) Diff(m Mutant, tripped []string) []string {
	var problems []string
	for _, id := range g.Sure(m) {
		if !slices.Contains(tripped, id) {
			problems = append(problems, "does not trip "+id)
		}
	}
	for _, id := range tripped {
		if g.Expect(m, id) == MustNot {
			problems = append(problems, "trips "+id)
		}
	}
	return problems
}

// Update replaces the checks of m by those that it has tripped. It keeps every entry with a tilde
// and adds none: whoever finds that chance decides about a check adds the tilde by hand. It returns
// an error if m has not tripped its own check, or is a control and has tripped any.
func (g Golden) Update(m Mutant, tripped []string) error {
	if m.Check == "" && len(tripped) > 0 {
		return fmt.Errorf("%s is a control and trips %s", m.Name, strings.Join(tripped, " "))
	}
	if m.Check != "" && !slices.Contains(tripped, m.Check) {
		return fmt.Errorf("%s does not trip %s", m.Name, m.Check)
	}
	ids := slices.DeleteFunc(slices.Clone(g[m.Name]), func(id string) bool {
		return !strings.HasPrefix(id, "~")
	})
	for _, id := range tripped {
		if id != m.Check && !slices.Contains(ids, "~"+id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	if g[m.Name] = ids; len(ids) == 0 {
		delete(g, m.Name)
	}
	return nil
}

func compareIDs(a, b string) int {
	return strings.Compare(strings.TrimPrefix(a, "~"), strings.TrimPrefix(b, "~"))
}

// Stale returns what the golden file has of mutants that are not in the table, and of checks that
// are not known.
func (g Golden) Stale(table []Mutant, known func(id string) bool) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if !slices.ContainsFunc(table, func(m Mutant) bool { return m.Name == name }) {
			problems = append(problems, "there is no mutant "+name)
		}
		for _, id := range g[name] {
			if !known(strings.TrimPrefix(id, "~")) {
				problems = append(problems, name+": there is no check "+id)
			}
		}
	}
	return problems
}

// Prune removes what Stale reports.
func (g Golden) Prune(table []Mutant, known func(id string) bool) {
	maps.DeleteFunc(g, func(name string, _ []string) bool {
		return !slices.ContainsFunc(table, func(m Mutant) bool { return m.Name == name })
	})
	for name, ids := range g {
		g[name] = slices.DeleteFunc(ids, func(id string) bool {
			return !known(strings.TrimPrefix(id, "~"))
		})
	}
}

const header = "# The checks that each mutant trips besides its own, sorted. " +
	"Where chance decides, a tilde is before\n" +
	"# the id. go test -run Mutants -update writes this file: " +
	"it keeps the tildes and adds none.\n"

// Read reads a golden file. A file that does not exist is empty.
func Read(file string) (Golden, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	g := make(Golden)
	name := ""
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case !strings.HasPrefix(line, "\t"):
			name = text
		case name == "":
			return nil, fmt.Errorf("%s: %s comes before any mutant", file, text)
		default:
			g[name] = append(g[name], text)
		}
	}
	return g, nil
}

// Write writes a golden file, with the mutants in the order of the table.
func (g Golden) Write(file string, table []Mutant) error {
	var b strings.Builder
	b.WriteString(header)
	for _, m := range table {
		if len(g[m.Name]) > 0 {
			b.WriteString("\n" + m.Name + "\n\t" + strings.Join(g[m.Name], "\n\t") + "\n")
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
