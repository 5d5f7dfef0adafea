// Package sqlite has stores.Open take the paths of SQLite's files. The program imports a driver of
// database/sql for it as well, such as _ "modernc.org/sqlite":
//
//	import _ "github.com/scskit/scskit/stores/sqlite"
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/sqlurl"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/sqlstore"
)

const pool = 8

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"sqlite"}, Name: "SQLite", Syntax: "sqlite:PATH", Local: true,
		Params: sqlurl.Params([]string{"synchronous"}), Open: open,
	})
}

func open(_ context.Context, l *storeurl.URL,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	switch {
	case l.Path == "":
		return nil, nil, l.Lacks("path of the file")
	case strings.HasPrefix(l.Path, ":memory:"):
		return nil, nil, errors.New("a database in memory would exist once for each connection: write " +
			"memory:, or sqlite:PATH with a file")
	case strings.HasPrefix(l.Path, "file:"):
		return nil, nil, errors.New("write sqlite:PATH, without file: and SQLite's own parameters")
	}
	synchronous := l.Params.String("synchronous")
	switch synchronous {
	case "":
		synchronous = "normal"
	case "normal", "full":
	default:
		return nil, nil, errors.New("the parameter synchronous must be normal or full")
	}
	driver, err := sqlurl.SQLiteDriver(sql.Drivers())
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(&sqlurl.SQLiteConnector{
		SQLite: driver,
		DSN:    "file:" + url.PathEscape(l.Path),
		// The time-out is the first: the others may have to wait.
		Pragmas: []string{"busy_timeout = 100", "journal_mode = WAL", "synchronous = " + synchronous},
	})
	store, closeStore, err := sqlurl.Open(l, db, sqlstore.SQLite(), pool, shared)
	if lazy, _ := l.Params.Bool("lazy"); err != nil || lazy {
		return store, closeStore, err
	}
	if err := makeFile(l.Path); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot use %s: %w", l.Place(), err), closeStore())
	}
	return store, closeStore, nil
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
