package scskit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleUpdate() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	ctx, err := sessions.Load(context.Background(), "") // in a handler, use the request's context
	if err != nil {
		log.Fatal(err)
	}
	err = scskit.Update(ctx, sessions, func(ctx context.Context) error {
		sessions.Put(ctx, "hits", sessions.GetInt(ctx, "hits")+1)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sessions.GetInt(ctx, "hits"))
	// Output: 1
}

// A role is taken away from a user who is signed in.
func ExampleStore_UpdateSessionsOf() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		UserKey: "user",
		Merge:   map[string]scskit.MergeFunc{"admin": scskit.MergeFirst, "cart": scskit.MergeMaps},
	}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	ctx, err := sessions.Load(context.Background(), "")
	if err != nil {
		log.Fatal(err)
	}
	sessions.Put(ctx, "user", "alice")
	sessions.Put(ctx, "admin", true)
	if _, _, err := sessions.Commit(ctx); err != nil {
		log.Fatal(err)
	}
	n, err := store.UpdateSessionsOf(ctx, "alice", func(values map[string]any) error {
		delete(values, "admin")
		return nil
	})
	fmt.Println(n, err)
	// Output: 1 <nil>
}
