package stores_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{})
	os.Exit(testenv.Main(m))
}

// silent discards go-redis's log messages about unreachable servers.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// open opens a store and closes it at the end of the test.
func open(t *testing.T, url string) *scskit.Store {
	t.Helper()
	store, closeStore, err := stores.Open(t.Context(), url, &scskit.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeStore(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return store
}

// shared opens a URL twice, checks that one store reads what the other saves, and checks that no
// goroutine is left after closing both.
func shared(t *testing.T, url string) {
	t.Helper()
	ctx := t.Context()
	one, closeOne, err := stores.Open(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, closeOther, err := stores.Open(ctx, url+parameter(url, "lazy=true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.CreateSchema(ctx); err != nil {
		t.Error(err)
	}
	deadline := time.Now().Add(time.Hour)
	if err := one.CommitCtx(ctx, "token", []byte("data"), deadline); err != nil {
		t.Error(err)
	}
	data, found, err := other.FindCtx(ctx, "token")
	if err != nil || !found || string(data) != "data" {
		t.Errorf("the second store returns %q, %v, %v", data, found, err)
	}
	if err := other.DeleteCtx(ctx, "token"); err != nil {
		t.Error(err)
	}
	if _, found, err := one.FindCtx(ctx, "token"); err != nil || found {
		t.Errorf("after a delete through the second store: %v, %v", found, err)
	}
	for range 2 {
		if err := closeOne(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, _, err := other.FindCtx(ctx, "token"); err != nil {
		t.Errorf("closing one store breaks the other: %v", err)
	}
	if err := closeOther(); err != nil {
		t.Errorf("close: %v", err)
	}
	nothingLeft(t)
}

// parameter returns p with the ? or & that appends it to url.
func parameter(url, p string) string {
	if strings.Contains(url, "?") {
		return "&" + p
	}
	return "?" + p
}

// nothingLeft waits until no goroutine of a client or a store runs.
func nothingLeft(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		left := clients()
		if left == "" {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("still running after closing:\n%s", left)
		}
	}
}

// clients returns the stacks of the goroutines that clients and stores have started.
func clients() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for i, stack := range bytes.Split(stacks, []byte("\n\n")) {
		for _, pkg := range []string{
			"go-redis/", "database/sql.", "go-sql-driver/", "jackc/pgx", "mongo-driver/",
			"net/http.(*persistConn)", "aws-sdk-go-v2", "modernc.org/", "scskit.(*Store)",
		} {
			if i > 0 && bytes.Contains(stack, []byte(pkg)) { // 0 is this goroutine
				left = append(left, string(stack))
				break
			}
		}
	}
	return strings.Join(left, "\n\n")
}
