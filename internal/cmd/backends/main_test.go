package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// roleVariable makes the test binary act as the command under test ("backends"), or as the command
// that it runs ("command").
const roleVariable = "SCSKIT_BACKENDS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "backends":
		if err := os.Setenv(roleVariable, "command"); err != nil {
			panic(err)
		}
		main()
	case "command":
		os.Exit(commandRole(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// commandRole pings the Redis server from the environment, prints its address, and then exits with
// code 7 or, with the argument "wait", runs until it is killed.
func commandRole(args []string) int {
	addr := os.Getenv("SCSKIT_TEST_REDIS")
	reply, err := ping(addr)
	if err != nil || reply != "+PONG\r\n" {
		fmt.Printf("Redis at %q answers %q, %v\n", addr, reply, err)
		return 1
	}
	fmt.Println(addr)
	if args[0] == "wait" {
		select {}
	}
	return 7
}

func ping(addr string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func backends(
	t *testing.T, args ...string,
) (cmd *exec.Cmd, stdout *bufio.Reader, stderr *strings.Builder) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = []string{roleVariable + "=backends"}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "SCSKIT_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr = new(strings.Builder)
	cmd.Stderr = stderr
	return cmd, bufio.NewReader(pipe), stderr
}

func expectGone(t *testing.T, addr string) {
	t.Helper()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial the server at %s: %v; want it to be stopped", addr, err)
	}
}

func TestCommand(t *testing.T) {
	list := filepath.Join(t.TempDir(), "backends.json")
	cmd, stdout, stderr := backends(t, "-only", "redis", "-json", list, "--", os.Args[0], "end")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := stdout.ReadString('\n')
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want the command's 7; %s%s", code, line, stderr)
	}
	table := stderr.String()
	if !strings.HasPrefix(table, "redis  Redis ") || strings.Count(table, "\n") != 1 {
		t.Errorf("got this table, want one line about Redis:\n%s", table)
	}
	var servers []struct{ Kind, Version string }
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &servers); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if len(servers) != 1 || servers[0].Kind != "redis" ||
		!strings.HasPrefix(servers[0].Version, "Redis ") {
		t.Errorf("-json wrote %s, want one Redis server", data)
	}
	expectGone(t, strings.TrimSpace(line))
}

func TestTerminate(t *testing.T) {
	cmd, stdout, stderr := backends(t, "-only", "redis", os.Args[0], "wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code, want := cmd.ProcessState.ExitCode(), 128+int(syscall.SIGTERM); code != want {
		t.Errorf("exit code %d, want %d; %s", code, want, stderr)
	}
	expectGone(t, strings.TrimSpace(line))
}

func TestWithoutCommand(t *testing.T) {
	cmd, stdout, stderr := backends(t, "-only", "redis")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "export SCSKIT_TEST_REDIS='")
	addr = strings.TrimSuffix(addr, "'")
	if reply, err := ping(addr); !ok || reply != "+PONG\r\n" {
		t.Errorf("printed %q; the server answers %q, %v", line, reply, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want exit code 0", err)
	}
	expectGone(t, addr)
}

func TestUnknownName(t *testing.T) {
	cmd, _, stderr := backends(t, "-only", "redis,oracle")
	_ = cmd.Run()
	code := cmd.ProcessState.ExitCode()
	if code != 2 || !strings.Contains(stderr.String(), `unknown: "oracle"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestUnknownSkippedName(t *testing.T) {
	cmd, _, stderr := backends(t)
	cmd.Env = append(cmd.Env, "SCSKIT_SKIP_BACKENDS=toxiproxy, mogodb")
	_ = cmd.Run()
	code := cmd.ProcessState.ExitCode()
	if code != 2 || !strings.Contains(stderr.String(), `SCSKIT_SKIP_BACKENDS: unknown: "mogodb"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
