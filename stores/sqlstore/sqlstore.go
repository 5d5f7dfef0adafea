// Package sqlstore keeps sessions in one table of a SQL database, over database/sql with
// any driver for it. What differs between databases is in a Dialect.
//
// The table must exist before the first session: apply the store's Schema with your
// migrations, or let the program call its CreateSchema. Expired sessions are
// invisible at once, but stay in the table until somebody calls the driver's Sweep
// (see driver.Sweeper).
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
package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
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

	// Table is the name of the table, with its schema in front if need be
	// ("auth.sessions"). Empty means "sessions". Each part is made of ASCII letters,
	// digits and underscores, does not begin with a digit, and has at most 50
	// bytes; anything else is an error. It is quoted: upper and lower
	// case count where they count to the database.
	Table string
}

// New returns a store that keeps its sessions in db. It does not connect: that
// the table is missing is found out by the first operation, whose error then matches
// driver.ErrNoSchema, or by the store's CheckSchema. The store never closes db. It may
// share it with the rest of the program.
func New(db *sql.DB, dialect Dialect, opts *Options) (*scskit.Store, error) {
	d, err := NewDriver(db, dialect, opts)
	if err != nil {
		return nil, err
	}
	var shared scskit.Options
	if opts != nil {
		shared = opts.Options
	}
	return scskit.NewStore(d, &shared)
}

// NewDriver returns the driver under New, for programs and tests that work on
// records. Of the shared options it heeds Now.
func NewDriver(db *sql.DB, dialect Dialect, opts *Options) (driver.Driver, error) {
	if db == nil {
		return nil, errors.New("sqlstore: db is nil")
	}
	if dialect.name == "" {
		return nil, errors.New("sqlstore: the dialect is not set: pass sqlstore.SQLite(), sqlstore.PostgreSQL() or sqlstore.MySQL()")
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
		return tableName{}, fmt.Errorf("sqlstore: Options.Table is %q: it must be a name, or a schema and a name, of at most %d ASCII letters, digits and underscores each", s, maxIdentifier)
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
