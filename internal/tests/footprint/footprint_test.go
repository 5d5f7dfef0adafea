// Package footprint tests what a program inherits by requiring scskit. It builds small programs
// with and without sessions, and compares their requirements.
package footprint

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false,
	"build the programs too, and write the results into docs/modules.md")

const (
	root      = "github.com/scskit/scskit"
	goVersion = "1.25.0" // of the programs
)

// programs are the programs to build. They start with the versions of the clients in the go.mod
// files of the modules: the lowest versions that scskit supports.
var programs = []struct {
	name    string // the directory in testdata
	title   string
	modules []string // the modules of scskit
	clients []string // the modules of the framework and of the database client
	// packages are the packages of scskit in the binary, besides those that every program has and
	// internal ones.
	packages []string
}{
	{
		name: "chi-memory", title: "Chi and memory",
		modules:  []string{"adapters/chi/harness"},
		clients:  []string{"github.com/go-chi/chi/v5"},
		packages: []string{"adapters/chi", "adapters/nethttp", "stores/memstore"},
	}, {
		name: "gin-redis", title: "Gin and Redis",
		modules:  []string{"adapters/gin", "stores/redisstore"},
		clients:  []string{"github.com/gin-gonic/gin", "github.com/redis/go-redis/v9"},
		packages: []string{"adapters/gin", "stores/redisstore"},
	}, {
		name: "echov5-postgresql", title: "Echo v5 and PostgreSQL",
		modules:  []string{"adapters/echov5", "stores/postgres"},
		clients:  []string{"github.com/labstack/echo/v5", "github.com/jackc/pgx/v5"},
		packages: []string{"adapters/echov5", "stores/sqlstore"},
	}, {
		name: "fiberv3-dynamodb", title: "Fiber v3 and DynamoDB",
		modules: []string{"adapters/fiberv3", "stores/dynamostore"},
		clients: []string{
			"github.com/gofiber/fiber/v3",
			"github.com/aws/aws-sdk-go-v2/service/dynamodb",
		},
		packages: []string{"adapters/fiberv3", "stores/dynamostore"},
	},
}

// expected are the modules that scskit adds to the requirements of a program.
var expected = []string{
	"github.com/alexedwards/scs/v2",
	"github.com/tinylib/msgp",
	"github.com/philhofer/fwd",
}

// everywhere are the public packages of scskit in every program.
var everywhere = []string{"", "adapters", "driver"}

// TestRootRequires checks that the root module requires nothing else: every program inherits its
// requirements, also those of packages that the program does not import, such as migrate.
func TestRootRequires(t *testing.T) {
	got := slices.Sorted(maps.Keys(requires(t, "../../..")))
	if want := slices.Sorted(slices.Values(expected)); !slices.Equal(got, want) {
		t.Errorf("the root's go.mod requires %v, want %v", got, want)
	}
}

func TestFootprint(t *testing.T) {
	var table strings.Builder
	table.WriteString("| a program on | requires besides | lifts | its binary grows by |\n" +
		"| --- | --- | --- | --- |\n")
	for _, p := range programs {
		without := program(t, p.name, "without.go.txt", p.modules, p.clients)
		with := program(t, p.name, "main.go.txt", p.modules, p.clients)
		var added, lifted []string
		for path, version := range with.requires {
			before, ok := without.requires[path]
			switch {
			case path == root || strings.HasPrefix(path, root+"/"):
			case !ok:
				added = append(added, path)
				if !slices.Contains(expected, path) {
					t.Errorf("%s: unexpected additional requirement of %s", p.title, path)
				}
			case before != version:
				lifted = append(lifted, strings.TrimPrefix(path, "golang.org/")+" to "+version)
				if !strings.HasPrefix(path, "golang.org/x/") {
					t.Errorf("%s: unexpected upgrade of %s from %s to %s",
						p.title, path, before, version)
				}
			}
		}
		if with.goVersion != goVersion {
			t.Errorf("%s: unexpected upgrade to Go %s", p.title, with.goVersion)
		}
		checkSums(t, p.title, without, with)
		checkLinked(t, p.title, p.packages, without, with)
		slices.Sort(added)
		slices.Sort(lifted)
		if len(lifted) == 0 {
			lifted = []string{"nothing"}
		}
		grows := "not measured"
		if *update {
			grows = fmt.Sprintf("%.1f MB", float64(with.size-without.size)/1e6)
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n",
			p.title, strings.Join(short(added), ", "), strings.Join(lifted, ", "), grows)
	}
	t.Log("\n" + table.String())
	document(t, table.String())
}

func short(paths []string) []string {
	for i, p := range paths {
		paths[i] = strings.TrimPrefix(p, "github.com/")
	}
	return paths
}

// checkSums checks that scskit adds no other modules to the go.sum of a program, except Go's own.
func checkSums(t *testing.T, title string, without, with built) {
	t.Helper()
	for path := range with.sums {
		if !without.sums[path] && !slices.Contains(expected, path) &&
			!strings.HasPrefix(path, "golang.org/x/") {
			t.Errorf("%s: unexpected module in go.sum: %s", title, path)
		}
	}
}

// checkLinked checks which packages the binary of a program has: of scskit those that it uses, and
// none for tests or for a move; besides those, only packages of expected modules.
func checkLinked(t *testing.T, title string, packages []string, without, with built) {
	t.Helper()
	var got []string
	for path, module := range with.linked {
		switch rest, ours := strings.CutPrefix(path, root); {
		case ours && strings.HasPrefix(rest, "/internal/"):
		case ours:
			got = append(got, strings.TrimPrefix(rest, "/"))
		case module != "example.com/program" && !slices.Contains(expected, module) &&
			!slices.Contains(slices.Collect(maps.Values(without.linked)), module):
			t.Errorf("%s: unexpected package in the binary: %s", title, path)
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(slices.Concat(everywhere, packages)))
	if !slices.Equal(got, want) {
		t.Errorf("%s: the binary has the packages %q of scskit, want %q", title, got, want)
	}
}

type built struct {
	requires  map[string]string
	sums      map[string]bool   // the modules in go.sum
	linked    map[string]string // the modules of the packages in the binary
	goVersion string
	size      int64
}

// program tidies a program from a file in testdata, and builds it if -update is set. The program
// starts with the versions of the clients that the modules require.
func program(t *testing.T, name, file string, modules, clients []string) built {
	t.Helper()
	dir := t.TempDir()
	source, err := os.ReadFile(filepath.Join("testdata", name, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	checkout, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	mod := "module example.com/program\n\ngo " + goVersion + "\n\n"
	for _, m := range modules {
		for path, version := range requires(t, filepath.Join(checkout, m)) {
			if slices.Contains(clients, path) {
				mod += fmt.Sprintf("require %s %s\n", path, version)
			}
		}
	}
	if bytes.Contains(source, []byte(root)) {
		mod += fmt.Sprintf("require %s v0.0.0\nreplace %[1]s => %s\n", root, checkout)
		for _, m := range modules {
			if bytes.Contains(source, []byte(root+"/"+m+`"`)) {
				mod += fmt.Sprintf("require %s/%s v0.0.0\nreplace %[1]s/%[2]s => %s\n", root, m,
					filepath.Join(checkout, m))
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "go", "mod", "tidy")
	b := built{
		requires: requires(t, dir), sums: sums(t, dir), linked: linked(t, dir),
		goVersion: parse(t, dir).Go,
	}
	if !*update {
		return b
	}
	binary := filepath.Join(dir, "program")
	run(t, dir, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	b.size = info.Size()
	return b
}

// goMod is what "go mod edit -json" prints.
type goMod struct {
	Go      string
	Require []struct{ Path, Version string }
}

func parse(t *testing.T, dir string) goMod {
	t.Helper()
	var m goMod
	if err := json.Unmarshal(run(t, dir, "go", "mod", "edit", "-json"), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func requires(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, r := range parse(t, dir).Require {
		all[r.Path] = r.Version
	}
	return all
}

func sums(t *testing.T, dir string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		path, _, _ := strings.Cut(line, " ")
		all[path] = true
	}
	return all
}

// linked returns the packages in the binary, except those of the standard library.
func linked(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	format := "{{with .Module}}{{$.ImportPath}} {{.Path}}{{end}}"
	for line := range strings.Lines(string(run(t, dir, "go", "list", "-deps", "-f", format, "."))) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path != "" {
			all[path] = module
		}
	}
	return all
}

func run(t *testing.T, dir string, command ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, stderr.String())
	}
	return out
}

const (
	beginMark = "<!-- footprint: written by make footprint -->\n"
	endMark   = "<!-- footprint: end -->"
)

// document checks the table in docs/modules.md, or writes it if -update is set. It does not check
// the sizes, which would take long to build.
func document(t *testing.T, table string) {
	t.Helper()
	const file = "../../../docs/modules.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), beginMark)
	written, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		t.Fatalf("%s: the comments around the table are missing", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+beginMark+table+endMark+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if withoutSizes(written) != withoutSizes(table) {
		t.Errorf("%s contains\n%s\nwant (make footprint writes it)\n%s", file, written, table)
	}
}

func withoutSizes(table string) string {
	var lines []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		lines = append(lines, strings.Join(cells[:max(0, len(cells)-2)], "|"))
	}
	return strings.Join(lines, "\n")
}
