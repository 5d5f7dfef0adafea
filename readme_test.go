package scskit_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scskit/scskit/conformance"
)

// TestREADME checks that the lines of every Go block in the documents also appear, in the same
// order, in some Go file of the project, which is compiled.
func TestREADME(t *testing.T) {
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	code := make(map[string]string, len(files))
	for _, f := range files {
		code[f] = normalize(read(t, f))
	}
	blocks := 0
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/getting-started.md",
		"docs/design.md", "docs/frameworks.md", "docs/backends.md", "docs/conformance.md",
		"docs/new-store.md", "docs/new-adapter.md", "docs/security.md", "docs/moving.md",
		"docs/moving-backends.md"} {
		for i, part := range strings.Split(read(t, doc), "```go\n")[1:] {
			block, _, ok := strings.Cut(part, "```")
			if !ok {
				t.Fatalf("%s: Go block %d is not closed", doc, i+1)
			}
			blocks++
			found := false
			for f := range code {
				found = found || strings.Contains(code[f], normalize(block))
			}
			if !found {
				t.Errorf("%s: Go block %d is not in any Go file:\n%s", doc, i+1, block)
			}
		}
	}
	if blocks == 0 {
		t.Error("no Go blocks found")
	}
}

// TestREADMELinks checks that the pictures and files that the documents link to exist.
func TestREADMELinks(t *testing.T) {
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/getting-started.md",
		"docs/frameworks.md", "docs/backends.md", "docs/conformance.md", "docs/new-store.md",
		"docs/new-adapter.md", "docs/modules.md", "docs/stability.md", "docs/security.md",
		"docs/moving.md", "docs/moving-backends.md", "SECURITY.md"} {
		prose := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`").ReplaceAllString(read(t, doc), "")
		links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(prose, -1)
		for _, link := range links {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), filepath.FromSlash(link[1]))); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
		if len(links) == 0 {
			t.Errorf("%s: no links found", doc)
		}
	}
}

// TestREADMEChecks checks that every conformance check that the documents name exists.
func TestREADMEChecks(t *testing.T) {
	known := make(map[string]bool)
	groups := make(map[string]bool)
	for _, c := range conformance.Checks() {
		known[c.ID] = true
		group, _, _ := strings.Cut(c.ID, "/")
		groups[group] = true
	}
	for _, doc := range []string{"README.md", "docs/backends.md", "docs/conformance.md",
		"docs/new-store.md", "docs/new-adapter.md", "docs/security.md"} {
		named := 0
		for i, word := range strings.Split(read(t, doc), "`") {
			group, _, ok := strings.Cut(word, "/")
			if i%2 == 0 || !ok || !groups[group] {
				continue
			}
			named++
			if !known[word] {
				t.Errorf("%s names the check %q, which does not exist", doc, word)
			}
		}
		if named < 4 {
			t.Errorf("%s names only %d checks", doc, named)
		}
	}
}

func TestREADMECommands(t *testing.T) {
	text := read(t, "README.md")
	makefile := read(t, "Makefile")
	for _, target := range []string{"test", "bench"} {
		if !strings.Contains(text, "make "+target) {
			t.Errorf("README.md does not mention make %s", target)
		}
		if !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("Makefile has no target %s", target)
		}
	}
}

// normalize removes indentation and alignment.
func normalize(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if fields := strings.Fields(line); len(fields) > 0 {
			b.WriteString(strings.Join(fields, " "))
			b.WriteByte('\n')
		}
	}
	return "\n" + b.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
