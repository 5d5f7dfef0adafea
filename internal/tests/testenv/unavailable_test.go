package testenv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scskit/scskit/internal/testenv"
)

// verdict is a testing.TB that records calls of Fatal and Skipf.
type verdict struct {
	testing.TB
	failed, skipped string
}

func (v *verdict) Helper() {}

func (v *verdict) Fatal(args ...any) {
	v.failed = fmt.Sprint(args...)
	runtime.Goexit()
}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// judge runs f with a verdict, and returns it.
func judge(t *testing.T, f func(testing.TB)) *verdict {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(v)
	}()
	<-done
	return v
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("SCSKIT_SKIP_BACKENDS", "")
	t.Chdir(t.TempDir())
	v := judge(t, func(tb testing.TB) { testenv.Start(tb, testenv.KindMongo) })
	if !strings.HasPrefix(v.failed, "testenv: start mongodb: ") {
		t.Errorf("outside a checkout: failed with %q, skipped with %q", v.failed, v.skipped)
	}

	checkout := t.TempDir()
	mod := []byte("module github.com/scskit/scskit\n")
	if err := os.WriteFile(filepath.Join(checkout, "go.mod"), mod, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(checkout)
	for _, kind := range []testenv.Kind{testenv.KindMongo, testenv.KindDynamoDB} {
		v := judge(t, func(tb testing.TB) { testenv.Start(tb, kind) })
		if !strings.Contains(v.failed, "make backends") {
			t.Errorf("%s without its program: failed with %q, skipped with %q",
				kind, v.failed, v.skipped)
		}
	}
}

func TestSkip(t *testing.T) {
	t.Setenv("SCSKIT_SKIP_BACKENDS", "redis, toxiproxy")
	for name, f := range map[string]func(testing.TB){
		"Redis":    func(tb testing.TB) { testenv.Redis(tb) },
		"Start":    func(tb testing.TB) { testenv.Start(tb, testenv.KindRedis) },
		"NewProxy": func(tb testing.TB) { testenv.NewProxy(tb, "127.0.0.1:1") },
	} {
		v := judge(t, f)
		if !strings.Contains(v.skipped, "SCSKIT_SKIP_BACKENDS") {
			t.Errorf("%s: skipped with %q, failed with %q", name, v.skipped, v.failed)
		}
	}
	if testenv.Skipped("redis-cluster") {
		t.Error("redis-cluster is skipped, but the list has only redis")
	}
}
