package format_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPage checks the example, the extensions and the links of the page.
func TestPage(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	text, err := os.ReadFile(filepath.Join(docs, "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)

	_, block, _ := strings.Cut(page, "```text\n")
	block, _, _ = strings.Cut(block, "```")
	var example strings.Builder
	for line := range strings.Lines(block) {
		bytes, _, _ := strings.Cut(line, "   ") // the rest is a remark
		example.WriteString(strings.ReplaceAll(strings.TrimSpace(bytes), " ", ""))
	}
	same := func(s sessionVector) bool { return s.Hex == example.String() }
	if !slices.ContainsFunc(readVectors(t).Sessions, same) {
		t.Errorf("the example is no vector: %s", example.String())
	}

	for _, one := range everyType {
		if !strings.Contains(page, "`"+one.typ+"`") && one.typ != "example.com/shop.Role" {
			t.Errorf("the page does not name the type %s", one.typ)
		}
	}

	anchors := []string{}
	for _, heading := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(name, " ", "-"))
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		file, anchor, _ := strings.Cut(link[1], "#")
		if file != "" {
			if _, err := os.Stat(filepath.Join(docs, filepath.FromSlash(file))); err != nil {
				t.Error(err)
			}
		} else if !slices.Contains(anchors, anchor) {
			t.Error(fmt.Sprint("no section ", anchor))
		}
	}
}
