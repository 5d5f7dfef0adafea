package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// openStore opens the store that spec names, "memory:" or "sqlite:PATH", and makes it
// ready for use. place says where that is, for people.
func openStore(ctx context.Context, spec string, opts scskit.Options) (store *scskit.Store, place string, closeStore func() error, err error) {
	kind, path, _ := strings.Cut(spec, ":")
	switch {
	case kind == "memory" && path == "":
		store, err = memstore.New(&memstore.Options{Options: opts})
		return store, "memory", func() error { return nil }, err
	case kind == "sqlite" && path != "":
		store, closeStore, err = openSQLite(ctx, path, opts)
		return store, "SQLite, " + filepath.Base(path), closeStore, err
	}
	return nil, "", nil, fmt.Errorf("-store is %q: it must be memory: or sqlite:PATH", spec)
}

func openSQLite(ctx context.Context, path string, opts scskit.Options) (*scskit.Store, func() error, error) {
	dsn := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: url.Values{
		"_pragma": {"busy_timeout(100)", "journal_mode(WAL)", "synchronous(NORMAL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.New(db, sqlstore.SQLite(), &sqlstore.Options{Options: opts})
	if err == nil {
		err = store.Driver().(driver.SchemaManager).CreateSchema(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return store, db.Close, nil
}
