package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	width       = 1110
	margin      = 20
	panelTop    = 84
	panelHeight = 330
	panelWidth  = 350
	labelWidth  = 118 // for the names at the right ends of the lines
	leftWidth   = 50  // for the labels of the vertical axis
	rowHeight   = 20
)

// style follows the reader's colour scheme. Lines have the classes c0 to c7, points and names d0 to
// d7.
const style = `<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.h { font-size: 15px; font-weight: 600 } .b { font-weight: 600 }
.e { text-anchor: end } .m { text-anchor: middle }
.q { fill: #59636e } .grid { stroke: #d1d9e0; stroke-width: 1 } path { fill: none; stroke-width: 2 }
.c0 { stroke: #59636e } .c1 { stroke: #0969da } .c2 { stroke: #cf222e } .c3 { stroke: #1a7f37 }
.c4 { stroke: #8250df } .c5 { stroke: #bc4c00 } .c6 { stroke: #0f766e } .c7 { stroke: #bf3989 }
.d0 { fill: #59636e } .d1 { fill: #0969da } .d2 { fill: #cf222e } .d3 { fill: #1a7f37 }
.d4 { fill: #8250df } .d5 { fill: #bc4c00 } .d6 { fill: #0f766e } .d7 { fill: #bf3989 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .q { fill: #9198a1 } .grid { stroke: #3d444d }
.c0 { stroke: #9198a1 } .c1 { stroke: #58a6ff } .c2 { stroke: #ff7b72 } .c3 { stroke: #56d364 }
.c4 { stroke: #bc8cff } .c5 { stroke: #ffa657 } .c6 { stroke: #39c5cf } .c7 { stroke: #ff9bce }
.d0 { fill: #9198a1 } .d1 { fill: #58a6ff } .d2 { fill: #ff7b72 } .d3 { fill: #56d364 }
.d4 { fill: #bc8cff } .d5 { fill: #ffa657 } .d6 { fill: #39c5cf } .d7 { fill: #ff9bce }
}
</style>`

// picture draws two panels, for reads and for writes, with a line for each backend, and below them
// a table.
type picture struct {
	strings.Builder
	results   []result
	low, high float64 // of the vertical axis: powers of ten of a millisecond
}

func draw(machine string, results []result) string {
	p := picture{results: results, low: math.Inf(1), high: math.Inf(-1)}
	for _, r := range results {
		for _, s := range []sample{r.read, r.write} {
			p.low = min(p.low, math.Floor(power(s.at(quantiles[0]))))
			p.high = max(p.high, power(s.at(quantiles[len(quantiles)-1])))
		}
	}
	p.high = math.Ceil(p.high*2) / 2
	tableTop := panelTop + panelHeight + 64
	height := tableTop + (len(results)+1)*rowHeight + 46
	const open = `<svg xmlns="http://www.w3.org/2000/svg" ` +
		`viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img">` + "\n"
	fmt.Fprintf(&p, open, width, height)
	fmt.Fprintf(&p, "<title>Latency of requests with a session, by backend</title>\n%s\n", style)
	p.text(margin, 30, "h", "Latency of a request with a session, by backend")
	const setup = "net/http and scshttp.LoadAndSave, %d connections, sessions with three keys; " +
		"milliseconds, on a logarithmic scale"
	p.text(margin, 50, "q", fmt.Sprintf(setup, connections))
	p.panel(margin, "A request that reads a key", func(r *result) sample { return r.read })
	p.panel(margin+leftWidth+panelWidth+labelWidth+12,
		"A request that changes a key: load and conditional save",
		func(r *result) sample { return r.write })
	p.table(tableTop)
	const footer = "Client, application and servers share one machine: %s. " +
		"Local test servers; at least %d requests per line."
	p.text(margin, float64(height-16), "q", fmt.Sprintf(footer, machine, p.fewest()))
	p.WriteString("</svg>\n")
	return p.String()
}

// fewest returns the size of the smallest sample.
func (p *picture) fewest() int {
	n := math.MaxInt
	for _, r := range p.results {
		n = min(n, len(r.read), len(r.write))
	}
	return n
}

func power(d time.Duration) float64 { return math.Log10(max(d.Seconds()*1000, 1e-6)) }

func (p *picture) text(x, y float64, class, text string) {
	fmt.Fprintf(p, `<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, x, y,
		html.EscapeString(text))
}

// x returns the position of a quantile. The axis is logarithmic in the share of slower requests.
func x(left, quantile float64) float64 {
	from, to := -math.Log10(1-quantiles[0]), -math.Log10(1-quantiles[len(quantiles)-1])
	return left + (-math.Log10(1-quantile)-from)/(to-from)*panelWidth
}

func (p *picture) y(d time.Duration) float64 {
	return panelTop + panelHeight - (power(d)-p.low)/(p.high-p.low)*panelHeight
}

func (p *picture) panel(left float64, title string, of func(*result) sample) {
	p.text(left, panelTop-12, "b", title)
	left += leftWidth
	for decade := p.low; decade <= p.high; decade++ {
		for _, step := range []float64{1, 2, 5} {
			ms := step * math.Pow(10, decade)
			if math.Log10(ms) > p.high+1e-9 {
				break
			}
			y := p.y(time.Duration(ms * float64(time.Millisecond)))
			if step == 1 || p.high-p.low < 3 {
				p.gridLine(left, y, left+panelWidth, y)
				p.text(left-8, y+4, "q e", fmt.Sprintf("%g", ms))
			}
		}
	}
	for _, q := range quantiles {
		p.gridLine(x(left, q), panelTop, x(left, q), panelTop+panelHeight)
		p.text(x(left, q), panelTop+panelHeight+18, "q m", name(q))
	}
	p.text(left+panelWidth/2, panelTop+panelHeight+36, "q m", "percentile of the requests")
	for i := range p.results {
		p.line(left, i, of(&p.results[i]))
	}
	p.names(left+panelWidth+8, of)
}

func (p *picture) gridLine(x1, y1, x2, y2 float64) {
	fmt.Fprintf(p, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", x1, y1, x2, y2)
}

func name(quantile float64) string { return fmt.Sprintf("p%g", math.Round(quantile*1e4)/100) }

func (p *picture) line(left float64, i int, s sample) {
	var path strings.Builder
	const steps = 80
	last := quantiles[len(quantiles)-1]
	for step := range steps + 1 {
		q := 1 - (1-quantiles[0])*math.Pow((1-last)/(1-quantiles[0]), float64(step)/steps)
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(step, 1)], x(left, q), p.y(s.at(q)))
	}
	fmt.Fprintf(p, `<path class="c%d" d="%s"/>`+"\n", i, path.String())
	for _, q := range quantiles {
		cx, cy := x(left, q), p.y(s.at(q))
		fmt.Fprintf(p, `<circle class="d%d" cx="%.1f" cy="%.1f" r="3"/>`+"\n", i, cx, cy)
	}
}

// names writes the names at the ends of the lines, and moves them apart where they would overlap.
func (p *picture) names(left float64, of func(*result) sample) {
	type label struct {
		i int
		y float64
	}
	var labels []label
	last := quantiles[len(quantiles)-1]
	for i := range p.results {
		labels = append(labels, label{i, p.y(of(&p.results[i]).at(last)) + 4})
	}
	slices.SortFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	const apart = 15
	for i := 1; i < len(labels); i++ {
		labels[i].y = max(labels[i].y, labels[i-1].y+apart)
	}
	for i, bottom := len(labels)-1, float64(panelTop+panelHeight+4); i >= 0; i-- {
		labels[i].y = min(labels[i].y, bottom)
		bottom = labels[i].y - apart
	}
	for _, l := range labels {
		p.text(left, l.y, fmt.Sprintf("b d%d", l.i), p.results[l.i].name)
	}
}

// table writes the quantiles and the description of each backend.
func (p *picture) table(top int) {
	columns := []float64{190, 240, 290, 340, 420, 470, 520, 570}
	for i, column := range columns {
		head := name(quantiles[i%len(quantiles)])
		if i%len(quantiles) == 0 {
			head = []string{"read ", "write "}[i/len(quantiles)] + head
		}
		p.text(column, float64(top), "q e", head)
	}
	p.text(600, float64(top), "q", "server and its durability")
	for i, r := range p.results {
		y := float64(top + (i+1)*rowHeight)
		p.text(margin, y, fmt.Sprintf("b d%d", i), r.name)
		for j, column := range columns {
			s := []sample{r.read, r.write}[j/len(quantiles)]
			p.text(column, y, "e", millis(s.at(quantiles[j%len(quantiles)])))
		}
		p.text(600, y, "", r.server)
	}
}
