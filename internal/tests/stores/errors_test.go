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
	const all = "memory, sqlite, redis, rediss, redis+cluster, rediss+cluster, redis+sentinel, " +
		"rediss+sentinel, postgres, postgresql, mysql, mongodb, mongodb+srv, dynamodb"
	for url, want := range map[string]string{
		"": "stores: the URL has no scheme that is known: it must begin " +
			"with one of: " + all,
		"localhost:6379": "stores: the URL has no scheme that is known: it must begin " +
			"with one of: " + all,
		"root:pw@tcp(host)/db": "stores: this is no URL: write " +
			"mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket mysql://USER@/DATABASE?socket=PATH",
		"root@unix(/s)/db": "stores: this is no URL: write " +
			"mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket mysql://USER@/DATABASE?socket=PATH",
		"mysql://root@tcp(h:1)/db": "stores: mysql: write " +
			"mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket mysql://USER@/DATABASE?socket=PATH",
		"host=h user=u dbname=db": "stores: this is no URL: write " +
			"postgres://USER:PASSWORD@HOST:PORT/DATABASE",
		"file:x": "stores: the scheme file is another program's: write sqlite:PATH",
		"UNIX:///run/redis.sock": "stores: the scheme unix is another program's: write " +
			"redis:///DB?socket=PATH",
		"MariaDB://h/db": "stores: the scheme mariadb is another program's: write mysql://",
		"Redis:host": "stores: redis: two slashes are missing after the scheme: " +
			"write redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS",
		"redis:///run/redis.sock": "stores: redis: the host is missing: write " +
			"redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS; a socket is written " +
			"redis:///DB?socket=PATH",
		"redis://h?socket=/s": "stores: redis: the parameter socket replaces the host: write " +
			"redis:///DB?socket=PATH",
		"rediss:///?socket=/s": "stores: rediss: a socket has no TLS: write " +
			"redis:///DB?socket=PATH",
		"postgres://%2Frun/db": "stores: postgres: a host has characters that none has: a " +
			"socket is written postgres:///DATABASE?host=DIRECTORY",
		"rdis://host": `stores: the URL's scheme "rdis" is not known: it must begin with one of: ` + all,
		"cookie:": "stores: sessions in cookies need keys, which do not belong " +
			"into a URL: call cookiestore.New; a URL can begin with " + all,
		"memory:x": "stores: memory: memory has no name: write memory:, or " +
			"sqlite:PATH to keep sessions in a file",
		"memory:?prefix=a": `stores: memory: the parameter "prefix" is not known; known are lazy, max_sessions`,
		"memory:?max_sessions=0": "stores: memory: the parameter max_sessions must be a number, " +
			"1 or more",
		"memory:?lazy=yes": "stores: memory: the parameter lazy must be true or false",
		"memory:?lazy": "stores: memory: after the question mark there is something " +
			"else than name=value, separated by &",
		"memory:?lazy=": "stores: memory: the parameter lazy has no value",
		"memory:?lazy=%": "stores: memory: the parameter lazy has a % without two " +
			"hexadecimal digits, or a zero byte: a % itself is %25",
		"memory:?lazy=1&lazy=1": "stores: memory: the parameter lazy is there twice",
		"sqlite:": "stores: sqlite: the path of the file is missing: write " +
			"sqlite:PATH",
		"sqlite::memory:": "stores: sqlite: a database in memory would exist once for " +
			"each connection: write memory:, or sqlite:PATH with a file",
		"sqlite:file:x.db": "stores: sqlite: write sqlite:PATH, without file: and " +
			"SQLite's own parameters",
		"sqlite://x.db": "stores: sqlite: two slashes begin a host, which there is " +
			"not: write sqlite:PATH",
		"sqlite:missing/x?table=1;": `stores: sqlite: the parameter table: sqlstore: Options.Table is "1;": it must be a name, or a schema and a name, of at most 50 ASCII letters, digits and underscores each`,
		"sqlite:x?synchronous=no": "stores: sqlite: the parameter synchronous must be normal or " +
			"full",
		"sqlite:missing/x?sweep=-1h": "stores: sqlite: the parameter sweep must be a duration, such " +
			"as 90s or 1h",
		"sqlite:missing/x?pool_size=no": "stores: sqlite: the parameter pool_size must be a number, 1 " +
			"or more",
		"sqlite:x\n": "stores: sqlite: the URL has a control character in it; is " +
			"there a line break at its end?",
		"redis:host": "stores: redis: two slashes are missing after the scheme: " +
			"write redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS",
		"redis://": "stores: redis: the host is missing: write " +
			"redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS; a socket is written " +
			"redis:///DB?socket=PATH",
		"redis://:6379": "stores: redis: a host is missing: before the port, or " +
			"between two commas",
		"redis://host:": "stores: redis: a port is missing after the colon",
		"redis://ho st": "stores: redis: a host has characters that none has: is it " +
			"HOST or HOST:PORT, or [ADDRESS]:PORT with IPv6?",
		"redis://[::1": "stores: redis: a host has characters that none has: is it " +
			"HOST or HOST:PORT, or [ADDRESS]:PORT with IPv6?",
		"redis://[::1]6379": "stores: redis: a host is missing: before the port, or " +
			"between two commas",
		"redis://::1": "stores: redis: a host is missing: before the port, or " +
			"between two commas",
		"redis://a,b": "stores: redis: the URL has more than one host: write " +
			"redis+cluster:// for a Cluster, or redis+sentinel:// for Sentinel",
		"redis://host/one": "stores: redis: the database must be a number: write " +
			"redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS",
		"redis://pw@host": "stores: redis: the URL has a user but no password: write a " +
			"password without a user as redis://:PASSWORD@HOST",
		"redis://h?pool_size=x": `stores: redis: redis: invalid pool_size number: strconv.Atoi: parsing "x": invalid syntax`,
		"redis://h?tls_ca=x": "stores: redis: tls_ca and skip_verify are for TLS: write " +
			"rediss://",
		"rediss://h?tls_ca=/none": "stores: rediss: tls_ca: open /none: no such file or directory",
		"redis+cluster://h/1": "stores: redis+cluster: the URL of a Cluster must have no path, " +
			"because a Cluster has one database: write redis+cluster://[USER:PASSWORD@]HOST[:PORT],…, " +
			"or rediss+cluster://",
		"redis+sentinel://h": "stores: redis+sentinel: the name of the master is missing: " +
			"write redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], or rediss+sentinel://",
		"redis+sentinel://h/m/x": "stores: redis+sentinel: the database must be a number: write " +
			"redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], or rediss+sentinel://",
		"postgres://host": "stores: postgres: the database is missing: write " +
			"postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE",
		"postgres:///db": "stores: postgres: the host is missing: write " +
			"postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE; a socket is written " +
			"postgres:///DATABASE?host=DIRECTORY",
		"postgres:///db?host=x": "stores: postgres: the parameter host is for the directory of " +
			"a socket, in place of a host: postgres:///DATABASE?host=/var/run/postgresql",
		"mysql://host": "stores: mysql: the database is missing: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
		"mysql:///db": "stores: mysql: the host is missing: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE; a socket is written " +
			"mysql://USER@/DATABASE?socket=PATH",
		"mysql://a,b/db": "stores: mysql: there is more than one host: write " +
			"mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
		"mysql://a/db?socket=/s": "stores: mysql: the parameter socket is in place of a host: " +
			"mysql://USER@/DATABASE?socket=PATH",
		"mysql://a/db?tls=custom": "stores: mysql: the parameter tls must be true, false, " +
			"preferred or skip-verify",
		"mongodb://host": "stores: mongodb: the database is missing: write " +
			"mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://",
		"mongodb:///db": "stores: mongodb: the host is missing: write " +
			"mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://",
		"mongodb+srv://h:1/db": "stores: mongodb+srv: mongodb+srv takes one host without a " +
			"port: write mongodb+srv://HOST/DATABASE",
		"dynamodb://eu-west-1": "stores: dynamodb: the table is missing: write " +
			"dynamodb://[REGION]/TABLE[?endpoint=URL]",
		"dynamodb:///table": "stores: dynamodb: the region is missing: write " +
			"dynamodb://REGION/TABLE, or set AWS_REGION",
		"dynamodb://h:8000/table": "stores: dynamodb: the URL must have a region in place of a " +
			"host: for another server, write dynamodb://REGION/TABLE?endpoint=http://HOST:PORT",
		"dynamodb://r/table?endpoint=localhost:8000": "stores: dynamodb: the parameter endpoint must " +
			"be a URL such as http://localhost:8000",
		"dynamodb://k:s@r/table": "stores: dynamodb: the URL must not contain credentials: set " +
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use another source that the AWS command " +
			"line reads",
	} {
		_, closeStore, err := stores.Open(t.Context(), url, nil)
		if err == nil || err.Error() != want || closeStore != nil {
			t.Errorf("%q: got error\n\t%v, want\n\t%s", url, err, want)
		}
		if stores.Describe(url) != "" && strings.Contains(want, "is not known") {
			t.Errorf("stores.Describe(%q) is %q", url, stores.Describe(url))
		}
	}
	nothingLeft(t)
}

// Every parameter that is listed is taken, one that is not is refused, and a value that makes no
// sense is an error, not passed over.
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
		if err == nil || !strings.Contains(err.Error(), `"Bogus" is not known; known are `) ||
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
				t.Errorf("%s: %s=bogus is taken", url, name)
			}
		}
	}
	nothingLeft(t)
}

// Whatever is wrong with a URL, no error shows its password.
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
	var asked atomic.Int64
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
						t.Errorf("%q is opened", url)
					} else if strings.Contains(err.Error(), canary) && form != "%s://canary" { // a host
						t.Errorf("%q: the error shows the password: %v", url, err)
					}
					if err != nil && strings.Contains(err.Error(), "cannot use") {
						asked.Add(1)
					}
					if strings.Contains(stores.Describe(url), canary) && form != "%s://canary" {
						t.Errorf("%q: Place shows the password: %s", url, stores.Describe(url))
					}
				}
			})
		}
	}
	schemes.Wait()
	if n := asked.Load(); n < 20 {
		t.Errorf("%d of the URLs lead as far as to a server", n)
	}
	nothingLeft(t)
}

// Nor does one that a server sends.
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
			t.Errorf("%s is opened", where)
		} else if strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "cannot use") {
			t.Errorf("%s: got error %v", where, err)
		}
	}
	store := open(t, "redis://:r%69ght@"+redis)
	if err := store.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

// A database that is not there is told at once, and a password that is part of other words spoils
// none of them.
func TestMissingDatabase(t *testing.T) {
	elsewhere := func(u *url.URL) { u.Path = "/nodatabase" }
	for where, want := range map[string]string{
		change(t, testenv.Postgres(t), elsewhere): "stores: postgres: cannot use PostgreSQL, ",
		change(t, mysqlURL(t), elsewhere):         "stores: mysql: cannot use MySQL, ",
		"postgres://postgres:postgres@localhost:1/postgres": "stores: postgres: cannot use PostgreSQL, " +
			"localhost:1/postgres: ",
		"redis://:redis@localhost:1": "stores: redis: cannot use Redis, " +
			"localhost:1: ",
	} {
		_, closeStore, err := stores.Open(t.Context(), where, nil)
		if err == nil {
			_ = closeStore()
			t.Errorf("%s is opened", where)
		} else if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got error %v", where, err)
		}
	}
}

// Servers that do not know a command answer with its arguments.
func TestScrub(t *testing.T) {
	l := &storeurl.URL{Password: "p@ss word", Params: storeurl.Params{"sentinel_password": "other"}}
	err := l.Scrub(errors.Join(errors.New("ERR unknown command 'AUTH', with args 'p@ss word' "+
		"'p%40ss%20word' 'p%40ss+word' 'p@ss%20word' 'other'"), context.Canceled))
	if want := "ERR unknown command 'AUTH', with args '…' '…' '…' '…' '…'\ncontext canceled"; err.Error() != want {
		t.Errorf("got %q", err)
	}
	if !errors.Is(err, context.Canceled) || errors.Unwrap(err) != nil {
		t.Error("it matches no more, or hands out what has the password")
	}
	if err := l.Scrub(context.Canceled); err != context.Canceled { //nolint:errorlint // the very same
		t.Errorf("an error without a password becomes %#v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, b := range storeurl.Registered() {
		if !strings.Contains(stores.Usage(), b.Schemes[len(b.Schemes)-1]+":") &&
			!strings.Contains(stores.Usage(), b.Schemes[0]+":") {
			t.Errorf("Usage does not tell of %s", b.Schemes[0])
		}
	}
}
