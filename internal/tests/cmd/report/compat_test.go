package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scskit/scskit/conformance"
)

func TestCompatibility(t *testing.T) {
	servers := filepath.Join(t.TempDir(), "backends.json")
	text := `[{"kind": "redis", "version": "Redis 7.0.15"}, {"kind": "mysql", "version": "a|b <script>"}, {"kind": "postgres", "version": ""}]`
	if err := os.WriteFile(servers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	result := func(adapter, store string, level conformance.Level,
		outcome conformance.Outcome) conformance.Result {
		check := "pair/" + string(outcome)
		if level != conformance.LevelPair {
			check = string(level) + "/" + string(outcome)
		}
		return conformance.Result{Adapter: adapter, Store: store, Check: check, Level: level,
			Outcome: outcome}
	}
	pass, fail, exempt := conformance.Passed, conformance.Failed, conformance.Exempt
	got, err := compatibility(t.Context(), conformance.Report{Results: []conformance.Result{
		result("", "redis", conformance.LevelStore, pass),
		result("store", "redis", conformance.LevelStore, pass), // the same check once more
		result("", "redis", conformance.LevelDriver, exempt),
		result("gin", "redis", conformance.LevelPair, pass),
		result("fiber", "redis", conformance.LevelPair, pass),
		result("fiber", "redis", conformance.LevelPair, fail),
		result("gin", "mariadb", conformance.LevelPair, pass),
		result("gin", reference, conformance.LevelAdapter, pass),
		result("gin", "scs-memstore", conformance.LevelPair, exempt),
		result("", "postgresql", conformance.LevelStore, pass),
		result("nethttp", "memory", conformance.LevelPair, pass),
	}}, servers, "a day")
	if err != nil {
		t.Fatal(err)
	}
	versions, err := moduleVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for module, version := range versions {
		if !strings.HasPrefix(version, "v") {
			t.Errorf("%s has version %q", module, version)
		}
	}
	for _, line := range []string{
		"the test run of a day met, with scs " + versions[scsModule],
		"| Redis | Redis 7.0.15 | redis/go-redis/v9 " + versions["github.com/redis/go-redis/v9"] +
			" | 1 of 2 | 3 | 1 | 1 |",
		`| MySQL, MariaDB | a\|b &lt;script> | go-sql-driver/mysql ` +
			versions["github.com/go-sql-driver/mysql"] + " | 1 of 1 | 1 | 0 | 0 |",
		"| PostgreSQL | version unknown | jackc/pgx/v5 " + versions["github.com/jackc/pgx/v5"] +
			" | not run in pairs | 1 | 0 | 0 |",
		"| memory | none needed |  | 1 of 1 | 1 | 0 | 0 |",
		"| Gin | " + versions["github.com/gin-gonic/gin"] + " | 2 of 2 | 3 | 0 | 0 |",
		"| Fiber v2 | " + versions["github.com/gofiber/fiber/v2"] + " | 0 of 1 | 1 | 0 | 1 |",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(got, "MongoDB") || strings.Contains(got, "scs-memstore") {
		t.Error("the table has what was not run, or is not ours")
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestSQLiteVersion(t *testing.T) {
	servers, err := readServers(t.Context(), "")
	if err != nil || !strings.HasPrefix(servers["sqlite"], "SQLite 3.") {
		t.Errorf("%v, %v", servers, err)
	}
}

func TestReplaceMarked(t *testing.T) {
	doc := "a\n" + beginMark + "\nold\n" + endMark + "\nb\n"
	want := "a\n" + beginMark + "\n\nnew\n\n" + endMark + "\nb\n"
	got, err := replaceMarked(doc, "\nnew\n")
	if err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if again, err := replaceMarked(got, "new"); err != nil || again != want {
		t.Errorf("once more: %q, %v; want %q", again, err, want)
	}
	for _, bad := range []string{"", beginMark, endMark, endMark + beginMark, doc + doc} {
		if got, err := replaceMarked(bad, "new"); err == nil {
			t.Errorf("of %q it makes %q", bad, got)
		}
	}
}

// TestDocumentHasMarks wants the document that make compat updates to be one that it can.
func TestDocumentHasMarks(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replaceMarked(string(text), "new"); err != nil {
		t.Error(err)
	}
}
