// Package e2e drives the demo in a real browser: the program as it is built, and Chromium.
package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var frameworks = []string{"gin", "echo", "echov5", "fiber", "fiberv3", "chi", "nethttp"}

func TestDemo(t *testing.T) {
	b := open(t, start(t))

	for _, f := range frameworks {
		b.see(card(f), "No session")
	}
	b.run(chromedp.Click(`[formaction="/echov5/signin"]`),
		chromedp.WaitVisible(`.record[data-live="true"]`))
	for _, f := range frameworks {
		b.see(card(f), "user", "Ada", "by Echo v5")
	}
	b.see("#response", "POST /echov5/signin", "303 See Other", "Set-Cookie", "HttpOnly",
		"SameSite=Lax", "more)")

	b.run(chromedp.Click(`[formaction="/fiberv3/put"]`), shows("Lisbon"))
	for _, f := range frameworks {
		b.see(card(f), "city", "Lisbon", "by Fiber v3")
	}
	b.run(chromedp.Click(`button[aria-label="Remove city through Chi"]`),
		chromedp.WaitNotPresent(`button[aria-label="Remove city through Chi"]`))
	for _, f := range frameworks {
		b.doNotSee(card(f), "Lisbon")
	}
	b.run(chromedp.Click(`[formaction="/gin/put"]`), shows("Lisbon"))

	b.fifty()
	b.race()
	b.see("#events", "conflict", "merge", "gone")

	b.run(chromedp.Click("#damage button"), chromedp.WaitVisible("#damage [data-corrupt]"))
	b.see("#damage", "1 event of kind corrupt", "200, no session")
	b.run(chromedp.WaitVisible(`.record[data-live="false"]`))
	b.see("#events", "corrupt")

	b.run(chromedp.Click(`[formaction="/chi/signin"]`),
		chromedp.WaitVisible(`.record[data-live="true"]`))
	b.run(chromedp.Click(`[formaction="/fiber/put"]`), shows("Lisbon"))
	b.pictures()
	b.run(chromedp.Click(`[formaction="/nethttp/signout"]`),
		chromedp.WaitVisible(`.record[data-live="false"]`))
	for _, f := range frameworks {
		b.see(card(f), "No session")
	}
	b.see("#response", "POST /nethttp/signout", "session=; Path=/", "Max-Age=0")
	b.clean()
}

func TestDemoWithoutJavaScript(t *testing.T) {
	b := open(t, start(t), emulation.SetScriptExecutionDisabled(true))

	b.run(chromedp.Click(`[formaction="/gin/signin"]`),
		chromedp.WaitVisible(`.record[data-live="true"]`))
	for _, f := range frameworks {
		b.see(card(f), "Ada", "by Gin")
	}
	b.see("#response", "POST /gin/signin", "Set-Cookie")
	b.run(chromedp.Click(`[formaction="/chi/put"]`), shows("Lisbon"))
	for _, f := range frameworks {
		b.see(card(f), "Lisbon", "by Chi")
	}
	b.run(chromedp.Click(`button[aria-label="Remove city through Fiber v3"]`),
		chromedp.WaitNotPresent(`button[aria-label="Remove city through Fiber v3"]`))
	b.doNotSee("#session", "Lisbon")
	b.fifty()
	b.race()
	b.run(chromedp.Click(`[formaction="/echo/signout"]`),
		chromedp.WaitVisible(`.record[data-live="false"]`))
	for _, f := range frameworks {
		b.see(card(f), "No session")
	}
	b.clean()
}

// TestCtrlC signs in, stops the program, starts it again on the same file, and finds the session.
func TestCtrlC(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.db")
	first := startOn(t, file, "127.0.0.1:0")
	b := open(t, first)
	b.run(chromedp.Click(`[formaction="/echo/signin"]`),
		chromedp.WaitVisible(`.record[data-live="true"]`))
	first.stop(t)

	second := startOn(t, file, strings.TrimPrefix(first.url, "http://localhost"))
	defer second.stop(t)
	b.run(chromedp.Navigate(second.url), chromedp.WaitVisible(`.record[data-live="true"]`))
	b.see("#session", "Signed in as Ada")
}

func card(framework string) string { return fmt.Sprintf(`[data-framework=%q]`, framework) }

// program is the demo, running.
type program struct {
	url  string
	stop func(t *testing.T)
}

func start(t *testing.T) *program {
	t.Helper()
	p := startOn(t, filepath.Join(t.TempDir(), "demo.db"), "127.0.0.1:0")
	t.Cleanup(func() { p.stop(t) })
	return p
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scskit-demo-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "demo")
	out, err := exec.Command("go", "build", "-C", "..", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// startOn builds and starts the demo, which prints where it listens.
func startOn(t *testing.T, file, listen string) *program {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-listen", listen, "-store", "sqlite:"+file)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the demo does not start: %v", cmd.Wait())
	}
	_, url, ok := strings.Cut(lines.Text(), "scskit demo at ")
	if !ok {
		t.Fatalf("the demo says %q first", lines.Text())
	}
	return &program{url: url, stop: func(t *testing.T) {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to the end of its output
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ends with %v after Ctrl-C", err)
		}
	}}
}

// browser is a page in a Chromium of its own.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

func open(t *testing.T, p *program, before ...chromedp.Action) *browser {
	t.Helper()
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile(t)), chromedp.WindowSize(1360, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
	)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.problem(e.ExceptionDetails.Error())
		case *log.EventEntryAdded: // a violation of the Content-Security-Policy, or a missing file
			if e.Entry.Level == log.LevelError {
				b.problem(e.Entry.Text + " " + e.Entry.URL)
			}
		}
	})
	// The browser lives as long as the context of the first Run, which must not be one with a
	// time-out.
	if err := chromedp.Run(ctx, log.Enable()); err != nil {
		t.Fatal(err)
	}
	b.run(before...)
	b.run(chromedp.Navigate(p.url), chromedp.WaitVisible("#session"))
	return b
}

// profile returns a directory for the browser, and removes it in the end: in several attempts,
// since the browser's processes may write to it for a moment after they were told to end.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "demo-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deadline := time.Now().Add(5 * time.Minute)
		for err := os.RemoveAll(dir); err != nil; err = os.RemoveAll(dir) {
			if time.Now().After(deadline) {
				t.Error(err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return dir
}

func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("this test needs Chromium: run \"make setup\", or on Debian \"apt-get " +
		"install chromium\"")
}

func (b *browser) problem(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, text)
}

// clean fails the test if the page had errors.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Error("in the browser:", p)
	}
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}
