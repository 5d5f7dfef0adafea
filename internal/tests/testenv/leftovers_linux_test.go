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

// childVariable tells TestChild that it runs as the child of one of the tests below.
const childVariable = "SCSKIT_TESTENV_CHILD"

// TestChild is the tests of another process: it starts a server of each kind that has programs of
// its own and one more, tells their processes and addresses, and ends as standard input says.
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
			continue // programs as of another kind
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
		go func() { panic("as a bug or go test -timeout does") }()
		<-done
	}
}

func TestNothingIsLeft(t *testing.T) {
	tests := []struct {
		name  string
		how   string         // the line on the child's standard input
		sig   syscall.Signal // or a signal
		state string         // how the child ends
		dirs  bool           // whether directories stay for the next run to remove
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
			if err := os.Chmod(filepath.Dir(tmp), 0o755); err != nil { // the servers' users must get through
				t.Fatal(err)
			}
			pids, addrs, end := startChild(t, tmp)
			if len(processesIn(t, tmp)) < len(pids) {
				t.Fatalf("the servers' processes %v are not among those seen, %v", pids, processesIn(t, tmp))
			}
			if state := end(test.how, test.sig); state != test.state {
				t.Errorf("the child's end: %s; want %s", state, test.state)
			}
			poll.Wait(t, "the servers are gone", func() bool { return len(processesIn(t, tmp)) == 0 })
			for _, addr := range addrs {
				// The kernel closes a dying process's sockets a moment after its place in /proc.
				poll.Wait(t, "nobody listens at "+addr, func() bool {
					conn, err := net.Dial("tcp", addr)
					if err == nil {
						_ = conn.Close()
					}
					return err != nil
				})
			}
			left, err := filepath.Glob(filepath.Join(tmp, "scskit-testenv-*"))
			if err != nil || (len(left) > 0) != test.dirs {
				t.Errorf("directories: %v, %v; want some: %v", left, err, test.dirs)
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
				t.Errorf("the next run: %s", state)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "scskit-testenv-*")); len(left) > 0 {
				t.Errorf("directories after the next run: %v", left)
			}
		})
	}
}

// startChild runs TestChild in a process of its own, until all its servers are there.
func startChild(t *testing.T,
	tmp string) (pids []int, addrs []string, end func(how string, sig syscall.Signal) string) {
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

// processesIn returns the processes whose working directory lies in dir: every server's does, and
// so does every process that a server forks.
func processesIn(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(cwd, dir) {
			continue // another one, or gone meanwhile
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}
