package stores_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

func TestErrors(t *testing.T) {
	awsCredentials(t)
	const (
		all = "memory, sqlite, redis, rediss, redis+cluster, rediss+cluster, redis+sentinel, " +
			"rediss+sentinel, postgres, postgresql, mysql, mongodb, mongodb+srv, dynamodb"
		asMySQL = "write mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket " +
			"mysql://USER@/DATABASE?socket=PATH"
		asPostgres = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
		asRedis    = "write redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS"
		asSentinel = "write redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], " +
			"or rediss+sentinel://"
		badHost = "a host has an invalid character: write HOST or HOST:PORT, or " +
			"[ADDRESS]:PORT for IPv6"
		emptyHost = "a host is empty: write one before the port and between commas"
	)
	for url, want := range map[string]string{
		"":                         "unknown scheme: a URL begins with one of: " + all,
		"localhost:6379":           "unknown scheme: a URL begins with one of: " + all,
		"rdis://host":              `unknown scheme "rdis": a URL begins with one of: ` + all,
		"root:pw@tcp(host)/db":     "not a URL: " + asMySQL,
		"root@unix(/s)/db":         "not a URL: " + asMySQL,
		"mysql://root@tcp(h:1)/db": "mysql: " + asMySQL,
		"host=h user=u dbname=db":  "not a URL: " + asPostgres,
		"file:x":                   "the scheme file is not supported: write sqlite:PATH",
		"UNIX:///run/redis.sock":   "the scheme unix is not supported: write redis:///DB?socket=PATH",
		"MariaDB://h/db":           "the scheme mariadb is not supported: write mysql://",
		"cookie:": "a cookie store needs keys, which do not belong in a URL: " +
			"call cookiestore.New; a URL begins with one of: " + all,

		"memory:x": "memory: a memory store has no path: write memory:, or sqlite:PATH to keep " +
			"sessions in a file",
		"memory:?prefix=a":       `memory: unknown parameter "prefix": use one of: lazy, max_sessions`,
		"memory:?max_sessions=0": "memory: the parameter max_sessions must be a number of 1 or more",
		"memory:?lazy=yes":       "memory: the parameter lazy must be true or false",
		"memory:?lazy":           "memory: write parameters as NAME=VALUE, with & between them",
		"memory:?lazy=":          "memory: the parameter lazy has no value",
		"memory:?lazy=%": "memory: the parameter lazy has a zero byte, or a % without two " +
			"hexadecimal digits: write %25 for a %",
		"memory:?lazy=1&lazy=1": "memory: the parameter lazy appears twice",

		"sqlite:": "sqlite: the path of the file is missing: write sqlite:PATH",
		"sqlite::memory:": "sqlite: every connection would have a database of its own in memory: " +
			"write memory:, or sqlite:PATH with a file",
		"sqlite:file:x.db": "sqlite: write sqlite:PATH, without file: and SQLite's own parameters",
		"sqlite://x.db":    "sqlite: the URL must not have a host: write sqlite:PATH",
		"sqlite:missing/x?table=1;": "sqlite: the parameter table: sqlstore: Options.Table is " +
			`"1;": it must be NAME or SCHEMA.NAME, of at most 50 ASCII letters, digits and ` +
			"underscores each, not starting with a digit",
		"sqlite:x?synchronous=no": "sqlite: the parameter synchronous must be normal or full",
		"sqlite:missing/x?sweep=-1h": "sqlite: the parameter sweep must be a duration, such as " +
			"90s or 1h",
		"sqlite:missing/x?pool_size=no": "sqlite: the parameter pool_size must be a number of 1 or more",
		"sqlite:x\n": "sqlite: the URL contains a control character: remove it; is there a line " +
			"break at the end?",

		"redis:host": "redis: // is missing after the scheme: " + asRedis,
		"Redis:host": "redis: // is missing after the scheme: " + asRedis,
		"redis://": "redis: the host is missing: " + asRedis +
			"; for a socket, write redis:///DB?socket=PATH",
		"redis:///run/redis.sock": "redis: the host is missing: " + asRedis +
			"; for a socket, write redis:///DB?socket=PATH",
		"redis://:6379":     "redis: " + emptyHost,
		"redis://host:":     "redis: a port is missing after the colon",
		"redis://ho st":     "redis: " + badHost,
		"redis://[::1":      "redis: " + badHost,
		"redis://[::1]6379": "redis: " + emptyHost,
		"redis://::1":       "redis: " + emptyHost,
		"redis://h?socket=/s": "redis: the parameter socket replaces the host: write " +
			"redis:///DB?socket=PATH",
		"rediss:///?socket=/s": "rediss: a socket has no TLS: write redis:///DB?socket=PATH",
		"redis://a,b": "redis: the URL has more than one host: write redis+cluster:// for a " +
			"Cluster, or redis+sentinel:// for Sentinel",
		"redis://host/one": "redis: the database must be a number: " + asRedis,
		"redis://pw@host": "redis: the URL has a user but no password: write a password " +
			"without a user as redis://:PASSWORD@HOST",
		"redis://h?pool_size=x": "redis: redis: invalid pool_size number: strconv.Atoi: " +
			`parsing "x": invalid syntax`,
		"redis://h?tls_ca=x":      "redis: tls_ca and skip_verify are for TLS: write rediss://",
		"rediss://h?tls_ca=/none": "rediss: tls_ca: open /none: no such file or directory",
		"redis+cluster://h/1": "redis+cluster: the URL of a Cluster must have no path, because a " +
			"Cluster has one database: write redis+cluster://[USER:PASSWORD@]HOST[:PORT],…, or " +
			"rediss+cluster://",
		"redis+sentinel://h":     "redis+sentinel: the name of the master is missing: " + asSentinel,
		"redis+sentinel://h/m/x": "redis+sentinel: the database must be a number: " + asSentinel,

		"postgres://%2Frun/db": "postgres: a host has an invalid character: for a socket, write " +
			"postgres:///DATABASE?host=DIRECTORY",
		"postgres://host": "postgres: the database is missing: write " +
			"postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE",
		"postgres:///db": "postgres: the host is missing: write " +
			"postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE; for a socket, write " +
			"postgres:///DATABASE?host=DIRECTORY",
		"postgres:///db?host=x": "postgres: the parameter host is the directory of a socket, and " +
			"replaces the host: write postgres:///DATABASE?host=/var/run/postgresql",

		"mysql://host": "mysql: the database is missing: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
		"mysql:///db": "mysql: the host is missing: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE; for a socket, write " +
			"mysql://USER@/DATABASE?socket=PATH",
		"mysql://a,b/db": "mysql: there is more than one host: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
		"mysql://a/db?socket=/s": "mysql: the parameter socket replaces the host: write " +
			"mysql://USER@/DATABASE?socket=PATH",
		"mysql://a/db?tls=custom": "mysql: the parameter tls must be true, false, preferred or " +
			"skip-verify",

		"mongodb://host": "mongodb: the database is missing: write " +
			"mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://",
		"mongodb:///db": "mongodb: the host is missing: write " +
			"mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://",
		"mongodb+srv://h:1/db": "mongodb+srv: mongodb+srv takes one host without a port: write " +
			"mongodb+srv://HOST/DATABASE",

		"dynamodb://eu-west-1": "dynamodb: the table is missing: write " +
			"dynamodb://[REGION]/TABLE[?endpoint=URL]",
		"dynamodb:///table": "dynamodb: the region is missing: write dynamodb://REGION/TABLE, " +
			"or set AWS_REGION",
		"dynamodb://h:8000/table": "dynamodb: the URL must have a region in place of a host: for " +
			"another server, write dynamodb://REGION/TABLE?endpoint=http://HOST:PORT",
		"dynamodb://r/table?endpoint=localhost:8000": "dynamodb: the parameter endpoint must be a URL " +
			"such as http://localhost:8000",
		"dynamodb://k:s@r/table": "dynamodb: the URL must not contain credentials: set " +
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use another source that the AWS " +
			"command line reads",
	} {
		want = "stores: " + want
		_, closeStore, err := stores.Open(t.Context(), url, nil)
		if err == nil || err.Error() != want || closeStore != nil {
			t.Errorf("%q: got error\n\t%v, want\n\t%s", url, err, want)
		}
		if stores.Describe(url) != "" && strings.Contains(want, "unknown scheme") {
			t.Errorf("stores.Describe(%q) is %q", url, stores.Describe(url))
		}
	}
	nothingLeft(t)
}

// TestParameters checks that every listed parameter is accepted, and that an unknown parameter or
// a bad value is an error.
func TestParameters(t *testing.T) {
	awsCredentials(t)
	base := map[string]string{
		"memory": "memory:", "sqlite": "sqlite:x", "redis": "redis://h", "rediss": "rediss://h",
		"redis+cluster": "redis+cluster://h", "redis+sentinel": "redis+sentinel://h/m",
		"postgres": "postgres://h/db", "mysql": "mysql://h/db", "mongodb": "mongodb://h/db",
		"dynamodb": "dynamodb://r/table",
	}
	for _, b := range storeurl.Registered() {
		for _, name := range b.Params {
			l, err := storeurl.Parse(base[b.Schemes[0]] + "?" + name + "=x")
			if err != nil || l.Params.String(name) != "x" {
				t.Errorf("%s: %s: %v", b.Schemes[0], name, err)
			}
		}
		_, err := storeurl.Parse(base[b.Schemes[0]] + "?Bogus=x")
		if err == nil || !strings.Contains(err.Error(), `unknown parameter "Bogus": use one of: `) ||
			!strings.Contains(err.Error(), "lazy, ") {
			t.Errorf("%s: got error %v", b.Schemes[0], err)
		}
	}
	for url, names := range map[string]string{
		"redis://h": "protocol max_retries dial_timeout read_timeout pool_fifo min_idle_conns " +
			"conn_max_lifetime",
		"rediss://h": "skip_verify",
		"postgres://h/db": "sslmode sslrootcert sslcert connect_timeout target_session_attrs " +
			"channel_binding default_query_exec_mode statement_cache_capacity pool_size sweep",
		"mysql://h/db": "timeout readTimeout tls tls_ca maxAllowedPacket interpolateParams " +
			"rejectReadOnly",
		"mongodb://h/db": "authMechanism connectTimeoutMS directConnection maxPoolSize retryWrites " +
			"tls tlsCAFile serverSelectionTimeoutMS w=-1&journal",
		"dynamodb://r/table": "eventually_consistent_reads ttl read_capacity write_capacity",
	} {
		for name := range strings.FieldsSeq(names) {
			_, closeStore, err := stores.Open(t.Context(), url+"?lazy=true&"+name+"=bogus", nil)
			if err == nil {
				_ = closeStore()
				t.Errorf("%s: %s=bogus is accepted", url, name)
			} else if strings.Contains(err.Error(), "unknown parameter") {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
	nothingLeft(t)
}

// TestNoPasswordInErrors opens malformed URLs and unreachable servers of each scheme. No error may
// contain the password.
func TestNoPasswordInErrors(t *testing.T) {
	const canary = "canary"
	forms := []string{
		"user:canary@tcp(127.0.0.1:1)/db", "%s://user:canary@tcp(127.0.0.1:1)/db",
		"%s://user:canary@unix(/s)/db", "host=h password=canary dbname=d", "unix://user:canary@/s",
		"file:canary", "mariadb://user:canary@h/db", "%s://user:canary@%%2Fs/db",
		"%s://user:canary@/0?socket=/none",
		"%s://user:canary", "%s://canary", "%s:user:canary@127.0.0.1:1/db",
		"%s:/user:canary@127.0.0.1:1/db", "x%s://user:canary@127.0.0.1:1/db", "user:canary@%s",
		"%s://user:canary@/db", "%s://user:canary@127.0.0.1:1", "%s://user:canary@127.0.0.1:0/db",
		"%s://user:canary@127.0.0.1:port/db", "%s://user:canary@h h/db", "%s://user:canary@[::1/db",
		"%s://user:canary%%zz@127.0.0.1:1/db", "%s://%%zz:canary@127.0.0.1:1/db",
		"%s://user:canary@127.0.0.1:1/%%zz", "%s://user:canary@127.0.0.1:1/db?bogus=1",
		"%s://user:canary@127.0.0.1:1/db?lazy=maybe", "%s://user:canary@127.0.0.1:1/db?tls_ca=/none",
		"%s://user:1/canary@127.0.0.1:1/db", "%s://user:canary/1@127.0.0.1:1/db",
		"%s://user:1?canary@127.0.0.1:1/db", "%s://user:1?canary=2@127.0.0.1:1/db",
		"%s://user:1#canary@127.0.0.1:1/db", "%s://user:canary#1@127.0.0.1:1/db",
		"%s://user:1@canary@127.0.0.1:1/db", "%s://user:canary@127.0.0.1:1/a/b/c",
		"%s://user:canary\n@127.0.0.1:1/db", "%s://user:canary@127.0.0.1:1/db\n",
		"%s://:canary@h,h2/db?x", "%s://user:can%%61ry@127.0.0.1:1/db?bogus=canary",
		"%s://user:canary@127.0.0.1:1/0", "%s://user:canary@127.0.0.1:1/db",
		"%s://user:canary@127.0.0.1:1", "%s://user:can%%61ry@127.0.0.1:1/db?prefix=x",
		"%s://user:canary@127.0.0.1:1/db?sslmode=bogus", "%s://user:canary@127.0.0.1:1/db?timeout=bogus",
		"%s://user:canary@127.0.0.1:1/db?w=-1", "%s://user:canary@127.0.0.1:1/db?authMechanism=bogus",
		"%s://user:canary@127.0.0.1:1/db?authMechanism=MONGODB-AWS&authMechanismProperties=canary:x",
		"%s://user:canary@127.0.0.1:1/db/0?sentinel_password=canary",
		"%s://user:canary@127.0.0.1:1/db?endpoint=http://u:canary%%40h",
		"%s://u@127.0.0.1:1/db?endpoint=http://u:canary%%40h",
		"%s://127.0.0.1/db?endpoint=http://u:canary%%40h",
		"%s://127.0.0.1/db?endpoint=http://u:canary%%40h:x%%zz", "%s://user:canary@127.0.0.1:1,/db",
		"%s://user:canary@127.0.0.1:1/0?pool_size=bogus",
	}
	awsCredentials(t)
	var connects atomic.Int64 // attempts that failed at the server, not in the parser
	var schemes sync.WaitGroup
	for _, b := range storeurl.Registered() {
		for _, scheme := range b.Schemes {
			schemes.Go(func() {
				for _, form := range forms {
					url := strings.ReplaceAll(strings.ReplaceAll(form, "%s", scheme), "%%", "%")
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					_, closeStore, err := stores.Open(ctx, url, nil)
					cancel()
					if err == nil {
						_ = closeStore()
						t.Errorf("Open accepts %q", url)
					} else if strings.Contains(err.Error(), canary) && form != "%s://canary" { // a host
						t.Errorf("%q: the error contains the password: %v", url, err)
					}
					if err != nil && strings.Contains(err.Error(), "cannot use") {
						connects.Add(1)
					}
					if strings.Contains(stores.Describe(url), canary) && form != "%s://canary" {
						t.Errorf("%q: Describe returns the password: %s", url, stores.Describe(url))
					}
				}
			})
		}
	}
	schemes.Wait()
	if n := connects.Load(); n < 20 {
		t.Errorf("only %d of the URLs led to a connection attempt", n)
	}
	nothingLeft(t)
}

// TestWrongPassword checks that the errors of servers do not contain the password either.
func TestWrongPassword(t *testing.T) {
	const canary = "canary"
	redis := startRedis(t, "--requirepass", "right")
	stranger := func(u *url.URL) { u.User = url.UserPassword("stranger", canary) }
	wrong := func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), canary) }
	for _, where := range []string{
		"redis://:canary@" + redis, "redis://user:canary@" + redis,
		"redis+cluster://user:canary@" + redis,
		change(t, mysqlURL(t), stranger), change(t, mysqlURL(t), wrong),
		change(t, testenv.Postgres(t), stranger),
		change(t, testenv.Mongo(t), func(u *url.URL) { stranger(u); u.Path = "/db" }),
	} {
		_, closeStore, err := stores.Open(t.Context(), where, nil)
		if err == nil {
			_ = closeStore()
			t.Errorf("Open accepts %s", where)
		} else if strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "cannot use") {
			t.Errorf("%s: got error %v", where, err)
		}
	}
	store := open(t, "redis://:r%69ght@"+redis)
	if err := store.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

// TestMissingDatabase checks that Open reports a missing database, and that removing a password
// from an error leaves the rest of its text intact where the password is an ordinary word.
func TestMissingDatabase(t *testing.T) {
	elsewhere := func(u *url.URL) { u.Path = "/nodatabase" }
	for where, want := range map[string]string{
		change(t, testenv.Postgres(t), elsewhere): "stores: postgres: cannot use PostgreSQL, ",
		change(t, mysqlURL(t), elsewhere):         "stores: mysql: cannot use MySQL, ",
		"postgres://postgres:postgres@localhost:1/postgres": "stores: postgres: " +
			"cannot use PostgreSQL, localhost:1/postgres: ",
		"redis://:redis@localhost:1": "stores: redis: cannot use Redis, localhost:1: ",
	} {
		_, closeStore, err := stores.Open(t.Context(), where, nil)
		if err == nil {
			_ = closeStore()
			t.Errorf("Open accepts %s", where)
		} else if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s…", where, err, want)
		}
	}
}

// TestScrub removes secrets from a text in every encoding. Redis quotes the arguments of a command
// that it does not support.
func TestScrub(t *testing.T) {
	l := &storeurl.URL{Password: "p@ss word", Params: storeurl.Params{"sentinel_password": "other"}}
	err := l.Scrub(errors.Join(errors.New("ERR unknown command 'AUTH', with args 'p@ss word' "+
		"'p%40ss%20word' 'p%40ss+word' 'p@ss%20word' 'other'"), context.Canceled))
	const want = "ERR unknown command 'AUTH', with args '…' '…' '…' '…' '…'\ncontext canceled"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, context.Canceled) {
		t.Error("the scrubbed error does not match context.Canceled")
	}
	if errors.Unwrap(err) != nil {
		t.Error("Unwrap returns the error that contains the password")
	}
	if err := l.Scrub(context.Canceled); err != context.Canceled { //nolint:errorlint // the same
		t.Errorf("an error without a password changes to %#v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, b := range storeurl.Registered() {
		first, last := b.Schemes[0]+":", b.Schemes[len(b.Schemes)-1]+":"
		if usage := stores.Usage(); !strings.Contains(usage, first) && !strings.Contains(usage, last) {
			t.Errorf("Usage does not list %s", b.Schemes[0])
		}
	}
}
