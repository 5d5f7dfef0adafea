// Package sqlstore keeps sessions in one table of a SQL database, over database/sql with
// any driver for it. What differs between databases is in a Dialect: SQLite, PostgreSQL
// or MySQL, which is MariaDB's as well.
//
// Each operation is one statement, which needs no transaction. The table has a row for
// each session: its id, and its data, as bytes, which no collation or
// encoding touches; its version; and its times, as microseconds since 1970, which no time zone or
// date range does. The primary key is the id; an index on the expiry serves the sweep.
//
// The table must exist before the first session: apply the store's Schema with your
// migrations, or let the program call its CreateSchema. Expired sessions are
// invisible at once, but stay in the table until somebody calls the store's
// Sweep, or StartSweep once.
//
// # SQLite
//
// Any driver will do; the package imports none. It needs SQLite 3.24 (2018) or newer,
// and these settings, here in the spelling of modernc.org/sqlite:
//
//	file:app.db?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)
//
// Why these:
//
//   - journal_mode WAL lets readers and the one writer work side by side.
//   - busy_timeout keeps short waits inside SQLite. It should be short, since SQLite
//     does not look at the context meanwhile: an operation may overrun its deadline by that
//     much. The longer waits, up to the end of the context, are done here.
//   - synchronous NORMAL, in WAL mode, may lose the last moments before a power failure, and
//     never corrupts anything. Take FULL if a session must survive that, at the price
//     of a disk flush for each write.
//
// An in-memory database exists once per connection: use db.SetMaxOpenConns(1), and no
// limit on the connection's life.
//
// # PostgreSQL
//
// PostgreSQL 12 or newer, with pgx (stdlib) or any other driver whose errors tell their SQLSTATE.
// It needs no settings. What there is to know:
//
//   - The program needs SELECT, INSERT, UPDATE and DELETE on the table, and USAGE on its schema. CreateSchema
//     needs CREATE on the schema if the table is missing, and its owner's rights if the index is.
//   - Any isolation level will do. Under repeatable read and serializable the server refuses some
//     concurrent statements, which are then repeated here until the context ends.
//   - synchronous_commit off, set for the program's role, saves the wait for the disk: a crash of the server may then
//     lose the last moments, and corrupts nothing.
//   - The driver is to prepare statements, once for each connection, as pgx does. With lib/pq set
//     binary_parameters=yes, or each operation takes two round trips.
//   - A pooler that gives a connection away after each transaction, such as PgBouncer in
//     transaction mode, loses prepared statements. Have pgx prepare none, by
//     default_query_exec_mode=exec or simple_protocol in its DSN. PgBouncer 1.21 or newer also
//     keeps them itself, with max_prepared_statements set.
//   - A transaction that stays open for hours, even an idle one, keeps the server from reusing the room of what was
//     swept and updated, and makes sweeps slower as they go: set idle_in_transaction_session_timeout.
//   - Sessions live on the primary. A standby that answers reads may not know the last save yet.
//
// # MySQL and MariaDB
//
// MySQL 8.0 or newer, or MariaDB 10.5 or newer, with InnoDB, and go-sql-driver/mysql or any other
// driver whose error messages begin with the server's error number. Neither collation, character
// set, time zone, sql_mode, isolation level, nor the driver's clientFoundRows, interpolateParams,
// parseTime and loc matter. What there is to know:
//
//   - The program needs SELECT, INSERT, UPDATE and DELETE on the table. CreateSchema needs CREATE if the
//     table is missing, and INDEX if the index is.
//   - autocommit must be on, as it is unless somebody turned it off: no statement here is in a transaction.
//   - A session must fit into max_allowed_packet, 16 MiB on MariaDB and 64 MiB on MySQL unless set, of the server and of
//     the driver. What does not is a *driver.TooLargeError.
//   - The server does not notice that a context has ended while a statement waits for a lock: the statement may still
//     take effect when the lock is free, up to innodb_lock_wait_timeout later. That is 50 seconds, far too much for a
//     web request: set it to a few, for the connection (innodb_lock_wait_timeout=3 in the DSN of
//     go-sql-driver/mysql). Waits up to the end of the context are done here. Deadlocks, which
//     InnoDB finds now and then between single statements, are repeated.
//   - InnoDB keeps the table in the order of its ids, which are random. Its working set should fit into
//     innodb_buffer_pool_size: if it does not, each row that is swept costs reads from the disk.
//   - Sessions live on the primary, as above. On Galera, set wsrep_sync_wait=1 if requests of one session reach
//     different nodes.
//
// The insert id of the connection, LAST_INSERT_ID(), is used by the store to learn what a statement
// did.
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

// Options are the settings of a SQL store. The zero value, and a nil *Options,
// is the safe default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// Table is the name of the table, with its schema (on MySQL, its database) in front if need be
	// ("auth.sessions"); the schema must exist. Empty means "sessions". Each part is made of ASCII
	// letters, digits and underscores, does not begin with a digit, and has at most 50 bytes;
	// anything else is an error. It is quoted: upper and lower case count where they count to the
	// database.
	Table string
}

// New returns a store that keeps its sessions in db. It does not connect: that
// the table is missing is found out by the first operation, whose error then matches
// driver.ErrNoSchema, or by the store's CheckSchema. The store never closes db. It may
// share it with the rest of the program.
func New(db *sql.DB, dialect Dialect, opts *Options) (*scskit.Store, error) {
	d, err := newDriver(db, dialect, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, &opts.Options)
}

func newDriver(db *sql.DB, dialect Dialect, opts *Options) (driver.Driver, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil")
	}
	if dialect.name == "" {
		return nil, errors.New("sqlstore: the dialect is not set: pass sqlstore.SQLite(), " +
			"sqlstore.PostgreSQL() or sqlstore.MySQL()")
	}
	if other := dialectOf(db); other != nil && other.name != dialect.name {
		return nil, fmt.Errorf("sqlstore: the dialect is that of %s, but the driver of db is for %s: "+
			"pass sqlstore.%s()", dialect.title, other.title, other.title)
	}
	if opts == nil {
		opts = new(Options)
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
	schema string // empty for the connection's own
	table  string
}

func parseName(s string) (tableName, error) {
	if s == "" {
		s = "sessions"
	}
	var n tableName
	schema, table, qualified := strings.Cut(s, ".")
	if qualified {
		n = tableName{schema: schema, table: table}
	} else {
		n = tableName{table: schema}
	}
	if !isIdentifier(n.table) || qualified && !isIdentifier(n.schema) {
		return tableName{}, fmt.Errorf("sqlstore: Options.Table is %q: it must be NAME or SCHEMA.NAME, "+
			"of at most %d ASCII letters, digits and underscores each, not starting with a digit",
			s, maxIdentifier)
	}
	return n, nil
}

// maxIdentifier leaves room for the suffix of an index in the 63 bytes that
// PostgreSQL looks at.
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

// dialectOf returns the dialect for the database that the driver of db is for, or nil if the
// driver is none that is known by its package.
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
