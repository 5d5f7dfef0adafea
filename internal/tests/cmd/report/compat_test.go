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
	text := `[
		{"kind": "redis", "version": "Redis 7.0.15"},
		{"kind": "mysql", "version": "a|b <script>"},
		{"kind": "postgres", "version": ""}
	]`
	if err := os.WriteFile(servers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	type result = conformance.Result
	pass, fail, exempt := conformance.Passed, conformance.Failed, conformance.Exempt
	results := []result{
		{Store: "redis", Level: conformance.LevelStore, Outcome: pass},
		{Adapter: "store", Store: "redis", Level: conformance.LevelStore, Outcome: pass}, // again
		{Store: "redis", Level: conformance.LevelDriver, Outcome: exempt},
		{Adapter: "gin", Store: "redis", Level: conformance.LevelPair, Outcome: pass},
		{Adapter: "fiber", Store: "redis", Level: conformance.LevelPair, Outcome: pass},
		{Adapter: "fiber", Store: "redis", Level: conformance.LevelPair, Outcome: fail},
		{Adapter: "gin", Store: "mariadb", Level: conformance.LevelPair, Outcome: pass},
		{Adapter: "gin", Store: reference, Level: conformance.LevelAdapter, Outcome: pass},
		{Adapter: "gin", Store: "scs-memstore", Level: conformance.LevelPair, Outcome: exempt},
		{Store: "postgresql", Level: conformance.LevelStore, Outcome: pass},
		{Adapter: "nethttp", Store: "memory", Level: conformance.LevelPair, Outcome: pass},
	}
	for i, r := range results {
		results[i].Check = string(r.Level) + "/" + string(r.Outcome)
	}
	got, err := compatibility(t.Context(), conformance.Report{Results: results}, servers, "a day")
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
	redis := versions["github.com/redis/go-redis/v9"]
	mysql := versions["github.com/go-sql-driver/mysql"]
	pgx := versions["github.com/jackc/pgx/v5"]
	for _, line := range []string{
		"in the test run of a day,\nwith scs " + versions[scsModule],
		"| Redis | Redis 7.0.15 | redis/go-redis/v9 " + redis + " | 1 of 2 | 3 | 1 | 1 |",
		`| MySQL, MariaDB | a\|b &lt;script> | go-sql-driver/mysql ` + mysql +
			" | 1 of 1 | 1 | 0 | 0 |",
		"| PostgreSQL | version unknown | jackc/pgx/v5 " + pgx + " | not run in pairs | 1 | 0 | 0 |",
		"| memory | none needed |  | 1 of 1 | 1 | 0 | 0 |",
		"| Gin | " + versions["github.com/gin-gonic/gin"] + " | 2 of 2 | 3 | 0 | 0 |",
		"| Fiber v2 | " + versions["github.com/gofiber/fiber/v2"] + " | 0 of 1 | 1 | 0 | 1 |",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(got, "MongoDB") || strings.Contains(got, "scs-memstore") {
		t.Error("the table contains a backend that was not run or is not this project's")
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
			t.Errorf("replaceMarked(%q) = %q, want an error", bad, got)
		}
	}
}

// TestDocumentHasMarks checks that make compat can update its document.
func TestDocumentHasMarks(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replaceMarked(string(text), "new"); err != nil {
		t.Error(err)
	}
}
