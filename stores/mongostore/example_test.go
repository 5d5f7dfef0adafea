package mongostore_test

import (
	"context"
	"fmt"
	"log"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/mongostore"
)

func ExampleNew() {
	// such as "mongodb://localhost:27017"
	client, err := mongo.Connect(options.Client().ApplyURI(mongoURI()))
	if err != nil {
		log.Fatal(err)
	}
	store, err := mongostore.New(client.Database("shop").Collection("sessions"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(context.Background()); err != nil {
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

// mongoURI returns the URI of the test server.
func mongoURI() string {
	server, err := testenv.Find(testenv.KindMongo)
	if err != nil {
		log.Fatal(err)
	}
	return server.URL
}
