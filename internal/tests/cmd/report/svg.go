package main

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/scskit/scskit/conformance"
)

const (
	cellWidth  = 66
	cellHeight = 30
	leftWidth  = 110
	topHeight  = 110
	gap        = 34 // between the tables
	margin     = 16
)

// style follows the reader's colour scheme.
const style = `<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.n { font-weight: 600; text-anchor: middle }
.g { text-anchor: end }
.pass { fill: #b7e4c7 } .fail { fill: #f4978e } .exempt { fill: #ffe3a3 } .none { fill: #eceff2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.pass { fill: #1b5e3a } .fail { fill: #8c2f2a } .exempt { fill: #7a5a12 } .none { fill: #262c36 }
}
</style>`

// svg draws a column for each store. The upper table shows the stores alone, with a row for each
// group of checks. The lower table shows the pairs, with a row for each adapter. The table on its
// right shows the adapters alone.
func (m *matrix) svg() string {
	stores, adapters := m.sides()
	upper, lower := m.groupsOf(stores, ""), adapters
	alone := m.groupsOf([]string{reference}, adapters...)

	pairsTop := margin + topHeight + len(upper)*cellHeight + gap
	adaptersLeft := margin + leftWidth + len(stores)*cellWidth + gap
	width := adaptersLeft + len(alone)*cellWidth + 3*margin
	height := pairsTop + len(lower)*cellHeight + margin

	var b strings.Builder
	const open = `<svg xmlns="http://www.w3.org/2000/svg" ` +
		`viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img">` + "\n"
	fmt.Fprintf(&b, open, width, height)
	all := make(counts)
	for _, s := range m.subjects {
		for o, n := range m.total(s) {
			all[o] += n
		}
	}
	fmt.Fprintf(&b, "<title>Conformance: %d checks passed, %d failed, %d exempt</title>\n%s\n",
		all[conformance.Passed], all[conformance.Failed], all[conformance.Exempt], style)

	column := func(x, y int, name string) {
		fmt.Fprintf(&b, `<text transform="translate(%d %d) rotate(-40)">%s</text>`+"\n",
			x+cellWidth/2-8, y-10, html.EscapeString(name))
	}
	row := func(y int, name string) {
		fmt.Fprintf(&b, `<text class="g" x="%d" y="%d">%s</text>`+"\n",
			margin+leftWidth-10, y+cellHeight/2+4, html.EscapeString(name))
	}
	for i, store := range stores {
		x := margin + leftWidth + i*cellWidth
		column(x, margin+topHeight, store)
		for j, group := range upper {
			drawCell(&b, x, margin+topHeight+j*cellHeight, m.cells[cell{subject{store: store}, group}])
		}
		for j, adapter := range lower {
			drawCell(&b, x, pairsTop+j*cellHeight, m.cells[cell{subject{adapter, store}, "pair"}])
		}
	}
	for j, group := range upper {
		row(margin+topHeight+j*cellHeight, group)
	}
	for j, adapter := range lower {
		row(pairsTop+j*cellHeight, adapter)
		for i, group := range alone {
			drawCell(&b, adaptersLeft+i*cellWidth, pairsTop+j*cellHeight,
				m.cells[cell{subject{adapter, reference}, group}])
		}
	}
	for i, group := range alone {
		column(adaptersLeft+i*cellWidth, pairsTop, group)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// sides returns the names of the stores and of the adapters. Without any pairs, these are all
// stores.
func (m *matrix) sides() (stores, adapters []string) {
	for _, s := range m.subjects {
		switch {
		case s.store == reference && s.adapter != "":
			adapters = append(adapters, s.adapter)
		case s.adapter != "" && !slices.Contains(stores, s.store):
			stores = append(stores, s.store)
		}
	}
	if len(stores) == 0 {
		for _, s := range m.subjects {
			if s.adapter == "" {
				stores = append(stores, s.store)
			}
		}
	}
	slices.SortFunc(stores, compareStores)
	return stores, adapters
}

// groupsOf returns the groups of checks that ran on a combination of the stores and adapters,
// except for the group of pairs. The adapter "" is a store alone.
func (m *matrix) groupsOf(stores []string, adapters ...string) []string {
	return slices.DeleteFunc(slices.Clone(m.groups), func(group string) bool {
		if group == "pair" {
			return true
		}
		for _, store := range stores {
			for _, adapter := range adapters {
				if m.cells[cell{subject{adapter, store}, group}].ran() > 0 {
					return false
				}
			}
		}
		return true
	})
}

// ran returns the number of checks that were applicable.
func (c counts) ran() int {
	return c[conformance.Passed] + c[conformance.Failed] + c[conformance.Exempt]
}

func drawCell(b *strings.Builder, x, y int, c counts) {
	class, text := "none", ""
	switch ran := c.ran(); {
	case ran == 0:
	case c[conformance.Failed] > 0:
		class, text = "fail", fmt.Sprintf("%d/%d", c[conformance.Passed], ran)
	case c[conformance.Exempt] > 0:
		class, text = "exempt", fmt.Sprintf("%d/%d", c[conformance.Passed], ran)
	default:
		class, text = "pass", fmt.Sprint(ran)
	}
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="4"/>`+"\n",
		class, x+1, y+1, cellWidth-3, cellHeight-3)
	if text != "" {
		fmt.Fprintf(b, `<text class="n" x="%d" y="%d">%s</text>`+"\n",
			x+cellWidth/2-1, y+cellHeight/2+4, text)
	}
}
