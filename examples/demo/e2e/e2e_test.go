// Package e2e tests the demo program in Chromium.
package e2e

import (
	"bufio"
	"context"
	"errors"
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
	b.click(`[formaction="/echov5/signin"]`, live)
	for _, f := range frameworks {
		b.see(card(f), "user", "Ada", "by Echo v5")
	}
	b.see("#response",
		"POST /echov5/signin", "303 See Other", "Set-Cookie", "HttpOnly", "SameSite=Lax", "more)")

	b.click(`[formaction="/fiberv3/put"]`, shows("Lisbon"))
	for _, f := range frameworks {
		b.see(card(f), "city", "Lisbon", "by Fiber v3")
	}
	remove := `button[aria-label="Remove city through Chi"]`
	b.click(remove, chromedp.WaitNotPresent(remove))
	for _, f := range frameworks {
		b.doNotSee(card(f), "Lisbon")
	}
	b.click(`[formaction="/gin/put"]`, shows("Lisbon"))

	b.fifty()
	b.race()
	b.see("#events", "conflict", "merge", "gone")

	b.click("#damage button", chromedp.WaitVisible("#damage [data-corrupt]"))
	b.see("#damage", "1 event of kind corrupt", "200, no session")
	b.run(notLive)
	b.see("#events", "corrupt")

	b.click(`[formaction="/chi/signin"]`, live)
	b.click(`[formaction="/fiber/put"]`, shows("Lisbon"))
	b.pictures()
	b.click(`[formaction="/nethttp/signout"]`, notLive)
	for _, f := range frameworks {
		b.see(card(f), "No session")
	}
	b.see("#response", "POST /nethttp/signout", "session=; Path=/", "Max-Age=0")
	b.clean()
}

func TestDemoWithoutJavaScript(t *testing.T) {
	b := open(t, start(t), emulation.SetScriptExecutionDisabled(true))

	b.click(`[formaction="/gin/signin"]`, live)
	for _, f := range frameworks {
		b.see(card(f), "Ada", "by Gin")
	}
	b.see("#response", "POST /gin/signin", "Set-Cookie")
	b.click(`[formaction="/chi/put"]`, shows("Lisbon"))
	for _, f := range frameworks {
		b.see(card(f), "Lisbon", "by Chi")
	}
	remove := `button[aria-label="Remove city through Fiber v3"]`
	b.click(remove, chromedp.WaitNotPresent(remove))
	b.doNotSee("#session", "Lisbon")
	b.fifty()
	b.race()
	b.click(`[formaction="/echo/signout"]`, notLive)
	for _, f := range frameworks {
		b.see(card(f), "No session")
	}
	b.clean()
}

// TestCtrlC tests that Ctrl-C stops the demo and that its session is still there after a restart.
func TestCtrlC(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.db")
	first := startOn(t, file, "127.0.0.1:0")
	b := open(t, first)
	b.click(`[formaction="/echo/signin"]`, live)
	first.stop(t)

	second := startOn(t, file, strings.TrimPrefix(first.url, "http://localhost"))
	defer second.stop(t)
	b.run(chromedp.Navigate(second.url), live)
	b.see("#session", "Signed in as Ada")
}

func card(framework string) string { return fmt.Sprintf(`[data-framework=%q]`, framework) }

// program is a running demo.
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

// startOn builds and starts the demo with a store in the file. It reads the URL from its output.
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
		t.Fatalf("the demo first prints %q, want its URL", lines.Text())
	}
	return &program{url: url, stop: func(t *testing.T) {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // Wait must not run before all output is read
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C the demo ended with %v", err)
		}
	}}
}

// browser is a Chromium process with one page.
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
		case *log.EventEntryAdded: // such as a violation of the Content-Security-Policy
			if e.Entry.Level == log.LevelError {
				b.problem(e.Entry.Text + " " + e.Entry.URL)
			}
		}
	})
	// The browser ends with the context of the first Run, so that context must have no timeout.
	if err := chromedp.Run(ctx, log.Enable()); err != nil {
		t.Fatal(err)
	}
	b.run(before...)
	b.run(chromedp.Navigate(p.url), chromedp.WaitVisible("#session"))
	return b
}

// profile returns a directory for the browser's profile. At the end of the test it tries to remove
// it several times, since the browser's processes may still write to it for a moment.
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
	return "", errors.New(`no Chromium found: run "make setup", or on Debian "apt install chromium"`)
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
