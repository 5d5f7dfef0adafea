// Package sqlurl has the code shared by the packages that open SQL databases from URLs.
package sqlurl

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/sqlstore"
)

// ServerPool is the default limit on connections to a server.
const ServerPool = 20

// Params returns the parameters common to all SQL databases, followed by more.
func Params(more ...[]string) []string {
	params := []string{"table", "sweep", "pool_size"}
	for _, names := range more {
		params = append(params, names...)
	}
	return params
}

// Open opens the store in db, with at most pool connections unless the URL sets another limit. It
// takes over db: it closes db if it fails, and otherwise the function it returns does.
func Open(
	l *storeurl.URL, db *sql.DB, dialect sqlstore.Dialect, pool int, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	size, err := l.Params.Positive("pool_size")
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if size == 0 {
		size = pool
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	opts := &sqlstore.Options{Options: shared, Table: l.Params.String("table")}
	store, err := sqlstore.New(db, dialect, opts)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the parameter table: %w", err), db.Close())
	}
	return store, db.Close, nil
}
