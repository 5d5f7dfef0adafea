package main

import (
	"fmt"
	"html"
	"strings"

	"github.com/scskit/scskit/conformance"
)

const (
	cellWidth  = 62
	cellHeight = 30
	leftWidth  = 120
	topHeight  = 150
	margin     = 16
)

// style follows the reader's colour scheme, since the picture is shown on pages of either.
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

// svg draws a row for each group of checks and a column for each subject.
func (m *matrix) svg() string {
	var b strings.Builder
	width := leftWidth + len(m.subjects)*cellWidth + 2*margin + 40
	height := topHeight + len(m.groups)*cellHeight + 2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	all := make(counts)
	for _, s := range m.subjects {
		for o, n := range m.total(s) {
			all[o] += n
		}
	}
	fmt.Fprintf(&b, "<title>Conformance: %d checks passed, %d failed, %d exempt</title>\n%s\n",
		all[conformance.Passed], all[conformance.Failed], all[conformance.Exempt], style)
	for i, s := range m.subjects {
		x := margin + leftWidth + i*cellWidth + cellWidth/2
		fmt.Fprintf(&b, `<text transform="translate(%d %d) rotate(-40)">%s</text>`+"\n", x-8, margin+topHeight-10, html.EscapeString(s.String()))
	}
	for j, g := range m.groups {
		y := margin + topHeight + j*cellHeight
		fmt.Fprintf(&b, `<text class="g" x="%d" y="%d">%s</text>`+"\n", margin+leftWidth-10, y+cellHeight/2+4, html.EscapeString(g))
		for i, s := range m.subjects {
			c := m.cells[cell{s, g}]
			x := margin + leftWidth + i*cellWidth
			class, text := "none", ""
			ran := c[conformance.Passed] + c[conformance.Failed] + c[conformance.Exempt]
			switch {
			case ran == 0:
			case c[conformance.Failed] > 0:
				class, text = "fail", fmt.Sprintf("%d/%d", c[conformance.Passed], ran)
			case c[conformance.Exempt] > 0:
				class, text = "exempt", fmt.Sprintf("%d/%d", c[conformance.Passed], ran)
			default:
				class, text = "pass", fmt.Sprint(ran)
			}
			fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="4"/>`+"\n", class, x+1, y+1, cellWidth-3, cellHeight-3)
			if text != "" {
				fmt.Fprintf(&b, `<text class="n" x="%d" y="%d">%s</text>`+"\n", x+cellWidth/2-1, y+cellHeight/2+4, text)
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
