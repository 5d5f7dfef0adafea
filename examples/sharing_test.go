// Package examples_test runs the example shops as programs.
package examples_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scskit/scskit/examples/internal/shoptest"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// TestPrograms tests that programs on different frameworks share sessions if they use the same
// store.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/",
		"./gin", "./echo", "./echov5", "./fiber", "./fiberv3", "./chi")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("wrong store", func(t *testing.T) { wrongStore(t, filepath.Join(dir, "chi")) })
	pairs := [][2]string{
		{"gin", "fiber"}, {"echo", "chi"}, {"echo", "echov5"}, {"fiber", "fiberv3"},
	}
	for name, url := range map[string]func(t *testing.T) string{
		"redis": func(t *testing.T) string {
			return "redis://" + testenv.Redis(t) + "?prefix=" + testenv.Name(t) + ":"
		},
		"dynamodb": func(t *testing.T) string {
			return "dynamodb://eu-central-1/" + testenv.Name(t) + "?endpoint=" + testenv.DynamoDB(t)
		},
	} {
		for _, pair := range pairs {
			t.Run(name+"/"+pair[0]+"-"+pair[1], func(t *testing.T) {
				store := url(t)
				one := start(t, filepath.Join(dir, pair[0]), store)
				other := start(t, filepath.Join(dir, pair[1]), store)
				shoptest.Share(t, one.await(t), other.await(t))
				one.stop(t)
				other.stop(t)
			})
		}
	}
}

// wrongStore tests that a shop reports what is wrong with -store.
func wrongStore(t *testing.T, shop string) {
	for url, want := range map[string]string{
		"rdis://:canary@localhost":    "a URL begins with one of: memory, sqlite, redis",
		"redis://:canary@127.0.0.1:1": "cannot use Redis, 127.0.0.1:1: ",
	} {
		out, err := exec.CommandContext(t.Context(), shop, "-store", url).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(want)) || bytes.Contains(out, []byte("canary")) {
			t.Errorf("-store %s: %v: %s", url, err, out)
		}
	}
}

// program is a running shop.
type program struct {
	cmd  *exec.Cmd
	addr string
	log  *bytes.Buffer // read it only after done
	wait func() error
	done chan struct{} // closed when the program has ended
}

func start(t *testing.T, path, store string) *program {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	p := &program{addr: addr, log: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd = exec.Command(path, "-listen", addr, "-store", store)
	p.cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_EC2_METADATA_DISABLED=true")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.wait = sync.OnceValue(p.cmd.Wait)
	go func() {
		_ = p.wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), p.log)
		}
	})
	return p
}

// await waits until the shop listens, and returns its address.
func (p *program) await(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.addr)
		if err == nil {
			_ = conn.Close()
			return "http://" + p.addr
		}
		select {
		case <-poll.C:
		case <-p.done:
			t.Fatalf("%s ended before it listened", p.cmd.Path)
		case <-ctx.Done():
			t.Fatalf("%s does not listen: %v", p.cmd.Path, err)
		}
	}
}

// stop ends the shop with SIGTERM and waits until it has ended without an error.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	watchdog := time.NewTimer(5 * time.Minute)
	defer watchdog.Stop()
	select {
	case <-p.done:
	case <-watchdog.C:
		t.Fatalf("%s does not end after SIGTERM", p.cmd.Path)
	}
	if err := p.wait(); err != nil {
		t.Errorf("%s ended with %v", p.cmd.Path, err)
	}
}
