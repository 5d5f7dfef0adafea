package stores_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/sqlite"
)

func ExampleOpen() {
	// Or postgres://app@db.internal/app, from a flag or the environment.
	if err := signIn(context.Background(), "memory:"); err != nil {
		log.Fatal(err)
	}
	// Output: ada
}

func signIn(ctx context.Context, url string) error {
	store, closeStore, err := stores.Open(ctx, url, nil)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := store.CreateSchema(ctx); err != nil { // it is fine if the table is there
		return err
	}
	sessions := scskit.New(store)

	ctx, err = sessions.Load(ctx, "")
	if err != nil {
		return err
	}
	sessions.Put(ctx, "user", "ada")
	fmt.Println(sessions.GetString(ctx, "user"))
	_, _, err = sessions.Commit(ctx)
	return err
}

func ExampleDescribe() {
	// A URL of a server gives its host and database, if its backend is imported.
	fmt.Println(stores.Describe("sqlite:/var/lib/app/sessions.db?pool_size=5"))
	// Output: SQLite, sessions.db
}
