// Package stores opens a store by a URL, for programs that pick the backend at run time. A program
// that knows its backend, or has a client for it already, calls the constructor of that backend's
// package, and does not link the others. A driver for SQLite is not linked: a program that opens
// sqlite: imports its own, because two that register one name cannot be in one program.
//
//	memory:
//	sqlite:PATH
//	redis://[USER:PASSWORD@]HOST[:PORT][/DB]
//	redis+cluster://[USER:PASSWORD@]HOST[:PORT],…
//	redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB]
//	postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE
//	mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE
//	mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE
//	dynamodb://[REGION]/TABLE
//
// The scheme may be in capitals. rediss, rediss+cluster and rediss+sentinel are Redis with TLS,
// mongodb+srv finds its hosts by DNS, and postgresql is postgres. DynamoDB's credentials are found
// as the AWS command line finds them, and so is the region, if the URL has none.
//
// Any byte may be written as % and two hexadecimal digits, and some must be: in a user name or a
// password %, /, ?, #, @ and :, in the path of a file % and ?, in a parameter %, &, # and @, and +
// which else is a space.
//
// # Parameters
//
// They follow a question mark: sqlite:app.db?table=logins&sweep=1h. An unknown one is an error,
// that lists those which are known; so are one that is there twice and one without a value. For all
// backends:
//
//	lazy=true      Open does not connect: see there
//
// Of the stores:
//
//	max_sessions   memory: as memstore.Options.MaxSessions
//	prefix         Redis: as redisstore.Options.Prefix
//	table          SQL: as sqlstore.Options.Table (with DynamoDB it is the path)
//	collection     MongoDB: the name of the collection, "sessions" by default
//	sweep          SQL, MongoDB, DynamoDB: how often to call Sweep in the background, "1h" for instance, until the store is closed. Without it
//	               sessions that have expired stay in a SQL database until the program sweeps. With DynamoDB it reads the whole table: there, and with
//	               MongoDB, the backend does it by itself
//	eventually_consistent_reads, ttl=false, read_capacity, write_capacity
//	               DynamoDB: as the fields of dynamostore.Options
//
// Of the clients:
//
//   - SQLite: the program imports a driver of database/sql itself, such as _ "modernc.org/sqlite", under whichever of the
//     names sqlite and sqlite3 it registers. synchronous=full is for a disk flush at each write; else it is normal. The other settings are those that sqlstore asks for.
//   - Redis: socket (a path, if the URL has no host), and those of redis.ParseURL, but db, max_concurrent_dials and the two that have newer names. tls_ca names a file of certificates to trust instead of the system's, skip_verify=true trusts any.
//     Sentinels that ask for credentials of their own have them in sentinel_username and sentinel_password.
//   - PostgreSQL: of libpq's, host (a socket's directory, if the URL has no host), sslmode, sslrootcert, sslcert, sslkey, sslsni, sslnegotiation,
//     channel_binding, connect_timeout, target_session_attrs, passfile; of pgx's, default_query_exec_mode (exec behind a
//     pooler in transaction mode, such as PgBouncer), statement_cache_capacity and description_cache_capacity; of the server's settings, application_name, search_path, statement_timeout, lock_timeout, idle_session_timeout,
//     idle_in_transaction_session_timeout and synchronous_commit. pgx would send any other to the server as a setting, and so it is refused.
//     What is not in the URL, libpq's environment variables may say.
//   - MySQL: of go-sql-driver's, those that are of use to sessions; tls_ca as above, socket (a path, if the URL has no host), and of the server's
//     settings, innodb_lock_wait_timeout (3 seconds unless given) and wsrep_sync_wait.
//   - SQL servers and SQLite: pool_size, the most connections, 20 by default, and 8 with SQLite.
//   - MongoDB: those of its URI, but those of reading from secondaries, without effect here, and passwords of key files.
//   - DynamoDB: endpoint, the URL of another server such as DynamoDB Local, and profile, of the shared AWS configuration.
//
// Without a parameter for it, connections to PostgreSQL and MySQL are encrypted only if libpq's
// default, sslmode=prefer, succeeds, and not at all: over a network write sslmode=verify-full, and
// tls=true. SQLite's file is made for its owner alone.
//
// Connecting to a server takes at most 5 seconds, unless the client's parameter for that says
// otherwise.
//
// # Secrets
//
// No error here, and nothing that Place returns, contains a password of the URL.
package stores

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

const (
	verifyTimeout  = 10 * time.Second
	connectTimeout = 5 * time.Second
)

// Open opens the store that a URL names, see the package's documentation. opts may be nil.
//
// closeStore ends what Open began, and may be called more than once; requests should have ended. It
// is nil if there is an error.
//
// Open reads a record that does not exist, within ctx and ten seconds, so that a wrong address,
// password or database is an error at once. With the parameter lazy=true it does not: then a
// program can start before its backend, and the first requests fail instead. (mongodb+srv asks DNS
// all the same.)
//
// Open makes no table: call the store's CreateSchema, which is nil for a backend that needs none,
// or apply its Schema. It starts no goroutine of its own, unless the parameter sweep asks for one.
//
// Sessions in cookies are not opened by URL, because keys do not belong into one: see package
// cookiestore.
func Open(ctx context.Context, rawURL string, opts *scskit.Options) (store *scskit.Store, closeStore func() error, err error) {
	l, err := parse(rawURL)
	if err != nil {
		return nil, nil, fmt.Errorf("stores: %w", err)
	}
	store, closeStore, err = l.open(ctx, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("stores: %s: %w", l.scheme, err)
	}
	return store, closeStore, nil
}

func (l *location) open(ctx context.Context, opts *scskit.Options) (*scskit.Store, func() error, error) {
	lazy, err := l.params.bool("lazy")
	if err != nil {
		return nil, nil, err
	}
	sweep, err := l.params.duration("sweep")
	if err != nil {
		return nil, nil, err
	}
	var shared scskit.Options
	if opts != nil {
		shared = *opts
	}
	store, release, err := l.backend.open(ctx, l, shared)
	if err != nil {
		return nil, nil, l.scrub(err)
	}
	if !lazy {
		if err := l.verify(ctx, store); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("cannot use %s: %w", l.place(), l.refused(err)), l.scrub(release()))
		}
	}
	stopSweep := func() {}
	if sweep > 0 {
		stopSweep = store.StartSweep(sweep)
	}
	return store, sync.OnceValue(func() error {
		stopSweep()
		return l.scrub(release())
	}), nil
}

// verify does what every request does first, and needs no other permission.
func (l *location) verify(ctx context.Context, store *scskit.Store) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	_, err := store.Driver().Load(ctx, "scskit: no session has this id")
	var unknown *mysql.MySQLError
	switch {
	case errors.As(err, &unknown) && unknown.Number == 1049: // ER_BAD_DB_ERROR: CreateSchema makes no database
		err = unknown
	case errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrNoSchema):
		err = nil
	}
	if l.verified != nil {
		return l.verified(ctx, err)
	}
	return err
}

// Place says where the store of a URL is, for people: the backend and its address, without user,
// password and parameters. It is empty if Open would not take the URL.
func Place(rawURL string) string {
	l, err := parse(rawURL)
	if err != nil {
		return ""
	}
	return l.place()
}

func (l *location) place() string {
	switch l.scheme {
	case "memory":
		return l.backend.name
	case "sqlite":
		return l.backend.name + ", " + baseName(l.path)
	}
	where := strings.Join(l.hosts, ",")
	if where == "" {
		where = l.params.string("host") + l.params.string("socket") // one of them, of those backends that have it
	}
	if l.path != "" {
		where += "/" + l.path
	}
	return l.backend.name + ", " + where
}

// Usage returns the forms that a URL may have, a line for each, for the help text of a program.
func Usage() string {
	var b strings.Builder
	for _, k := range backends {
		fmt.Fprintln(&b, k.syntax)
	}
	return b.String()
}

// backend is a kind of store, and the schemes that lead to it.
type backend struct {
	schemes []string
	syntax  string
	name    string
	// local backends have a path in place of an address.
	local  bool
	params []string
	// fold says that the case of parameters does not count.
	fold bool
	// socket is how a URL with a socket in place of a host is written; empty if there is none.
	socket string
	// authority is the parameter that names a file of certificates to trust.
	authority string
	// advise says what to write instead if the server refuses, if the error tells; it may be nil.
	advise func(*location, error) string
	open   func(context.Context, *location, scskit.Options) (store *scskit.Store, release func() error, err error)
}

var backends = []*backend{
	{schemes: []string{"memory"}, name: "memory", syntax: "memory:", local: true, params: []string{"max_sessions"}, open: openMemory},
	{schemes: []string{"sqlite"}, name: "SQLite", syntax: "sqlite:PATH", local: true, params: sqliteParams, open: openSQLite},
	{schemes: []string{"redis", "rediss"}, name: "Redis", syntax: "redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS", socket: "redis:///DB?socket=PATH", params: slicesOf(redisParams, "socket"), authority: "tls_ca", advise: adviseRedis, open: openRedis},
	{schemes: []string{"redis+cluster", "rediss+cluster"}, name: "Redis Cluster", syntax: "redis+cluster://[USER:PASSWORD@]HOST[:PORT],…, or rediss+cluster://", params: redisParams, authority: "tls_ca", advise: adviseRedis, open: openRedisCluster},
	{schemes: []string{"redis+sentinel", "rediss+sentinel"}, name: "Redis Sentinel", syntax: "redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], or rediss+sentinel://", params: append([]string{"sentinel_username", "sentinel_password"}, redisParams...), authority: "tls_ca", advise: adviseRedis, open: openRedisSentinel},
	{schemes: []string{"postgres", "postgresql"}, name: "PostgreSQL", syntax: "postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE", socket: "postgres:///DATABASE?host=DIRECTORY", params: append(slicesOf(sqlParams, "host"), postgresParams...), authority: "sslrootcert", advise: advisePostgres, open: openPostgres},
	{schemes: []string{"mysql"}, name: "MySQL", syntax: "mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE", socket: "mysql://USER@/DATABASE?socket=PATH", params: append(slicesOf(sqlParams, "socket", "tls_ca"), mysqlParams...), authority: "tls_ca", advise: adviseMySQL, open: openMySQL},
	{schemes: []string{"mongodb", "mongodb+srv"}, name: "MongoDB", syntax: "mongodb://[USER:PASSWORD@]HOST[:PORT],…/DATABASE, or mongodb+srv://", params: append([]string{"collection", "sweep"}, mongoParams...), fold: true, authority: "tlsCAFile", advise: adviseMongo, open: openMongo},
	{schemes: []string{"dynamodb"}, name: "DynamoDB", syntax: "dynamodb://[REGION]/TABLE[?endpoint=URL]", params: dynamoParams, open: openDynamo},
}

func slicesOf(names []string, more ...string) []string {
	return append(append([]string(nil), names...), more...)
}

func openMemory(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.path != "" {
		return nil, nil, errors.New("memory has no name: write memory:, or sqlite:PATH to keep sessions in a file")
	}
	size, err := l.params.positive("max_sessions")
	if err != nil {
		return nil, nil, err
	}
	store, err := memstore.New(&memstore.Options{Options: shared, MaxSessions: size})
	return store, func() error { return nil }, err
}
