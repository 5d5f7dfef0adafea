package sqlstore_test

import (
	"context"
	"database/sql"
	"log"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/sqlstore"
)

// The driver of database/sql is yours: here github.com/jackc/pgx/v5/stdlib.
func ExampleNew() {
	db, err := sql.Open("pgx", "postgres://shop@localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, sqlstore.PostgreSQL(), &sqlstore.Options{
		Options: scskit.Options{UserKey: "user"},
		Table:   "shop_sessions",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(context.Background()); err != nil { // no error if it exists
		log.Fatal(err)
	}
	stop := store.StartSweep(time.Hour) // SQL databases keep expired sessions until you sweep
	defer stop()
	_ = scskit.New(store)
}
