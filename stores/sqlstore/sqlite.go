package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// SQLite returns the dialect of SQLite. The package documentation lists the settings with which to
// open the database.
//
// The store does not interrupt a running statement when its context ends. Statements take
// microseconds, an interrupt does not end the only long wait, the one for a lock, and drivers
// handle interrupts badly: modernc.org/sqlite may close the connection, which loses an in-memory
// database, or keep the query open, so that every later write on the connection fails.
func SQLite() Dialect {
	return Dialect{
		name:  "sqlite",
		title: "SQLite",
		drivers: []string{
			"modernc.org/sqlite",
			"github.com/mattn/go-sqlite3",
			"github.com/ncruces/go-sqlite3",
			"github.com/glebarez/go-sqlite",
		},
		placeholder: func(int) string { return "?" },
		quote:       doubleQuote,
		statements:  onConflict,
		createTable: sqliteTable,
		expiryIndex: sqliteExpiryIndex,
		userIndex:   sqliteUserIndex,
		dropTable: func(n tableName) string {
			return `DROP TABLE IF EXISTS ` + sqliteName(n, n.table)
		},
		addColumn: func(n tableName, column string) string {
			kind := map[string]string{"seen": "INTEGER", "user_hash": "BLOB"}[column]
			return `ALTER TABLE ` + sqliteName(n, n.table) + ` ADD COLUMN ` + column + ` ` + kind
		},
		inspect:       inspectSQLite,
		classify:      classifySQLite,
		oneWriter:     true,
		uninterrupted: true,
		sweepRows:     100,                  // a few milliseconds, for which other writers wait
		maxData:       1_000_000_000 - 1024, // SQLITE_MAX_LENGTH, minus the other columns
	}
}

// sqliteTable returns the CREATE TABLE statement. Ids are BLOBs because they are compared byte by
// byte and may contain NUL, at which SQLite's text functions stop. The table has a rowid: WITHOUT
// ROWID took the same time for sessions of 300 bytes, but twice the time for 1,500 bytes and more,
// because SQLite then stores them in index pages. data is the last column, so that SQLite reads its
// overflow pages only when a statement selects it.
func sqliteTable(n tableName) string {
	return `CREATE TABLE IF NOT EXISTS ` + sqliteName(n, n.table) + ` (
	id        BLOB    NOT NULL PRIMARY KEY,
	version   INTEGER NOT NULL,
	expiry    INTEGER NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   INTEGER NOT NULL,
	updated   INTEGER NOT NULL,
	seen      INTEGER, -- NULL: when updated
	user_hash BLOB,    -- NULL: no user
	data      BLOB    NOT NULL
)`
}

// sqliteExpiryIndex puts the schema before the name of the index, not of the table, as SQLite
// requires.
func sqliteExpiryIndex(n tableName) string {
	return `CREATE INDEX IF NOT EXISTS ` + sqliteName(n, n.table+"_expiry") + ` ON ` +
		doubleQuote(n.table) + ` (expiry)`
}

// sqliteUserIndex leaves out sessions without a user, which then cost nothing.
func sqliteUserIndex(n tableName) string {
	return `CREATE INDEX IF NOT EXISTS ` + sqliteName(n, n.table+"_user") + ` ON ` +
		doubleQuote(n.table) + ` (user_hash, id)
	WHERE user_hash IS NOT NULL`
}

func sqliteName(n tableName, object string) string {
	if n.schema == "" {
		return doubleQuote(object)
	}
	return doubleQuote(n.schema) + "." + doubleQuote(object)
}

// inspectSQLite reads columns and indexes with one query.
func inspectSQLite(ctx context.Context, conn *sql.Conn, n tableName) (layout, error) {
	table, args := "(?)", []any{n.table, n.table}
	if n.schema != "" {
		table, args = "(?, ?)", []any{n.table, n.schema, n.table, n.schema}
	}
	// Index columns without a name are expressions. A partial index counts only if it has every row
	// with a user.
	rows, err := conn.QueryContext(ctx, `SELECT 0 AS kind, name, 0 FROM pragma_table_info`+table+`
		UNION ALL
		SELECT 1, COALESCE(c.name, ''),
			i."unique" AND (SELECT COUNT(*) FROM pragma_index_info(i.name)) = 1
		FROM pragma_index_list`+table+` AS i JOIN pragma_index_info(i.name) AS c ON c.seqno = 0
		WHERE NOT i.partial OR lower(c.name) = 'user_hash' AND (SELECT sql FROM `+
		sqliteName(n, "sqlite_master")+` WHERE type = 'index' AND name = i.name)
			LIKE '%WHERE%user_hash%IS NOT NULL'`, args...)
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

// classifySQLite uses the result code if the driver's error has a method Code, and otherwise
// SQLite's message, which every driver includes.
func classifySQLite(err error) fault {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		if coded.Code() == sqliteBusySnapshot {
			// A single statement gets this only on a connection with an open query or
			// transaction, which keeps failing until it is closed.
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

// sqliteMessages classify errors without a result code. "interrupted" counts as busy: if the
// context has not ended, the interrupt was meant for an earlier statement of the connection, and
// SQLite has rolled this one back.
var sqliteMessages = []struct {
	text  string
	fault fault
}{
	{"no such table", faultNoSchema},
	{"no such column", faultNoSchema},
	{"has no column named", faultNoSchema},
	{"does not match any PRIMARY KEY or UNIQUE constraint", faultNoSchema},
	{"unknown database", faultNoSchema},
	{"duplicate column name", faultExists},
	{"database is locked", faultBusy},
	{"database table is locked", faultBusy},
	{"database schema is locked", faultBusy},
	{"interrupted", faultBusy},
	{"string or blob too big", faultTooLarge},
}
