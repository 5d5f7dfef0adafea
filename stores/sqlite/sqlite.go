// Package sqlite registers SQLite with package stores, so that stores.Open accepts sqlite: URLs.
// Import it for that effect, together with a SQLite driver:
//
//	import _ "github.com/scskit/scskit/stores/sqlite"
//	import _ "modernc.org/sqlite"
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

// pool is the default limit on connections.
const pool = 8

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"sqlite"}, Name: "SQLite", Syntax: "sqlite:PATH", Local: true,
		Params: sqlurl.Params([]string{"synchronous"}), Open: open,
	})
}

func open(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	switch {
	case l.Path == "":
		return nil, nil, l.Lacks("path of the file")
	case strings.HasPrefix(l.Path, ":memory:"):
		return nil, nil, errors.New("every connection would have a database of its own in memory: " +
			"write memory:, or sqlite:PATH with a file")
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
		// busy_timeout comes first because the other pragmas may have to wait for a lock.
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

// makeFile creates the database file if it does not exist, readable and writable by its owner only.
// SQLite would make it readable by everyone. SQLite gives its WAL and shared memory files the same
// permissions. For a bad path, makeFile returns a better error than SQLite does.
func makeFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return errors.New("the path is a directory: name a file")
	}
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err // without the path, which may contain a misplaced password
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("create the directory of the file first: %w", err)
		}
	}
	if err != nil {
		return err
	}
	return file.Close()
}
