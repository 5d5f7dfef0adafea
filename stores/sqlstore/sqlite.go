package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// SQLite returns the dialect of SQLite. The package's documentation has the
// settings that the database should be opened with.
//
// A statement that has begun is not interrupted. It takes microseconds, an interrupt does
// not end the one long wait, for a lock, anyway, and drivers do not survive it well:
// modernc.org/sqlite then closes the connection, with which an in-memory database is gone, or
// keeps the query open, after which every write on that connection is refused.
//
// A statement of a sweep has so few rows because others wait for it to write: it takes some
// milliseconds.
func SQLite() Dialect {
	return Dialect{
		name:  "sqlite",
		title: "SQLite",
		drivers: []string{"modernc.org/sqlite", "github.com/mattn/go-sqlite3",
			"github.com/ncruces/go-sqlite3", "github.com/glebarez/go-sqlite"},
		placeholder:   func(int) string { return "?" },
		quote:         doubleQuote,
		statements:    onConflict,
		createTable:   sqliteTable,
		createIndexes: sqliteIndexes,
		dropTable: func(n tableName) string {
			return `DROP TABLE IF EXISTS ` + sqliteName(n, n.table)
		},
		inspect:       inspectSQLite,
		classify:      classifySQLite,
		oneWriter:     true,
		uninterrupted: true,
		sweepRows:     100,
		maxData:       1_000_000_000 - 1024, // SQLITE_MAX_LENGTH, less the other columns
	}
}

// sqliteTable: ids are BLOBs because they are compared byte for byte and may
// hold NUL, at which SQLite's text functions stop. The table keeps its rowid: WITHOUT
// ROWID measured the same for sessions of 300 bytes, but took twice the time for those
// of 1,500 and more, because SQLite then keeps them in the pages of an index. The data
// comes last, so that its overflow pages are read only when it is.
func sqliteTable(n tableName) string {
	return `CREATE TABLE IF NOT EXISTS ` + sqliteName(n, n.table) + ` (
	id      BLOB    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	expiry  INTEGER NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	data    BLOB    NOT NULL
)`
}

// sqliteIndexes: the schema belongs in front of the index, not of its table.
func sqliteIndexes(n tableName) []string {
	return []string{`CREATE INDEX IF NOT EXISTS ` + sqliteName(n, n.table+"_expiry") + ` ON ` +
		doubleQuote(n.table) + ` (expiry)`}
}

func sqliteName(n tableName, object string) string {
	if n.schema == "" {
		return doubleQuote(object)
	}
	return doubleQuote(n.schema) + "." + doubleQuote(object)
}

// inspectSQLite asks for everything at once.
func inspectSQLite(ctx context.Context, conn *sql.Conn, n tableName) (layout, error) {
	table, args := "(?)", []any{n.table, n.table}
	if n.schema != "" {
		table, args = "(?, ?)", []any{n.table, n.schema, n.table, n.schema}
	}
	// A table without a row for a name has no column of that name. Index columns
	// without a name are expressions. Partial indexes do not count.
	rows, err := conn.QueryContext(ctx, `SELECT 0 AS kind, name, 0 FROM pragma_table_info`+table+`
		UNION ALL
		SELECT 1, COALESCE(c.name, ''), i."unique" AND (SELECT COUNT(*) FROM pragma_index_info(i.name)) = 1
		FROM pragma_index_list`+table+` AS i JOIN pragma_index_info(i.name) AS c ON c.seqno = 0
		WHERE NOT i.partial`, args...)
	if err != nil {
		return layout{}, err
	}
	return readLayout(rows)
}

// Result codes, https://www.sqlite.org/rescode.html.
const (
	sqliteBusy         = 5
	sqliteLocked       = 6
	sqliteInterrupt    = 9
	sqliteTooBig       = 18
	sqliteBusySnapshot = 517
)

// classifySQLite goes by the result code, where the driver's error tells it, and by SQLite's
// own messages otherwise, which every driver passes on.
func classifySQLite(err error) fault {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		if coded.Code() == sqliteBusySnapshot {
			// Only a connection with a forgotten query or transaction refuses a
			// single statement so, and will do it until it is closed.
			return faultStale
		}
		switch coded.Code() & 0xff {
		case sqliteBusy, sqliteLocked, sqliteInterrupt:
			return faultBusy
		case sqliteTooBig:
			return faultTooLarge
		}
	}
	for _, m := range sqliteMessages {
		if strings.Contains(err.Error(), m.text) {
			return m.fault
		}
	}
	return faultOther
}

// sqliteMessages: an interrupt whose context has not ended was meant for another
// statement, which the connection had just finished. SQLite has undone what it hit.
var sqliteMessages = []struct {
	text  string
	fault fault
}{
	{"no such table", faultNoSchema},
	{"no such column", faultNoSchema},
	{"has no column named", faultNoSchema},
	{"does not match any PRIMARY KEY or UNIQUE constraint", faultNoSchema},
	{"unknown database", faultNoSchema},
	{"database is locked", faultBusy},
	{"database table is locked", faultBusy},
	{"database schema is locked", faultBusy},
	{"interrupted", faultBusy},
	{"string or blob too big", faultTooLarge},
}
