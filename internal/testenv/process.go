package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// node is one server program with its place: killed and started again, it finds its data and its
// port.
type node struct {
	addr string
	dir  string // data directory; the log is beside it
	path string
	args []string
	env  []string
	user *account // nil: run as this process's user
	// version is what the program says of itself, where only who knows a password could ask.
	version string
	// stop is the signal that ends it in good order; zero means SIGTERM.
	stop syscall.Signal
	// busy is what the program says before it ends because a killed predecessor is not quite gone;
	// start it again then.
	busy string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed once the program has ended
}

func (n *node) log() string { return n.dir + ".log" }

// start runs the program, without waiting until it answers.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(n.path, n.args...) //nolint:noctx // it is to live until it is stopped
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

// await waits until probe succeeds, the program ends or ctx does.
func (n *node) await(ctx context.Context,
	probe func(context.Context, string) (string, error)) (string, error) {
	n.mu.Lock()
	done := n.done
	n.mu.Unlock()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	var reason error // of the last attempt that was not cut short
	for {
		attempt, cancel := context.WithTimeout(ctx, 20*time.Second)
		version, err := probe(attempt, n.addr)
		cancel()
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		select {
		case <-done:
			return "", fmt.Errorf("%s: %w\n%s", filepath.Base(n.path), errEnded, tail(n.log()))
		default:
		}
		if err == nil {
			return version, nil
		}
		select {
		case <-done:
		case <-poll.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not answer at %s: %w\n%s", filepath.Base(n.path), n.addr, reason,
				tail(n.log()))
		}
	}
}

var errEnded = errors.New("it ended before it answered")

// end sends a signal, waits, and kills what is still there after a while.
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

// prepare runs a program that makes a data directory, as the node's user.
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

// spawn starts a program from a thread that lives as long as this process: Linux sends the
// parent-death signal when the thread that forked ends, and Go ends threads.
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

// environment is this process's without what would make a server differ from one machine to the
// next, and with a place for temporary files that the node's user may write to.
func (n *node) environment() []string {
	env := append([]string{"LC_ALL=C", "TZ=UTC", "TMPDIR=" + n.dir}, n.env...)
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name == "TZ" || name == "TMPDIR" || name == "LANG" || name == "LANGUAGE" ||
			strings.HasPrefix(name, "LC_") ||
			strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "MYSQL") ||
			strings.HasPrefix(name, "NODE_") {
			continue
		}
		env = append(env, entry)
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

// excerpt indents a program's output, and shortens it to where its message may be: the beginning
// and the end.
func excerpt(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 30 {
		lines = slices.Concat(lines[:10], []string{"…"}, lines[len(lines)-20:])
	}
	return "    " + strings.Join(lines, "\n    ")
}

// program finds a program by its name on the PATH, beside it in the usual places, or by patterns,
// of which the last match in alphabetical order counts. The error says how to get it.
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

// built returns the path of what scripts/install-backends puts into build/backends.
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

// moduleRoot finds the checkout around the working directory: go test runs tests in their package's
// directory.
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
			return "", errors.New("the tests do not run inside the checkout of scskit")
		}
		dir = parent
	}
}
