package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/alexedwards/scs/v2"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit/stores/sqlstore"
)

func ExampleNew() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1) // in memory only; a file takes many

	store, err := sqlstore.New(db, sqlstore.SQLite(), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(context.Background()); err != nil {
		log.Fatal(err)
	}

	sm := scs.New()
	sm.Store = store
	sm.Codec = store.Codec()

	ctx, err := sm.Load(context.Background(), "")
	if err != nil {
		log.Fatal(err)
	}
	sm.Put(ctx, "user", "ada")
	token, _, err := sm.Commit(ctx)
	if err != nil {
		log.Fatal(err)
	}

	ctx, err = sm.Load(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sm.GetString(ctx, "user"))
	// Output: ada
}
