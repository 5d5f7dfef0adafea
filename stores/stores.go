// Package stores opens a store by a URL, for programs that pick the backend at run time. A program
// that knows its backend, or has a client for it already, calls the constructor of that backend's
// package.
//
// Only memory: is opened by this package alone. For each other backend the program imports a
// package of the same name, redis for redis:// and so on, or all of them at once:
//
//	import _ "github.com/scskit/scskit/stores/redis"
//	import _ "github.com/scskit/scskit/stores/all"
//
// So it links, and requires, what it imports and no more. A driver for SQLite is never linked: a
// program that opens sqlite: imports its own, because two that register one name cannot be in one
// program.
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
// No error here, and nothing that Describe returns, contains a password of the URL.
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
func Open(ctx context.Context, rawURL string,
	opts *scskit.Options) (store *scskit.Store, closeStore func() error, err error) {
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

func open(ctx context.Context, l *storeurl.URL,
	opts *scskit.Options) (*scskit.Store, func() error, error) {
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
			return nil, nil, errors.Join(fmt.Errorf("cannot use %s: %w", l.Place(), refused(l, err)),
				l.Scrub(release()))
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

// verify does what every request does first, and needs no other permission.
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

// Describe says where the store of a URL is, for people: the backend and its address, without user,
// password and parameters. It is empty if Open would not take the URL.
func Describe(rawURL string) string {
	l, err := storeurl.Parse(rawURL)
	if err != nil {
		return ""
	}
	return l.Place()
}

// Usage returns the forms that a URL may have, a line for each, for the help text of a program.
// They are those of the backends that the program has imported.
func Usage() string {
	var text strings.Builder
	for _, b := range storeurl.Registered() {
		fmt.Fprintln(&text, b.Syntax)
	}
	return text.String()
}

func openMemory(_ context.Context, l *storeurl.URL,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.Path != "" {
		return nil, nil, errors.New("memory has no name: write memory:, or sqlite:PATH to keep " +
			"sessions in a file")
	}
	size, err := l.Params.Positive("max_sessions")
	if err != nil {
		return nil, nil, err
	}
	store, err := memstore.New(&memstore.Options{Options: shared, MaxSessions: size})
	return store, func() error { return nil }, err
}

// refused is the error of a server that Open cannot use, without secrets, and with what to write
// in the URL instead, if the error tells.
func refused(l *storeurl.URL, err error) error {
	var unknown x509.UnknownAuthorityError
	var advice string
	switch {
	case l.Backend.Authority != "" && errors.As(err, &unknown):
		advice = "name the file of the authority's certificate: " + l.Backend.Authority + "=FILE"
	case l.Backend.Advise != nil:
		advice = l.Backend.Advise(l, err)
	}
	if advice == "" && len(l.Hosts) > 0 && errors.Is(err, context.DeadlineExceeded) {
		advice = "there was no answer in time: check the host and the port, and whether a " +
			l.Backend.Name + " is there"
	}
	if err = l.Scrub(err); advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}
