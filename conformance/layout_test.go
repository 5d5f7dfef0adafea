package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tableFile is a source file with a table of checks.
type tableFile struct {
	name  string
	rows  []tableRow
	funcs map[string]bool // the top-level functions that it declares
}

type tableRow struct {
	id    string
	level string // the name of the constant
	run   string // the function, or the one that returns it
}

// tableFiles parses the source files that have tables of checks.
func tableFiles(t *testing.T) []tableFile {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []tableFile
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := tableFile{name: name, funcs: make(map[string]bool)}
		tables := 0
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					f.funcs[n.Name.Name] = true
				}
			case *ast.CompositeLit:
				if array, ok := n.Type.(*ast.ArrayType); ok && isIdent(array.Elt, "check") {
					tables++
					for _, row := range n.Elts {
						f.rows = append(f.rows, parseRow(row))
					}
				}
			}
			return true
		})
		if tables > 1 {
			t.Errorf("%s: %d tables of checks, want one", name, tables)
		}
		if tables > 0 {
			files = append(files, f)
		}
	}
	return files
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func parseRow(e ast.Expr) (row tableRow) {
	fields := e.(*ast.CompositeLit).Elts
	row.id, _ = strconv.Unquote(fields[0].(*ast.BasicLit).Value)
	row.level = fields[1].(*ast.Ident).Name
	run := fields[2]
	if call, ok := run.(*ast.CallExpr); ok {
		run = call.Fun
	}
	row.run = run.(*ast.Ident).Name
	return row
}

// TestLayout checks that each table is in a file named after the level of its checks, beside their
// functions, and that Checks returns all of them.
func TestLayout(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, f := range tableFiles(t) {
		level, _, _ := strings.Cut(f.name, "_")
		for _, row := range f.rows {
			if want := "Level" + strings.ToUpper(level[:1]) + level[1:]; row.level != want {
				t.Errorf("%s: %s has the level %s, want %s", f.name, row.id, row.level, want)
			}
			if !f.funcs[row.run] {
				t.Errorf("%s: the function of %s, %s, is in another file", f.name, row.id, row.run)
			}
			ids = append(ids, row.id)
		}
	}
	var want []string
	for _, c := range Checks() {
		want = append(want, c.ID)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("the tables have %d checks, Checks returns %d", len(ids), len(want))
	}
}

// TestFilesOfGroups checks that the package comment names the files of each group.
func TestFilesOfGroups(t *testing.T) {
	t.Parallel()
	groups := make(map[string][]string)
	for _, f := range tableFiles(t) {
		for _, row := range f.rows {
			group, _, _ := strings.Cut(row.id, "/")
			if !slices.Contains(groups[group], f.name) {
				groups[group] = append(groups[group], f.name)
			}
		}
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	group := ""
	for line := range strings.Lines(string(source)) {
		fields := strings.Fields(strings.TrimPrefix(line, "//"))
		if !strings.HasPrefix(line, "//\t") || !strings.HasSuffix(strings.TrimSpace(line), ".go") {
			continue
		}
		if !strings.HasPrefix(line, "//\t ") {
			group, fields = fields[0], fields[1:]
		}
		got[group] = append(got[group], fields...)
	}
	for group := range got {
		if groups[group] == nil {
			t.Errorf("doc.go names the group %q, which has no checks", group)
		}
	}
	for group, want := range groups {
		slices.Sort(got[group])
		if !slices.Equal(got[group], want) {
			t.Errorf("doc.go: the checks of %s are in %v, want %v", group, got[group], want)
		}
	}
}
