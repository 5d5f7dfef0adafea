package redisstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/redisstore"
)

func ExampleNew() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{redisAddr()}, // such as "localhost:6379"
		ContextTimeoutEnabled: true,                  // fastest: see the package documentation
	})
	store, err := redisstore.New(rdb, nil)
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

// redisAddr returns the address of the test server.
func redisAddr() string {
	server, err := testenv.Find(testenv.KindRedis)
	if err != nil {
		log.Fatal(err)
	}
	return server.URL
}
