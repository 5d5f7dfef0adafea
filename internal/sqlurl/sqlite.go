package sqlurl

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// sqliteNames are the names under which SQLite drivers register.
var sqliteNames = []string{"sqlite", "sqlite3"}

// SQLiteDriver returns the SQLite driver that the program imports. registered are the names of all
// registered drivers. Package sqlite imports no driver itself, because two that register the same
// name cannot be in one program.
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
		`no SQLite driver is registered: import one, such as _ "modernc.org/sqlite"`)
}

// SQLiteConnector runs Pragmas on each new connection. Drivers differ in how a data source name
// spells such settings, so DSN has none.
type SQLiteConnector struct {
	SQLite  sqldriver.Driver
	DSN     string
	Pragmas []string
}

// Driver implements [sqldriver.Connector].
func (c *SQLiteConnector) Driver() sqldriver.Driver { return c.SQLite }

// Connect implements [sqldriver.Connector].
func (c *SQLiteConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.SQLite.Open(c.DSN)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(sqldriver.ExecerContext)
	if !ok {
		err := fmt.Errorf("the driver %T lacks ExecContext: import a newer version or another driver",
			c.SQLite)
		return nil, errors.Join(err, conn.Close())
	}
	for _, pragma := range c.Pragmas {
		if _, err := execer.ExecContext(ctx, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}
