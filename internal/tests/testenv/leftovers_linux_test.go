package testenv_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/poll"
	"github.com/scskit/scskit/internal/testenv"
)

// childVariable is set if TestChild runs as a child process of TestNothingIsLeft.
const childVariable = "SCSKIT_TESTENV_CHILD"

// TestChild is a test run in a child process. It starts servers of all programs and one private
// server, prints their processes and addresses, and ends as the line on its standard input says.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return // only TestNothingIsLeft runs it
	}
	testenv.NewProxy(t, testenv.Redis(t))
	private := testenv.Start(t, testenv.KindRedis)
	fmt.Printf("server %v %s\n", private.PIDs(), private.Addr())
	for _, kind := range testenv.Kinds() {
		switch kind {
		case testenv.KindPostgres18, testenv.KindRedisTLS, testenv.KindPostgresTLS, testenv.KindMySQLTLS:
			continue // another kind has the same programs
		}
		b, err := testenv.Find(kind)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("server %v %s\n", b.PIDs, b.Addr)
	}
	fmt.Println("ready")
	how, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if how == "panic\n" {
		done := make(chan struct{})
		go func() { panic("like a bug, or go test -timeout") }()
		<-done
	}
}

func TestNothingIsLeft(t *testing.T) {
	tests := []struct {
		name  string
		how   string         // the line on the child's standard input, or
		sig   syscall.Signal // a signal
		state string         // the child's final state
		dirs  bool           // whether directories are left for the next run to remove
	}{
		{name: "tests end", how: "end\n", state: "exit status 0"},
		{name: "interrupt", sig: syscall.SIGINT, state: "signal: interrupt"},
		{name: "terminate", sig: syscall.SIGTERM, state: "signal: terminated"},
		{name: "panic", how: "panic\n", state: "exit status 2", dirs: true},
		{name: "kill", sig: syscall.SIGKILL, state: "signal: killed", dirs: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			// The users of the servers must be able to enter the directory.
			if err := os.Chmod(filepath.Dir(tmp), 0o755); err != nil {
				t.Fatal(err)
			}
			pids, addrs, end := startChild(t, tmp)
			if found := processesIn(t, tmp); len(found) < len(pids) {
				t.Fatalf("found the processes %v, want at least the servers' %v", found, pids)
			}
			if state := end(test.how, test.sig); state != test.state {
				t.Errorf("the child ended with %s, want %s", state, test.state)
			}
			poll.Wait(t, "the servers are gone", func() bool { return len(processesIn(t, tmp)) == 0 })
			for _, addr := range addrs {
				// The kernel closes the sockets of a process a moment after it removes the
				// process from /proc.
				poll.Wait(t, "no server listens at "+addr, func() bool {
					conn, err := net.Dial("tcp", addr)
					if err == nil {
						_ = conn.Close()
					}
					return err != nil
				})
			}
			left, err := filepath.Glob(filepath.Join(tmp, "scskit-testenv-*"))
			if err != nil || (len(left) > 0) != test.dirs {
				t.Errorf("directories: %v, %v; want any: %t", left, err, test.dirs)
			}
			if !test.dirs {
				return
			}
			old := time.Now().Add(-time.Hour)
			for _, dir := range left {
				if err := os.Chtimes(filepath.Join(dir, "lock"), old, old); err != nil {
					t.Fatal(err)
				}
			}
			_, _, end = startChild(t, tmp)
			if state := end("end\n", 0); state != "exit status 0" {
				t.Errorf("the next run ended with %s", state)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "scskit-testenv-*")); len(left) > 0 {
				t.Errorf("directories after the next run: %v", left)
			}
		})
	}
}

// startChild runs TestChild in a child process, and waits until all its servers run. end ends the
// child and returns its final state.
func startChild(
	t *testing.T, tmp string,
) (pids []int, addrs []string, end func(how string, sig syscall.Signal) string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.timeout", "2m")
	cmd.Env = []string{childVariable + "=1", "TMPDIR=" + tmp}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "SCSKIT_") && !strings.HasPrefix(entry, "TMPDIR=") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	ready := false
	var output strings.Builder
	for !ready && lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(&output, line)
		ready = line == "ready"
		if rest, ok := strings.CutPrefix(line, "server ["); ok {
			list, addr, _ := strings.Cut(rest, "] ")
			for _, pid := range strings.Fields(list) {
				n, err := strconv.Atoi(pid)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, n)
			}
			addrs = append(addrs, strings.Split(addr, ",")...)
		}
	}
	if !ready {
		_ = cmd.Wait()
		t.Fatalf("the child did not start its servers:\n%s%s", output.String(), stderr.String())
	}
	return pids, addrs, func(how string, sig syscall.Signal) string {
		if sig != 0 {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Error(err)
			}
		} else if _, err := io.WriteString(stdin, how); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		return cmd.ProcessState.String()
	}
}

// processesIn returns the processes whose working directory is in dir. This is the case for every
// server and for the processes that it forks.
func processesIn(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(cwd, dir) {
			continue // it is in another directory, or has ended
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}
