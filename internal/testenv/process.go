package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/scskit/scskit/internal/poll"
)

// node is one server program with its port and data directory, which outlive a kill.
type node struct {
	addr string
	dir  string // the data directory; the log is beside it
	path string
	args []string
	env  []string
	user *account
	// version is set where the probe cannot determine it.
	version string
	// stop is the signal for an orderly shutdown. Zero means SIGTERM.
	stop syscall.Signal
	// busy is part of the error with which the program ends if processes of a killed predecessor
	// still run. The program can then be started again.
	busy string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed once the program has ended
}

func (n *node) log() string { return n.dir + ".log" }

// start starts the program. It does not wait until the program answers.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(n.path, n.args...) //nolint:noctx // it lives until end stops it
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, log, log
	cmd.Env = n.environment()
	cmd.SysProcAttr = attributes(n.user)
	if err := spawn(cmd); err != nil {
		return fmt.Errorf("%s: %w", n.path, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	n.cmd, n.done = cmd, done
	return nil
}

// await waits until probe succeeds, and returns what it returns. It fails if the program or ctx
// ends first.
func (n *node) await(ctx context.Context, probe prober) (version string, err error) {
	n.mu.Lock()
	done := n.done
	n.mu.Unlock()
	ended := false
	var reason error // of the last attempt that ctx did not cut short
	timeout := poll.Until(ctx, func() bool {
		attempt, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		version, err = probe(attempt, n.addr)
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		select {
		case <-done:
			ended = true
		default:
		}
		return ended || err == nil
	})
	name := filepath.Base(n.path)
	switch {
	case ended:
		return "", fmt.Errorf("%s: %w\n%s", name, errEnded, tail(n.log()))
	case timeout != nil:
		return "", fmt.Errorf("%s does not answer at %s: %w\n%s", name, n.addr, reason, tail(n.log()))
	}
	return version, nil
}

var errEnded = errors.New("it ended before it answered")

// end sends a signal and waits for the end of the program, which it kills after a minute.
func (n *node) end(sig syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(sig)
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	select {
	case <-n.done:
	case <-patience.C:
		_ = n.cmd.Process.Kill()
		<-n.done
	}
	n.cmd = nil
}

func (n *node) kill() { n.end(syscall.SIGKILL) }

func (n *node) quit() {
	if n.stop == 0 {
		n.end(syscall.SIGTERM)
		return
	}
	n.end(n.stop)
}

func (n *node) pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// prepare runs a program that fills the data directory, as the node's user.
func (n *node) prepare(path string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = n.dir, n.environment()
	cmd.SysProcAttr = attributes(n.user)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := spawn(cmd); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", path, err, excerpt(out.String()))
	}
	return nil
}

// spawn starts a program from a thread that lives as long as this process. Linux sends the
// parent-death signal when the thread that forked ends, and the Go runtime may end other threads.
func spawn(cmd *exec.Cmd) error {
	result := make(chan error)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}

var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// machineSpecific matches variables that would make a server differ between machines.
var machineSpecific = regexp.MustCompile(`^(TZ|TMPDIR|LANG|LANGUAGE|(LC_|PG|MYSQL|NODE_).*)$`)

// environment returns the environment of this process without the machine-specific variables, and
// with a TMPDIR that the node's user may write to.
func (n *node) environment() []string {
	env := append([]string{"LC_ALL=C", "TZ=UTC", "TMPDIR=" + n.dir}, n.env...)
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !machineSpecific.MatchString(name) {
			env = append(env, entry)
		}
	}
	return env
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return excerpt(string(text))
}

// excerpt indents a program's output and cuts out its middle if it is long.
func excerpt(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 30 {
		lines = slices.Concat(lines[:10], []string{"…"}, lines[len(lines)-20:])
	}
	return "    " + strings.Join(lines, "\n    ")
}

// program returns the path of a program: from the PATH, from one of the patterns, or from a usual
// directory. Of several matches of a pattern it takes the last in alphabetical order.
func program(name string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	patterns = append(patterns, "/usr/sbin/"+name, "/usr/local/sbin/"+name, "/usr/local/bin/"+name,
		"/opt/homebrew/bin/"+name)
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", missing(name)
}

// built returns the path of a program that scripts/install-backends puts into build/backends.
func built(name string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "backends", name)
	if _, err := os.Stat(path); err != nil {
		return "", missing(path)
	}
	return path, nil
}

func missing(what string) error {
	return fmt.Errorf("%s is missing: run `make backends` (scripts/install-backends)", what)
}

// moduleRoot returns the root of the checkout that contains the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module github.com/scskit/scskit\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not in a checkout of scskit")
		}
		dir = parent
	}
}
