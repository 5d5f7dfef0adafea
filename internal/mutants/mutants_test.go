package mutants

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

var (
	broken  = Mutant{Name: "broken", Check: "a/own", Defect: "something"}
	control = Mutant{Name: "control"}
)

func TestUpdate(t *testing.T) {
	g := Golden{"broken": {"a/old", "~b/chance", "c/stays"}}
	if err := g.Update(broken, []string{"c/stays", "b/chance", "a/own", "a/new"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/new", "~b/chance", "c/stays"}; !slices.Equal(g["broken"], want) {
		t.Errorf("golden %v, want %v", g["broken"], want)
	}
	if err := g.Update(broken, []string{"c/stays"}); err == nil {
		t.Error("a mutant that does not trip its check: no error")
	}
	if err := g.Update(control, []string{"c/stays"}); err == nil {
		t.Error("a control that trips a check: no error")
	}
}

func TestDiff(t *testing.T) {
	g := Golden{"broken": {"~b/chance", "c/stays"}}
	for _, test := range []struct {
		m       Mutant
		tripped []string
		want    []string
	}{
		{broken, []string{"a/own", "c/stays"}, nil},
		{broken, []string{"a/own", "b/chance", "c/stays"}, nil},
		{broken, []string{"c/stays"}, []string{"does not trip a/own"}},
		{broken, []string{"a/own", "d/other"}, []string{"does not trip c/stays", "trips d/other"}},
		{control, nil, nil},
		{control, []string{"a/own"}, []string{"trips a/own"}},
	} {
		if got := g.Diff(test.m, test.tripped); !slices.Equal(got, test.want) {
			t.Errorf("%s, tripped %v: %v, want %v", test.m.Name, test.tripped, got, test.want)
		}
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.txt")
	g, err := Read(file)
	if err != nil || len(g) != 0 {
		t.Fatalf("a file that does not exist: %v, %v", g, err)
	}
	table := []Mutant{control, broken}
	g["broken"], g["removed"] = []string{"a/b", "~c/d", "e/removed"}, []string{"a/b"}
	known := func(id string) bool { return id != "e/removed" }
	want := []string{"broken: there is no check e/removed", "there is no mutant removed"}
	if stale := g.Stale(table, known); !slices.Equal(stale, want) {
		t.Errorf("stale %q, want %q", stale, want)
	}
	g.Prune(table, known)
	if err := g.Write(file, table); err != nil {
		t.Fatal(err)
	}
	again, err := Read(file)
	if err != nil || !maps.EqualFunc(again, g, slices.Equal[[]string]) || len(again) != 1 {
		t.Errorf("read %v, %v, want %v", again, err, g)
	}
}
