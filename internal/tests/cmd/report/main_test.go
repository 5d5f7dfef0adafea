package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scskit/scskit/conformance"
)

// hostile is a reason with data from a broken store.
const hostile = "</script><script>alert(1)</script> <!-- <script> -->\u2028\x00\xff\" ' ` ${x} " +
	"{{.Data}} ]]> &lt; \\u003c 世界"

// full returns a report with checks of all levels: stores, drivers, adapters and all pairs.
func full(adapters, stores int) conformance.Report {
	var r conformance.Report
	add := func(adapter, store string, levels ...conformance.Level) {
		for i, c := range conformance.Checks() {
			for _, l := range levels {
				if c.Level != l {
					continue
				}
				res := conformance.Result{Adapter: adapter, Store: store, Check: c.ID, Level: l,
					Outcome: conformance.Passed, DurationMS: int64(i)}
				switch {
				case adapter == "adapter0" && store == "store1" && i%7 == 0:
					res.Outcome, res.Reason = conformance.Failed, hostile
				case store == "store2" && i%11 == 0:
					res.Outcome, res.Reason = conformance.Exempt, "not supported by the backend"
				case i%13 == 0:
					res.Outcome, res.Reason = conformance.NotApplicable, "no such feature"
				}
				r.Results = append(r.Results, res)
			}
		}
	}
	for s := range stores {
		store := fmt.Sprint("store", s)
		add("", store, conformance.LevelStore, conformance.LevelPortable, conformance.LevelDriver)
		add("store", store, conformance.LevelStore, conformance.LevelPortable) // from the matrix
		for a := range adapters {
			add(fmt.Sprint("adapter", a), store, conformance.LevelPair)
		}
	}
	for a := range adapters {
		add(fmt.Sprint("adapter", a), reference, conformance.LevelAdapter, conformance.LevelPair)
	}
	return r
}

// render returns the page of a report, and the data that a browser reads from it.
func render(t *testing.T, r conformance.Report) (text string, data page) {
	t.Helper()
	html, err := newPage(r, "today").html()
	if err != nil {
		t.Fatal(err)
	}
	const open = `<script type="application/json" id="data">`
	_, rest, ok := strings.Cut(string(html), open)
	if !ok {
		t.Fatalf("the page has no %s", open)
	}
	raw, _, _ := strings.Cut(rest, "</script>")
	if err := json.Unmarshal([]byte(raw), &data); err != nil {
		t.Fatalf("parse the data in the page: %v", err)
	}
	return string(html), data
}

func TestPageHoldsEveryResult(t *testing.T) {
	r := full(5, 9)
	text, data := render(t, r)
	if limit := 400_000; len(text) > limit {
		t.Errorf("the page of %d results has %d bytes, want at most %d",
			len(r.Results), len(text), limit)
	}
	type cell struct {
		kind           kind
		adapter, store string
		check          string
	}
	got := make(map[cell]conformance.Result)
	for _, s := range data.Subjects {
		if len(s.Outcomes) != len(data.Checks) {
			t.Fatalf("%+v: %d outcomes, want one for each of %d checks",
				s, len(s.Outcomes), len(data.Checks))
		}
		ran := 0
		for i, letter := range []byte(s.Outcomes) {
			if letter == notRun {
				continue
			}
			res := conformance.Result{DurationMS: s.Durations[ran]}
			ran++
			for o, l := range letters {
				if l == letter {
					res.Outcome = o
				}
			}
			if n, ok := s.Why[i]; ok {
				res.Reason = data.Reasons[n]
			}
			got[cell{s.Kind, s.Adapter, s.Store, data.Checks[i].ID}] = res
		}
		if ran != len(s.Durations) {
			t.Errorf("%+v: %d durations, want %d", s, len(s.Durations), ran)
		}
	}
	want := make(map[cell]bool)
	for _, res := range r.Results {
		c := cell{kindOf(&res), res.Adapter, res.Store, res.Check}
		switch c.kind {
		case kindStore, kindDriver:
			c.adapter = ""
		case kindAdapter:
			c.store = ""
		}
		want[c] = true
		wanted := conformance.Result{
			Outcome:    res.Outcome,
			DurationMS: res.DurationMS,
			Reason:     strings.ToValidUTF8(res.Reason, "\ufffd"),
		}
		if got[c] != wanted {
			t.Fatalf("%+v: the page has %+v, want %+v", c, got[c], wanted)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the page has %d results, want %d", len(got), len(want))
	}
}

func TestPageEscapesReasons(t *testing.T) {
	text, data := render(t, full(1, 2))
	if !strings.Contains(strings.Join(data.Reasons, ""), "</script><script>alert(1)") {
		t.Error("the data does not contain the reason")
	}
	if n := strings.Count(text, "<script"); n != 2 {
		t.Errorf("the page has %d opening script tags, want 2", n)
	}
	if n := strings.Count(text, "</script"); n != 2 {
		t.Errorf("the page has %d closing script tags, want 2", n)
	}
	for _, unescaped := range []string{"alert(1)</", "<!--", "\u2028"} {
		if strings.Contains(text, unescaped) {
			t.Errorf("the page contains %q from a reason", unescaped)
		}
	}
}

func TestPageLoadsNothing(t *testing.T) {
	text, _ := render(t, full(1, 1))
	for _, word := range []string{
		"src=", "href=", "url(", "@import", "http://", "https://", "fetch(", "import(",
	} {
		if strings.Contains(strings.ToLower(text), word) {
			t.Errorf("the page contains %q", word)
		}
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("the page has no Content-Security-Policy against loading resources")
	}
}

func TestPageShowsFailureOfStoreCheckedTwice(t *testing.T) {
	pass := conformance.Result{
		Store: "s", Check: "contract/delete",
		Level: conformance.LevelStore, Outcome: conformance.Passed,
	}
	fail := pass
	fail.Adapter, fail.Outcome = "store", conformance.Failed
	for _, r := range [][]conformance.Result{{pass, fail}, {fail, pass}} {
		p := newPage(conformance.Report{Results: r}, "")
		if len(p.Subjects) != 1 || strings.Trim(p.Subjects[0].Outcomes, ".") != "f" {
			t.Errorf("subjects %+v, want one with one failure", p.Subjects)
		}
	}
}

func TestPageShowsUnknownChecks(t *testing.T) {
	p := newPage(conformance.Report{Results: []conformance.Result{
		{Store: "s", Check: "later/check", Level: "later", Outcome: conformance.Passed},
		{Store: "s", Check: "contract/delete", Level: conformance.LevelStore, Outcome: "odd"},
		{Store: "s", Outcome: conformance.Failed, Reason: "the subject has no constructor"},
	}}, "")
	last := p.Checks[len(p.Checks)-2:]
	if last[0].ID != "later/check" || last[1].ID != subjectAtFault {
		t.Errorf("the last rows are %+v, want the unknown check and %s", last, subjectAtFault)
	}
	if got := p.Subjects[0].Outcomes; strings.Count(got, "f") != 2 || strings.Count(got, "p") != 1 {
		t.Errorf("outcomes %s, want two failures and one pass", got)
	}
}

func TestUnify(t *testing.T) {
	r := conformance.Report{Results: []conformance.Result{
		{Store: "memstore"}, {Store: "memory"}, {Store: "mysql"}, {Store: "redis"},
	}}
	unify(r)
	for i, want := range []string{"memory", "memory", "mariadb", "redis"} {
		if got := r.Results[i].Store; got != want {
			t.Errorf("store %d is %s, want %s", i, got, want)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "conformance.json")
	r := full(2, 2)
	if err := r.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	out := outputs{
		svg: filepath.Join(dir, "x.svg"), html: filepath.Join(dir, "x.html"),
		compat: filepath.Join(dir, "x.md"), docs: filepath.Join(dir, "docs.md"),
	}
	doc := []byte("before\n" + beginMark + "\nold\n" + endMark + "\nafter\n")
	if err := os.WriteFile(out.docs, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err := run(t.Context(), &b, file, out)
	want := fmt.Sprintf("%d checks failed", r.Count(conformance.Failed))
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, name := range []string{out.svg, out.html, out.compat, out.docs} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(b.String(), "adapter1 × store1") {
		t.Errorf("the output has no row for a pair:\n%s", b.String())
	}
}
