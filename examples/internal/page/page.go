// Package page holds the HTML page that the example shops share.
//
// To copy a shop into a module of your own, copy page.html next to its main.go and replace
// page.Template by a template that you parse from that file.
package page

import (
	_ "embed"
	"html/template"
)

//go:embed page.html
var source string

// Template is named page.html. It takes a map with the keys Flash, User and Cart, a map from items
// to notes.
var Template = template.Must(template.New("page.html").Parse(source))
