package stores

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/sqlstore"
)

const sqlitePool = 8

var sqliteParams = slicesOf(sqlParams, "synchronous")

func openSQLite(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	switch {
	case l.path == "":
		return nil, nil, l.lacks("path of the file")
	case strings.HasPrefix(l.path, ":memory:"):
		return nil, nil, errors.New("a database in memory would exist once for each connection: write memory:, or sqlite:PATH with a file")
	case strings.HasPrefix(l.path, "file:"):
		return nil, nil, errors.New("write sqlite:PATH, without file: and SQLite's own parameters")
	}
	synchronous := l.params.string("synchronous")
	switch synchronous {
	case "":
		synchronous = "normal"
	case "normal", "full":
	default:
		return nil, nil, errors.New("the parameter synchronous must be normal or full")
	}
	driver, err := sqliteDriver(sql.Drivers())
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(&sqliteConnector{
		driver: driver,
		dsn:    "file:" + url.PathEscape(l.path),
		// The time-out is the first: the others may have to wait.
		pragmas: []string{"busy_timeout = 100", "journal_mode = WAL", "synchronous = " + synchronous},
	})
	store, closeStore, err := l.sqlStore(db, sqlstore.SQLite(), sqlitePool, shared)
	if lazy, _ := l.params.bool("lazy"); err != nil || lazy {
		return store, closeStore, err
	}
	if err := makeFile(l.path); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot use %s: %w", l.place(), err), closeStore())
	}
	return store, closeStore, nil
}

// sqliteNames are the names under which drivers of SQLite register themselves.
var sqliteNames = []string{"sqlite", "sqlite3"}

// sqliteDriver returns the driver that the program has imported, if it is registered. This package
// imports none: two that register one name cannot be in one program.
func sqliteDriver(registered []string) (sqldriver.Driver, error) {
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
	return nil, errors.New(`the program has no driver for SQLite: import one, such as _ "modernc.org/sqlite"`)
}

// sqliteConnector sets up each new connection by statements, since every driver has its own words
// for that in the name of the database.
type sqliteConnector struct {
	driver  sqldriver.Driver
	dsn     string
	pragmas []string
}

func (c *sqliteConnector) Driver() sqldriver.Driver { return c.driver }

func (c *sqliteConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(sqldriver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver %T is too old: import another", c.driver), conn.Close())
	}
	for _, pragma := range c.pragmas {
		if _, err := execer.ExecContext(ctx, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// makeFile makes the file of a database, if it is not there, for its owner alone: SQLite would let
// everyone read it, and gives those that it makes beside it the same rights. Also SQLite's own
// error for a path that cannot be is of no help.
func makeFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return errors.New("it is a directory: name a file")
	}
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err // the path may hold what was meant as a password
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the directory of the file must be there: %w", err)
		}
	}
	if err != nil {
		return err
	}
	return file.Close()
}
