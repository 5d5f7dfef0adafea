package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"slices"
	"strings"

	"github.com/scskit/scskit/conformance"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is what page.js draws. Fifteen thousand results must make a small page: a subject has one
// letter for each check, and a reason stands in it once.
type page struct {
	Run      string        `json:"run"` // when and by what the checks were run
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

	Outcomes  string      `json:"outcomes"`  // a letter for each of Checks
	Durations []int64     `json:"durations"` // of those that ran, in milliseconds
	Why       map[int]int `json:"why,omitempty"`

	results []*conformance.Result
}

// kind is what a subject is.
type kind string

const (
	kindStore   kind = "store"
	kindDriver  kind = "driver"
	kindAdapter kind = "adapter" // over the kit's reference store
	kindPair    kind = "pair"
)

// reference is the name of the kit's own store, over which an adapter by itself is checked.
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

// subjectAtFault stands for a check where the subject itself is wrong.
const subjectAtFault = "subject/declaration"

// newPage arranges the results. A check that this kit does not know gets a row of its own.
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
		// A store is checked by itself, and once more in a matrix.
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

// compareStores puts our stores first, in the order of the documents, and those of others and of
// examples, which are checked to prove the kit, last.
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

func isOther(store string) bool {
	return store == "directory" || store == reference || strings.HasPrefix(store, "scs-")
}

// fill writes down the outcomes of the results; reason returns the number of a text.
func (s *pageSubject) fill(checks int, reason func(string) int) {
	letter := bytes.Repeat([]byte{notRun}, checks)
	for i, res := range s.results {
		if res == nil {
			continue
		}
		letter[i] = letters[res.Outcome]
		if letter[i] == 0 { // a file by another version of the kit: say nothing good of it
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

// html returns the page: one file that asks nothing of the network.
func (p page) html() ([]byte, error) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Style  template.CSS
		Script template.JS
		Data   page
	}{template.CSS(pageCSS), template.JS(pageJS), p})
	return b.Bytes(), err
}
