package stores_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

// awsCredentials gives the AWS SDK credentials that test servers accept, and hides those of this
// machine.
func awsCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// mysqlURL returns the URL of the test server, which testenv has as a data source name.
func mysqlURL(t *testing.T) string {
	user, rest, _ := strings.Cut(testenv.MySQL(t), "@tcp(")
	addr, database, _ := strings.Cut(rest, ")/")
	return "mysql://" + user + "@" + addr + "/" + database
}

// change returns rawURL with changes made by how.
func change(t *testing.T, rawURL string, how func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	how(u)
	return u.String()
}

// urls return a URL of each test server, with a table or key prefix for the test.
var urls = map[string]func(t *testing.T) string{
	"sqlite": func(t *testing.T) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "a?b%c.db")
	},
	"redis": func(t *testing.T) string {
		return "redis://" + testenv.Redis(t) + "/2?prefix=" + testenv.Name(t) + ":"
	},
	"redis+cluster": func(t *testing.T) string {
		nodes := strings.Join(testenv.RedisCluster(t), ",")
		return "redis+cluster://" + nodes + "?prefix=" + testenv.Name(t) + ":"
	},
	"postgres": func(t *testing.T) string {
		where := testenv.Postgres(t)
		return where + parameter(where, "statement_timeout=4s&sweep=1h&table="+testenv.Name(t))
	},
	"mysql": func(t *testing.T) string {
		return mysqlURL(t) + "?sweep=1h&readTimeout=5s&table=" + testenv.Name(t)
	},
	"mongodb": func(t *testing.T) string {
		where := change(t, testenv.Mongo(t), func(u *url.URL) { u.Path = "/scskit" })
		return where + parameter(where, "serverselectiontimeoutms=4000&collection="+testenv.Name(t))
	},
	"dynamodb": func(t *testing.T) string {
		awsCredentials(t)
		return "dynamodb://eu-central-1/" + testenv.Name(t) +
			"?sweep=1h&endpoint=" + testenv.DynamoDB(t)
	},
}

func TestServers(t *testing.T) {
	for scheme, where := range urls {
		t.Run(scheme, func(t *testing.T) {
			where := where(t)
			if scheme == "sqlite" {
				where = strings.NewReplacer("%", "%25", "?", "%3F").Replace(where)
			}
			shared(t, where)
		})
	}
}

func TestSQLiteFilePermissions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	store, closeStore, err := stores.Open(t.Context(), "sqlite:"+file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", filepath.Base(name), info, err)
		}
	}
}

// TestUnreachable checks that Open reports an unreachable server and leaves no goroutine behind.
func TestUnreachable(t *testing.T) {
	awsCredentials(t)
	var all sync.WaitGroup
	for _, where := range []string{
		"redis://127.0.0.1:1",
		"redis+cluster://127.0.0.1:1",
		"redis+sentinel://127.0.0.1:1/main",
		"rediss://127.0.0.1:1",
		"postgres://u@127.0.0.1:1/db",
		"mysql://u@127.0.0.1:1/db",
		"mongodb://127.0.0.1:1/db",
		"dynamodb://local/sessions?endpoint=http://127.0.0.1:1",
		"sqlite:" + filepath.Join(t.TempDir(), "missing", "file.db"),
	} {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			_, closeStore, err := stores.Open(ctx, where, nil)
			cancel()
			want := "cannot use " + stores.Describe(where)
			if err == nil || closeStore != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v, want %s", where, err, want)
			}
			store, closeStore, err := stores.Open(t.Context(), where+parameter(where, "lazy=true"), nil)
			if err != nil {
				t.Errorf("%s: lazy: %v", where, err)
				return
			}
			ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
			if _, _, err := store.FindCtx(ctx, "token"); err == nil {
				t.Errorf("%s: lazy: a session can be loaded", where)
			}
			cancel()
			if err := closeStore(); err != nil {
				t.Errorf("%s: close: %v", where, err)
			}
		})
	}
	all.Wait()
	nothingLeft(t)
}

// TestLazy opens a store before its server starts.
func TestLazy(t *testing.T) {
	server := testenv.Start(t, testenv.KindRedis)
	server.Stop()
	store := open(t, "redis://"+server.URL()+"?lazy=true")
	server.Restart()
	expiry := time.Now().Add(time.Hour)
	if err := store.CommitCtx(t.Context(), "token", []byte("data"), expiry); err != nil {
		t.Error(err)
	}
}

func TestOneNodeOfACluster(t *testing.T) {
	for _, node := range testenv.RedisCluster(t) {
		_, _, err := stores.Open(t.Context(), "redis://"+node, nil)
		if err == nil || !strings.Contains(err.Error(), "write redis+cluster://") {
			t.Errorf("got error %v", err)
		}
	}
	if _, _, err := stores.Open(t.Context(), "redis+cluster://"+testenv.Redis(t), nil); err == nil {
		t.Error("redis+cluster:// accepts a server that is not in a Cluster")
	}
	nothingLeft(t)
}

func TestOptionsReachTheStore(t *testing.T) {
	if _, _, err := stores.Open(t.Context(), "memory:", &scskit.Options{MaxSize: -1}); err == nil {
		t.Error("Open accepts a negative MaxSize")
	}
	store, closeStore, err := stores.Open(t.Context(), "memory:?max_sessions=1",
		&scskit.Options{PlainIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	for _, token := range []string{"first", "second"} {
		if err := store.Commit(token, []byte("data"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Driver().Load(t.Context(), "second"); err != nil {
		t.Errorf("PlainIDs: %v", err)
	}
	if _, found, _ := store.Find("first"); found {
		t.Error("max_sessions=1 keeps two sessions")
	}
}

// TestSweep checks that the sweep removes an expired session, and stops when the store is closed.
func TestSweep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	store, closeStore, err := stores.Open(t.Context(),
		"sqlite:"+file+"?sweep=5ms&table=swept&synchronous=full&pool_size=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Commit("token", []byte("data"), time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for rows := 1; rows > 0; {
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM swept").Scan(&rows); err != nil {
			t.Fatal(err)
		}
	}
	_ = db.Close()
	if err := closeStore(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}
