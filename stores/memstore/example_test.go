package memstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleNew() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sm := scskit.New(store)

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
