// Package sqlstore keeps sessions in one table of a SQL database, through database/sql and any
// driver. A Dialect holds what differs between databases: SQLite, PostgreSQL, or MySQL, which also
// serves MariaDB.
//
// Each operation is one statement and needs no transaction. The table has one row per session: id
// and data as bytes, so that no collation or encoding applies; the version; and times in
// microseconds since 1970, so that no time zone or date range applies. The primary key is the id.
// An index on the expiry serves the sweep, and one on the user SessionsOf, which reads the rows of
// that user and no others. The user is a hash (driver.Record.User).
//
// Create the table before the first session: apply the store's Schema with your migrations, or call
// its CreateSchema. An expired session is invisible at once, but its row stays until the program
// calls the store's Sweep. StartSweep does so at intervals.
//
// A table of that name which is not the store's, such as that of one of scs's own stores, is left
// alone: every operation, CreateSchema and DropSchema return an error that matches
// driver.ErrNoSchema and says what the table is. Set Options.Table to another name.
//
// # Tables of an earlier version
//
// The first version of the table did not have the columns seen and user_hash and the index on the
// user. On such a table the store's operations return an error that matches driver.ErrNoSchema.
// CreateSchema adds what is missing, and Schema has the statements in its comments. Programs may
// use the table meanwhile, and several may call CreateSchema at once. Nothing rewrites the rows:
// the columns may be NULL, which means that seen is updated, and that the session has no user. A
// session is in the index once this version has saved it.
//
// The earlier version works with the new table, so programs can be restarted one after the other
// once the table is changed. Where it saves a session, seen and user_hash stay as they were until
// this version saves the session.
//
// Each statement waits for transactions that use the table, and on servers all other statements on
// the table queue behind it. CreateSchema therefore waits at most 0.2 seconds at a time (a second
// on MySQL), with pauses of up to a second, until its context ends. Then:
//
//   - PostgreSQL locks the table for a moment to add a column (ACCESS EXCLUSIVE). While it builds
//     the index, saves, touches and deletes wait (SHARE), for as long as the server reads the table
//     once: 0.6 seconds for a million sessions of 300 bytes. To avoid that, add the columns, and
//     run CREATE INDEX CONCURRENTLY by hand with the rest of the statement as in Schema.
//   - MySQL and MariaDB add columns at once, and let others read and write while they build the
//     index.
//   - SQLite lets other writers wait while it reads the table once.
//
// # SQLite
//
// Use any driver; this package imports none. SQLite must be 3.24 (2018) or newer. Open the database
// with these settings, here as modernc.org/sqlite spells them:
//
//	file:app.db?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)
//
// The reasons are:
//
//   - journal_mode WAL lets readers and the single writer work at the same time.
//   - busy_timeout makes SQLite itself wait for a lock. SQLite ignores the context while it waits,
//     so an operation may overrun its deadline by this much: keep it short. The store does longer
//     waits itself, until the context ends.
//   - synchronous NORMAL never corrupts a database in WAL mode, but a power failure may lose the
//     last commits. FULL prevents that, and flushes to disk at every write.
//
// Each connection to an in-memory database opens a separate one. Call db.SetMaxOpenConns(1), and
// set no limit on the lifetime of a connection.
//
// # PostgreSQL
//
// PostgreSQL must be 12 or newer. Use pgx (stdlib), or another driver whose errors have a method
// SQLState. No setting is required.
//
//   - The program needs SELECT, INSERT, UPDATE and DELETE on the table, and USAGE on its schema.
//     CreateSchema needs CREATE on the schema if the table or an index is missing, and ownership of
//     the table if an index or a column is.
//   - Every isolation level works. Under repeatable read and serializable, the server aborts some
//     concurrent statements; the store repeats them until the context ends.
//   - synchronous_commit=off for the program's role saves the wait for the disk. A crash of the
//     server may then lose the last commits, but corrupts nothing.
//   - The driver should prepare statements once per connection, as pgx does. With lib/pq, set
//     binary_parameters=yes, or each operation takes two round trips.
//   - Prepared statements do not work behind a pooler that reassigns connections after each
//     transaction, such as PgBouncer in transaction mode. Set default_query_exec_mode=exec or
//     simple_protocol in pgx's DSN. Alternatively, PgBouncer 1.21 or newer supports prepared
//     statements if max_prepared_statements is set.
//   - A transaction that stays open for hours, even if idle, keeps the server from reusing the
//     space of deleted and updated rows, and sweeps get slower and slower. Set
//     idle_in_transaction_session_timeout.
//   - A touch moves the expiry, which is indexed, so its update is not HOT: it adds an entry to
//     each index, also to that of the user if the session has one. The column seen is not indexed.
//   - Connect to the primary. A standby may not have the last save yet.
//
// # MySQL and MariaDB
//
// MySQL must be 8.0 or newer, MariaDB 10.5 or newer, with InnoDB. Use go-sql-driver/mysql, or
// another driver whose error messages begin with the server's error number. The store works with
// every collation, character set, time zone, sql_mode and isolation level, and with every value of
// go-sql-driver's clientFoundRows, interpolateParams, parseTime and loc.
//
//   - The program needs SELECT, INSERT, UPDATE and DELETE on the table. CreateSchema needs CREATE
//     if the table is missing, INDEX if an index is, and ALTER, CREATE and INSERT if a column is.
//   - autocommit must be on, as it is by default, because the store begins no transactions.
//   - A session must fit into max_allowed_packet of the server (16 MiB by default on MariaDB, 64
//     MiB on MySQL) and of the driver. A larger one is a *driver.TooLargeError.
//   - The server ignores the end of a context while a statement waits for a lock, so the statement
//     may take effect afterwards, for up to innodb_lock_wait_timeout. The default of 50 seconds is
//     far too long for a web request: set a few seconds for the connection
//     (innodb_lock_wait_timeout=3 in the DSN of go-sql-driver/mysql). The store does longer waits
//     itself, until the context ends. It also repeats statements after a deadlock, which InnoDB
//     occasionally reports even between single statements.
//   - There are no partial indexes, so a session without a user has an entry in the index on users
//     too, of about the size of its id.
//   - InnoDB stores rows in the order of their ids, which are random. The working set should fit
//     into innodb_buffer_pool_size; otherwise, every row that a sweep deletes costs disk reads.
//   - Connect to the primary. On Galera, set wsrep_sync_wait=1 if requests of one session reach
//     different nodes.
//
// The store overwrites the connection's LAST_INSERT_ID(), through which a statement reports whether
// it changed a row.
package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// Options are the settings of a SQL store. The zero value and a nil *Options are safe defaults.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// Table is the name of the table, optionally with its schema (on MySQL, its database), as in
	// "auth.sessions". The schema must exist. Empty means "sessions".
	//
	// Each part consists of at most 50 ASCII letters, digits and underscores, and does not start
	// with a digit; anything else is an error. Statements quote the name, so it is case-sensitive
	// if quoted names are in your database.
	Table string
}

// New returns a store that keeps sessions in db. It does not connect. If the table is missing, the
// first operation and the store's CheckSchema return an error that matches driver.ErrNoSchema.
//
// The program may use db for other purposes too. The store never closes it.
func New(db *sql.DB, dialect Dialect, opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	d, err := newDriver(db, dialect, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, &opts.Options)
}

func newDriver(db *sql.DB, dialect Dialect, opts *Options) (driver.Driver, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil: open it with sql.Open")
	}
	if dialect.name == "" {
		return nil, errors.New("sqlstore: the dialect is not set: pass sqlstore.SQLite(), " +
			"sqlstore.PostgreSQL() or sqlstore.MySQL()")
	}
	if other := dialectOf(db); other != nil && other.name != dialect.name {
		return nil, fmt.Errorf("sqlstore: the dialect is %s, but the driver of db is for %s: "+
			"pass sqlstore.%s()", dialect.title, other.title, other.title)
	}
	name, err := parseName(opts.Table)
	if err != nil {
		return nil, err
	}
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	return newTable(db, dialect, name, now), nil
}

// tableName is a validated name.
type tableName struct {
	schema string // empty for the connection's default
	table  string
}

func parseName(s string) (tableName, error) {
	if s == "" {
		s = "sessions"
	}
	n := tableName{table: s}
	schema, table, qualified := strings.Cut(s, ".")
	if qualified {
		n = tableName{schema: schema, table: table}
	}
	if !isIdentifier(n.table) || qualified && !isIdentifier(n.schema) {
		return tableName{}, fmt.Errorf("sqlstore: Options.Table is %q: it must be NAME or SCHEMA.NAME, "+
			"of at most %d ASCII letters, digits and underscores each, not starting with a digit",
			s, maxIdentifier)
	}
	return n, nil
}

// maxIdentifier leaves space for the suffix of an index name: PostgreSQL truncates identifiers to
// 63 bytes.
const maxIdentifier = 50

func isIdentifier(s string) bool {
	if s == "" || len(s) > maxIdentifier || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		default:
			return false
		}
	}
	return true
}

func (n tableName) String() string {
	if n.schema == "" {
		return n.table
	}
	return n.schema + "." + n.table
}

// dialectOf returns the dialect that matches the driver of db, or nil if the driver's package is
// unknown.
func dialectOf(db *sql.DB) *Dialect {
	driver := reflect.TypeOf(db.Driver())
	if driver == nil {
		return nil
	}
	if driver.Kind() == reflect.Pointer {
		driver = driver.Elem()
	}
	for _, d := range []Dialect{SQLite(), PostgreSQL(), MySQL()} {
		for _, pkg := range d.drivers {
			if strings.HasPrefix(driver.PkgPath(), pkg) {
				return &d
			}
		}
	}
	return nil
}
