package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestQuickstart builds and runs the program, and makes the requests that the README shows.
func TestQuickstart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "quickstart")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	program := exec.CommandContext(t.Context(), binary)
	program.Env = append(os.Environ(), "PORT="+port, "GIN_MODE=release")
	program.Stdout, program.Stderr = io.Discard, io.Discard
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	visit := func() string {
		for {
			response, err := browser.Get("http://localhost:" + port)
			if err == nil {
				defer response.Body.Close()
				body, _ := io.ReadAll(response.Body)
				return string(body)
			}
			select {
			case <-ctx.Done():
				t.Fatal(err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	for i := 1; i <= 3; i++ {
		if got, want := visit(), fmt.Sprintf("visit %d\n", i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
