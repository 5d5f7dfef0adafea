// Package sqlurl is what the packages that open a SQL database by its URL share.
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

// ServerPool is how many connections to a server there may be, unless the URL says otherwise.
const ServerPool = 20

// Params are the parameters that all of them have, and more.
func Params(more ...[]string) []string {
	params := []string{"table", "sweep", "pool_size"}
	for _, names := range more {
		params = append(params, names...)
	}
	return params
}

// Open opens the store in a database, of which it takes care from then on.
func Open(l *storeurl.URL, db *sql.DB, dialect sqlstore.Dialect, pool int,
	shared scskit.Options) (*scskit.Store, func() error, error) {
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
	store, err := sqlstore.New(db, dialect,
		&sqlstore.Options{Options: shared, Table: l.Params.String("table")})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the parameter table: %w", err), db.Close())
	}
	return store, db.Close, nil
}
