package scskit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

type cart struct{ Items []string }

var cartOf = scskit.NewKey[cart]("cart")

func ExampleKey() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	ctx, err := sessions.Load(context.Background(), "") // an adapter does this
	if err != nil {
		log.Fatal(err)
	}

	c, _ := cartOf.Get(ctx, sessions)
	c.Items = append(c.Items, "tea")
	cartOf.Put(ctx, sessions, c)

	c, ok := cartOf.Get(ctx, sessions)
	fmt.Println(c.Items, ok)
	// Output: [tea] true
}
