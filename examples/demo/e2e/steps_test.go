package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var (
	live    = chromedp.WaitVisible(`.record[data-live="true"]`)
	notLive = chromedp.WaitVisible(`.record[data-live="false"]`)
)

// click clicks an element and then waits for a change of the page.
func (b *browser) click(selector string, wait chromedp.Action) {
	b.t.Helper()
	b.run(chromedp.Click(selector), wait)
}

// shows waits until the session section contains the text.
func shows(text string) chromedp.Action { //nolint:unparam // one city is enough
	return chromedp.WaitReady(fmt.Sprintf(`//*[@id="session" and contains(., %q)]`, text),
		chromedp.BySearch)
}

func (b *browser) see(selector string, texts ...string) {
	b.t.Helper()
	got := b.text(selector)
	for _, want := range texts {
		if !strings.Contains(got, want) {
			b.t.Errorf("%s lacks %q:\n%s", selector, want, got)
		}
	}
}

func (b *browser) doNotSee(selector, text string) {
	b.t.Helper()
	if got := b.text(selector); strings.Contains(got, text) {
		b.t.Errorf("%s still shows %q:\n%s", selector, text, got)
	}
}

// text returns the text of an element, with each run of white space replaced by one space.
func (b *browser) text(selector string) string {
	b.t.Helper()
	var text string
	b.run(chromedp.TextContent(selector, &text, chromedp.ByQuery))
	return strings.Join(strings.Fields(text), " ")
}

// fifty runs the fifty writes: scskit must keep all of them, stock scs must not.
func (b *browser) fifty() {
	b.t.Helper()
	b.click("#fifty .go", chromedp.WaitVisible("[data-kept=stock]"))
	ours, stock := b.text("[data-kept=scskit]"), b.text("[data-kept=stock]")
	if ours != "50" || stock == "50" {
		b.t.Errorf("scskit kept %s of 50 writes, stock scs %s", ours, stock)
	}
	var kept []*cdp.Node
	b.run(chromedp.Nodes("#fifty .side:first-child .kept", &kept, chromedp.ByQueryAll))
	if len(kept) != 50 {
		b.t.Errorf("%d cells of the grid are filled, want 50", len(kept))
	}
}

// race runs the race with the sign-out: the session must stay gone in scskit and come back in stock
// scs.
func (b *browser) race() {
	b.t.Helper()
	b.click("#race .go", chromedp.WaitVisible("[data-race=stock]"))
	b.see("[data-race=scskit]", "stays gone")
	b.see("[data-race=stock]", "came back")
	b.see("#race", "The old token opens nothing.", "The old token opens the session.")
}

// pictures takes the screenshots and checks that the page is not too wide. If the environment has
// SCSKIT_UPDATE_SCREENSHOT=1 it writes them to docs/images, otherwise to a temporary directory.
func (b *browser) pictures() {
	b.t.Helper()
	dir := b.t.TempDir()
	if os.Getenv("SCSKIT_UPDATE_SCREENSHOT") == "1" {
		dir = filepath.Join("..", "..", "..", "docs", "images")
	}
	for _, p := range []struct {
		name   string
		width  int64
		scheme string
	}{
		{"demo.png", 1360, "light"},
		{"demo-dark.png", 1360, "dark"},
		{"demo-phone.png", 390, "light"},
	} {
		var tooWide, end float64
		var picture []byte
		b.run(
			b.look(p.width, 900, p.scheme),
			chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &tooWide),
			chromedp.Evaluate(reset, nil),
			chromedp.Evaluate(endOfRace, &end),
		)
		b.run(b.look(p.width, int64(end), p.scheme), chromedp.CaptureScreenshot(&picture))
		if tooWide > 0 {
			b.t.Errorf("%s: the page is %g pixels too wide", p.name, tooWide)
		}
		if err := os.WriteFile(filepath.Join(dir, p.name), picture, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	b.run(b.look(1360, 900, "light"))
}

const (
	reset = `
		document.activeElement.blur();
		document.getElementById("status").className = "";
		scrollTo(0, 0)`
	endOfRace = `document.getElementById("race").getBoundingClientRect().bottom + scrollY + 40`
)

// look sets the size of the window and the color scheme.
func (b *browser) look(width, height int64, scheme string) chromedp.Action {
	return chromedp.Tasks{
		emulation.SetDeviceMetricsOverride(width, height, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}),
	}
}
