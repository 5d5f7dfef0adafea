package peers

import (
	"context"
	"testing"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
)

var pgxstorePeer = peer{
	module:  "github.com/alexedwards/scs/pgxstore",
	backend: "PostgreSQL",
	needs:   []testenv.Kind{testenv.KindPostgres},
	Store: conformance.Store{
		Name:   "pgxstore",
		New:    newPgxstore,
		Reopen: reopen,
		Exempt: failing(map[string]string{
			"contract/empty-payload": nullData,
			"hostile/malformed-token": "it compares the token as text, and PostgreSQL refuses text " +
				"that is not UTF-8",
		}),
	},
}

// newPgxstore creates a schema for the store, since the store's table has a fixed name. The table
// is the documented one.
func newPgxstore(tb testing.TB) scs.Store {
	tb.Helper()
	name, ctx := testenv.Name(tb), context.Background()
	pool := openPostgres(tb, name)
	for _, stmt := range []string{
		"CREATE SCHEMA " + name,
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, " +
			"data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)",
		"CREATE INDEX sessions_expiry_idx ON sessions (expiry)",
	} {
		if _, err := pool.Exec(ctx, stmt); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		if _, err := pool.Exec(ctx, "DROP SCHEMA "+name+" CASCADE"); err != nil {
			tb.Error(err)
		}
	})
	return reopenable(tb, pgxstore.NewWithCleanupInterval(pool, 0), func(tb testing.TB) scs.Store {
		return pgxstore.NewWithCleanupInterval(openPostgres(tb, name), 0)
	})
}

func openPostgres(tb testing.TB, schema string) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(testenv.Postgres(tb))
	if err != nil {
		tb.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = schema
	config.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}
