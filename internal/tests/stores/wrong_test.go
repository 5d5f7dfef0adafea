package stores_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

// TestOtherServer opens URLs that lead to another kind of server, or to one without TLS.
func TestOtherServer(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	host := func(where string) string {
		u, err := url.Parse(where)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	const (
		noRedis = "does not speak Redis's protocol: check the host and the port"
		silent  = "no answer in time: check the host and the port"
	)
	redis, postgres, mysql := startRedis(t), host(testenv.Postgres(t)), host(mysqlURL(t))
	for where, want := range map[string]string{
		"redis://" + mysql:               noRedis,
		"redis://" + host(web.URL):       noRedis,
		"redis+cluster://" + mysql:       noRedis,
		"redis://" + postgres:            "if it is not Redis, check the port",
		"rediss://" + redis:              "if the server has no TLS, write redis://",
		"rediss+cluster://" + redis:      "if the server has no TLS, write redis+cluster://",
		"postgres://" + redis + "/db":    silent,
		"mysql://" + redis + "/db":       silent,
		"mysql://" + postgres + "/db":    silent,
		"mysql://" + host(web.URL) + "/": "the database is missing",
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			_, closeStore, err := stores.Open(t.Context(), where, nil)
			if err == nil {
				_ = closeStore()
				t.Fatal("Open succeeds")
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %s", err, want)
			}
		})
	}
}

// TestRedisSocket opens Redis through its socket, with a capital in the scheme.
func TestRedisSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	startRedis(t, "--unixsocket", socket, "--requirepass", "right")
	where := "Redis://:right@/3?socket=" + socket
	store := open(t, where)
	if err := store.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if got, want := stores.Describe(where), "Redis, "+socket+"/3"; got != want {
		t.Errorf("Describe: got %s, want %s", got, want)
	}
}
