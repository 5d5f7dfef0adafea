// Package stores opens a store from a URL, for programs that choose the backend at run time. If
// your program knows its backend, or already has a client for it, call the constructor in that
// backend's package instead.
//
// This package opens memory: URLs. For any other backend, import the package of the same name, or
// import all of them:
//
//	import _ "github.com/scskit/scskit/stores/redis"
//	import _ "github.com/scskit/scskit/stores/all"
//
// A program links and requires only the backends it imports. No package here links a SQLite driver,
// because two drivers that register the same name cannot be in one program: to open sqlite: URLs,
// import a driver yourself.
//
// The URLs are:
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
// Schemes are case-insensitive. rediss, rediss+cluster and rediss+sentinel connect to Redis with
// TLS. mongodb+srv looks up its hosts in DNS. postgresql is the same as postgres. For DynamoDB,
// credentials come from where the AWS command line takes them, and so does the region if the URL
// has none.
//
// Any byte may be percent-encoded. These characters must be: %, /, ?, #, @ and : in a user name or
// password; % and ? in a file path; %, &, #, @ and + in a parameter, where + means a space.
//
// # Parameters
//
// Parameters follow a question mark, as in sqlite:app.db?table=logins&sweep=1h. It is an error if a
// parameter is unknown, repeated or empty.
//
// All backends take:
//
//   - lazy=true: Open does not connect to the backend; see Open.
//
// Parameters of the stores:
//
//   - max_sessions (memory): memstore.Options.MaxSessions.
//   - prefix (Redis): redisstore.Options.Prefix.
//   - table (SQL): sqlstore.Options.Table. DynamoDB has its table in the path.
//   - collection (MongoDB): the name of the collection, "sessions" by default.
//   - sweep (SQL, MongoDB, DynamoDB): the interval at which a background goroutine removes expired
//     sessions until the store is closed, for example 1h. A SQL database needs it, unless the
//     program calls Sweep. MongoDB and DynamoDB remove expired sessions themselves, and a sweep of
//     DynamoDB reads the whole table.
//   - eventually_consistent_reads, ttl=false, read_capacity, write_capacity (DynamoDB): the fields
//     of dynamostore.Options.
//
// Parameters of the clients:
//
//   - SQLite: synchronous=full flushes to disk at each write; the default is normal. The other
//     settings are those in the documentation of package sqlstore. The driver may be registered as
//     sqlite, like modernc.org/sqlite, or as sqlite3.
//   - Redis: socket, a path in place of the host; tls_ca, a file of certificates to trust instead
//     of the system's; skip_verify=true, which accepts any certificate; and the parameters of
//     redis.ParseURL except db, max_concurrent_dials, idle_timeout and max_conn_age.
//     sentinel_username and sentinel_password are the credentials for the Sentinels themselves.
//   - PostgreSQL, from libpq: host (the directory of a socket, in place of the host), sslmode,
//     sslrootcert, sslcert, sslkey, sslsni, sslnegotiation, channel_binding, connect_timeout,
//     target_session_attrs, passfile. From pgx: default_query_exec_mode (use exec behind a pooler
//     in transaction mode, such as PgBouncer), statement_cache_capacity,
//     description_cache_capacity. Settings of the server: application_name, search_path,
//     statement_timeout, lock_timeout, idle_session_timeout, idle_in_transaction_session_timeout,
//     synchronous_commit. Other names are errors, because pgx would send them to the server as
//     settings. libpq's environment variables supply what the URL leaves out.
//   - MySQL: tls_ca, as for Redis; socket, a path in place of the host; the parameters of
//     go-sql-driver/mysql that are useful for sessions; and the server settings
//     innodb_lock_wait_timeout (3 seconds by default) and wsrep_sync_wait.
//   - PostgreSQL, MySQL and SQLite: pool_size, the maximum number of connections, 20 by default and
//     8 for SQLite.
//   - MongoDB: the options of its connection string, except those for reads from secondaries, which
//     have no effect here, and passwords of key files.
//   - DynamoDB: endpoint, the URL of another server such as DynamoDB Local, and profile, a profile
//     of the shared AWS configuration.
//
// By default, PostgreSQL connections fall back to plain text (libpq's sslmode=prefer) and MySQL
// connections are not encrypted. Over a network, use sslmode=verify-full and tls=true. A new SQLite
// file is readable and writable by its owner only.
//
// Connecting to a server takes at most 5 seconds, unless the client's own parameter sets another
// limit.
//
// # Secrets
//
// Errors and the results of Describe do not contain the password from the URL. One exception: a
// password of fewer than four characters is not removed from the text that a server sends.
package stores

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/memstore"
)

const verifyTimeout = 10 * time.Second

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"memory"}, Name: "memory", Syntax: "memory:",
		Local: true, Params: []string{"max_sessions"}, Open: openMemory,
	})
}

// Open opens the store at a URL; the package documentation describes the URLs. opts may be nil.
//
// Call closeStore when no request uses the store any more. It releases everything that Open
// allocated, and may be called more than once. It is nil if err is not.
//
// To report a wrong address, password or database at once, Open reads a record that does not exist,
// for at most ten seconds or until ctx ends. The parameter lazy=true skips that read, so that a
// program can start before its backend; the first requests fail instead. A mongodb+srv URL needs
// DNS in any case.
//
// Open creates no table. Call the store's CreateSchema, which does nothing for a backend that needs
// no schema, or apply its Schema. Open starts no goroutine of its own unless the URL has the
// parameter sweep.
//
// No URL opens a cookie store, because keys do not belong in a URL: see package cookiestore.
func Open(
	ctx context.Context, rawURL string, opts *scskit.Options,
) (store *scskit.Store, closeStore func() error, err error) {
	l, err := storeurl.Parse(rawURL)
	if err != nil {
		return nil, nil, fmt.Errorf("stores: %w", err)
	}
	store, closeStore, err = open(ctx, l, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("stores: %s: %w", l.Scheme, err)
	}
	return store, closeStore, nil
}

func open(
	ctx context.Context, l *storeurl.URL, opts *scskit.Options,
) (*scskit.Store, func() error, error) {
	lazy, err := l.Params.Bool("lazy")
	if err != nil {
		return nil, nil, err
	}
	sweep, err := l.Params.Duration("sweep")
	if err != nil {
		return nil, nil, err
	}
	var shared scskit.Options
	if opts != nil {
		shared = *opts
	}
	store, release, err := l.Backend.Open(ctx, l, shared)
	if err != nil {
		return nil, nil, l.Scrub(err)
	}
	if !lazy {
		if err := verify(ctx, l, store); err != nil {
			err = fmt.Errorf("cannot use %s: %w", l.Place(), explain(l, err))
			return nil, nil, errors.Join(err, l.Scrub(release()))
		}
	}
	stopSweep := func() {}
	if sweep > 0 {
		stopSweep = store.StartSweep(sweep)
	}
	return store, sync.OnceValue(func() error {
		stopSweep()
		return l.Scrub(release())
	}), nil
}

// verify reads a record, as every request does, so it needs no extra permission.
func verify(ctx context.Context, l *storeurl.URL, store *scskit.Store) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	_, err := store.Driver().Load(ctx, "scskit: no session has this id")
	if l.Verified != nil {
		err = l.Verified(ctx, err)
	}
	if errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrNoSchema) {
		return nil
	}
	return err
}

// Describe returns the backend and the address in a URL, without user, password and parameters, for
// people to read. It returns "" if the URL cannot be parsed, or its backend is not imported. Open
// may still refuse the URL.
func Describe(rawURL string) string {
	l, err := storeurl.Parse(rawURL)
	if err != nil {
		return ""
	}
	return l.Place()
}

// Usage returns the URL syntax of each imported backend, one per line, for a program's help text.
func Usage() string {
	var text strings.Builder
	for _, b := range storeurl.Registered() {
		fmt.Fprintln(&text, b.Syntax)
	}
	return text.String()
}

func openMemory(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if l.Path != "" {
		return nil, nil, errors.New(
			"a memory store has no path: write memory:, or sqlite:PATH to keep sessions in a file")
	}
	size, err := l.Params.Positive("max_sessions")
	if err != nil {
		return nil, nil, err
	}
	store, err := memstore.New(&memstore.Options{Options: shared, MaxSessions: size})
	return store, func() error { return nil }, err
}

// explain removes secrets from the error of a server that Open cannot use, and adds what to change
// in the URL if the error shows that.
func explain(l *storeurl.URL, err error) error {
	var unknown x509.UnknownAuthorityError
	var advice string
	switch {
	case l.Backend.Authority != "" && errors.As(err, &unknown):
		advice = "name the file with the CA certificate: " + l.Backend.Authority + "=FILE"
	case l.Backend.Advise != nil:
		advice = l.Backend.Advise(l, err)
	}
	if advice == "" && len(l.Hosts) > 0 && errors.Is(err, context.DeadlineExceeded) {
		advice = "no answer in time: check the host and the port, and that " + l.Backend.Name +
			" runs there"
	}
	if err = l.Scrub(err); advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}
