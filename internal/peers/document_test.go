package peers

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scskit/scskit/conformance"
)

var update = flag.Bool("update", false, "write the results into docs/peers.md")

const (
	document = "../../docs/peers.md"
	begin    = "<!-- results: begin (go test -update writes them) -->\n"
	end      = "<!-- results: end -->\n"
)

// checkDocument fails the test unless docs/peers.md contains the tables of the results, and its
// text names exactly the checks that fail.
func checkDocument(t *testing.T, report conformance.Report) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(begin))
	tables, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatalf("%s: the comments around the results are missing", document)
	}
	want := []byte(overview(t, report) + "\n" + failures(report))
	if *update && !bytes.Equal(tables, want) {
		updated := slices.Concat(head, []byte(begin), want, []byte(end), tail)
		if err := os.WriteFile(document, updated, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(tables, want) {
		t.Errorf("%s does not contain the results of this run; go test -update writes them:\n%s",
			document, want)
	}

	failed := failedChecks(report)
	named := make(map[string]bool)
	for _, match := range checkID.FindAllSubmatch(slices.Concat(head, tail), -1) {
		id := string(match[1])
		named[id] = true
		if failed[id] == nil && known(id) {
			t.Errorf("%s names %s, which no store fails", document, id)
		}
	}
	for id := range failed {
		if !named[id] {
			t.Errorf("%s does not explain %s, which fails", document, id)
		}
	}
}

var checkID = regexp.MustCompile("`([a-z]+/[a-z0-9-]+)`")

func known(id string) bool {
	return slices.ContainsFunc(conformance.Checks(),
		func(c conformance.Check) bool { return c.ID == id })
}

func isUnseen(r conformance.Result) bool { return strings.HasPrefix(r.Reason, unseen) }

// counts are the numbers of results of one store at one level.
type counts struct{ passed, failed, unseen int }

// overview returns the table with the numbers of checks.
func overview(t *testing.T, report conformance.Report) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| store | version | on " +
		"| store checks: passed | failed | pair checks: passed | failed | cannot be checked |\n")
	b.WriteString("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, p := range peers {
		of := make(map[conformance.Level]counts)
		for _, r := range report.Results {
			c := of[r.Level]
			switch {
			case r.Store != p.Name:
			case r.Outcome == conformance.Passed:
				c.passed++
			case r.Outcome == conformance.Exempt && isUnseen(r):
				c.unseen++
			case r.Outcome == conformance.Exempt, r.Outcome == conformance.Failed:
				c.failed++
			}
			of[r.Level] = c
		}
		store, pair := of[conformance.LevelStore], of[conformance.LevelPair]
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d | %d |\n",
			p.Name, version(t, p.module), p.backend,
			store.passed, store.failed, pair.passed, pair.failed, pair.unseen)
	}
	return b.String()
}

// failedChecks returns the names of the stores that fail a check, by its id.
func failedChecks(report conformance.Report) map[string][]string {
	failed := make(map[string][]string)
	for _, r := range report.Results {
		if (r.Outcome == conformance.Exempt || r.Outcome == conformance.Failed) && !isUnseen(r) {
			failed[r.Check] = append(failed[r.Check], r.Store)
		}
	}
	return failed
}

// failures returns the table of the checks that fail.
func failures(report conformance.Report) string {
	var b strings.Builder
	b.WriteString("| fails")
	for _, p := range peers {
		fmt.Fprintf(&b, " | %s", p.Name)
	}
	b.WriteString(" |\n| ---" + strings.Repeat(" | :---:", len(peers)) + " |\n")
	failed := failedChecks(report)
	for _, c := range conformance.Checks() {
		if failed[c.ID] == nil {
			continue
		}
		fmt.Fprintf(&b, "| `%s`", c.ID)
		for _, p := range peers {
			mark := ""
			if slices.Contains(failed[c.ID], p.Name) {
				mark = "✗"
			}
			fmt.Fprintf(&b, " | %s", mark)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// version returns the version of a module in go.mod, or the date and the commit if the module has
// no releases.
func version(t *testing.T, module string) string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` (\S+)`).FindSubmatch(text)
	if required == nil {
		t.Fatalf("go.mod does not require %s", module)
	}
	v := string(required[1])
	if p := pseudoVersion.FindStringSubmatch(v); p != nil {
		return fmt.Sprintf("%s-%s-%s, %s", p[1], p[2], p[3], p[4])
	}
	return v
}

var pseudoVersion = regexp.MustCompile(`^v0\.0\.0-(\d{4})(\d\d)(\d\d)\d{6}-([0-9a-f]{7})`)
