package sqlurl

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// sqliteNames are the names under which drivers of SQLite register themselves.
var sqliteNames = []string{"sqlite", "sqlite3"}

// SQLiteDriver returns the driver that the program has imported, if it is registered. The package
// that opens SQLite by URL imports none: two that register one name cannot be in one program.
func SQLiteDriver(registered []string) (sqldriver.Driver, error) {
	for _, name := range sqliteNames {
		if !slices.Contains(registered, name) {
			continue
		}
		db, err := sql.Open(name, "")
		if err != nil {
			return nil, err
		}
		return db.Driver(), db.Close()
	}
	return nil, errors.New(
		`the program has no driver for SQLite: import one, such as _ "modernc.org/sqlite"`)
}

// SQLiteConnector sets up each new connection by statements, since every driver has its own words
// for that in the name of the database.
type SQLiteConnector struct {
	SQLite  sqldriver.Driver
	DSN     string
	Pragmas []string
}

// Driver implements driver.Connector.
func (c *SQLiteConnector) Driver() sqldriver.Driver { return c.SQLite }

// Connect implements driver.Connector.
func (c *SQLiteConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.SQLite.Open(c.DSN)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(sqldriver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver %T is too old: import another", c.SQLite),
			conn.Close())
	}
	for _, pragma := range c.Pragmas {
		if _, err := execer.ExecContext(ctx, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}
