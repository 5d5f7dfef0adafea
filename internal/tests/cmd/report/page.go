package main

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"slices"
	"strings"

	"github.com/scskit/scskit/conformance"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js page_tables.js page_cells.js
var scripts embed.FS

// pageJS is the script of the page. Its files share one scope.
var pageJS = func() (js string) {
	for _, file := range []string{"page.js", "page_tables.js", "page_cells.js"} {
		text, err := scripts.ReadFile(file)
		if err != nil {
			panic(err)
		}
		js += string(text)
	}
	return js
}()

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is the data of the page. It keeps the page small even with fifteen thousand results: a
// result is one letter, and each reason appears once.
type page struct {
	Run      string        `json:"run"` // the date, the version of Go and the platform
	Checks   []pageCheck   `json:"checks"`
	Subjects []pageSubject `json:"subjects"`
	Reasons  []string      `json:"reasons"`
}

type pageCheck struct {
	ID    string            `json:"id"`
	Level conformance.Level `json:"level"`
	Why   string            `json:"why"`
}

type pageSubject struct {
	Kind    kind   `json:"kind"`
	Adapter string `json:"adapter,omitempty"`
	Store   string `json:"store,omitempty"`

	Outcomes  string      `json:"outcomes"`      // one letter for each of Checks
	Durations []int64     `json:"durations"`     // of the checks that ran, in milliseconds
	Why       map[int]int `json:"why,omitempty"` // from indexes of Checks to indexes of Reasons

	results []*conformance.Result
}

// kind is a kind of subject.
type kind string

const (
	kindStore   kind = "store"
	kindDriver  kind = "driver"
	kindAdapter kind = "adapter" // with the kit's reference store
	kindPair    kind = "pair"
)

// reference is the name of the kit's own store, with which the kit checks an adapter alone.
const reference = "reference"

func kindOf(r *conformance.Result) kind {
	switch {
	case r.Level == conformance.LevelDriver:
		return kindDriver
	case r.Adapter == "" || r.Adapter == "store":
		return kindStore
	case r.Store == "" || r.Store == reference:
		return kindAdapter
	}
	return kindPair
}

var letters = map[conformance.Outcome]byte{
	conformance.Passed: 'p', conformance.Failed: 'f', conformance.Exempt: 'e',
	conformance.NotApplicable: 'n',
}

const notRun = '.'

// subjectAtFault is the row of results without a check: the subject's declaration is invalid.
const subjectAtFault = "subject/declaration"

// newPage arranges the results. A check that this version of the kit does not have gets a row, too.
func newPage(r conformance.Report, run string) page {
	p := page{Run: run}
	row := make(map[string]int)
	add := func(c pageCheck) {
		row[c.ID] = len(p.Checks)
		p.Checks = append(p.Checks, c)
	}
	for _, c := range conformance.Checks() {
		add(pageCheck{c.ID, c.Level, c.Why})
	}
	type name struct {
		kind           kind
		adapter, store string
	}
	column := make(map[name]int)
	for i := range r.Results {
		res := &r.Results[i]
		n := name{kindOf(res), res.Adapter, res.Store}
		switch n.kind {
		case kindStore, kindDriver:
			n.adapter = ""
		case kindAdapter:
			n.store = ""
		}
		if res.Check == "" {
			res.Check = subjectAtFault
		}
		if _, ok := row[res.Check]; !ok {
			add(pageCheck{res.Check, res.Level, ""})
		}
		if _, ok := column[n]; !ok {
			column[n] = len(p.Subjects)
			p.Subjects = append(p.Subjects, pageSubject{Kind: n.kind, Adapter: n.adapter, Store: n.store})
		}
		s := &p.Subjects[column[n]]
		if missing := row[res.Check] + 1 - len(s.results); missing > 0 {
			s.results = append(s.results, make([]*conformance.Result, missing)...)
		}
		// The tests of a store and the matrix may run the same check. A failure wins.
		if old := &s.results[row[res.Check]]; *old == nil || (*old).Outcome != conformance.Failed {
			*old = res
		}
	}
	slices.SortStableFunc(p.Subjects, func(a, b pageSubject) int {
		return cmp.Or(slices.Index(kinds, a.Kind)-slices.Index(kinds, b.Kind),
			compareStores(a.Store, b.Store), cmp.Compare(a.Adapter, b.Adapter))
	})
	reason := make(map[string]int)
	for i := range p.Subjects {
		p.Subjects[i].fill(len(p.Checks), func(text string) int {
			if _, ok := reason[text]; !ok {
				reason[text] = len(p.Reasons)
				p.Reasons = append(p.Reasons, text)
			}
			return reason[text]
		})
	}
	return p
}

var kinds = []kind{kindStore, kindDriver, kindAdapter, kindPair}

// compareStores orders this project's stores as in the documents, before the stores of others and
// of examples.
func compareStores(a, b string) int {
	rank := func(name string) int {
		if isOther(name) {
			return len(backends) + 1
		}
		if i := slices.IndexFunc(backends, func(k backend) bool { return k.store == name }); i >= 0 {
			return i
		}
		return len(backends)
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
}

// isOther reports whether a store is the reference, or one of others, of an example or of a guide.
func isOther(store string) bool {
	return slices.Contains([]string{"directory", "own", reference}, store) ||
		strings.HasPrefix(store, "scs-")
}

// fill sets the fields for the results. reason returns the index of a text in page.Reasons.
func (s *pageSubject) fill(checks int, reason func(string) int) {
	letter := bytes.Repeat([]byte{notRun}, checks)
	for i, res := range s.results {
		if res == nil {
			continue
		}
		letter[i] = letters[res.Outcome]
		if letter[i] == 0 { // an unknown outcome, from another version of the kit
			letter[i] = letters[conformance.Failed]
		}
		s.Durations = append(s.Durations, res.DurationMS)
		if res.Reason != "" {
			if s.Why == nil {
				s.Why = make(map[int]int)
			}
			s.Why[i] = reason(res.Reason)
		}
	}
	s.Outcomes = string(letter)
}

// html returns the page, which loads nothing from the network.
func (p page) html() ([]byte, error) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Style  template.CSS
		Script template.JS
		Data   page
	}{template.CSS(pageCSS), template.JS(pageJS), p})
	return b.Bytes(), err
}
