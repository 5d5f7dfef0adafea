package dynamostore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
)

func ExampleNew() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx, local()...) // without local: AWS itself
	if err != nil {
		log.Fatal(err)
	}
	store, err := dynamostore.New(dynamodb.NewFromConfig(cfg), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(ctx); err != nil {
		log.Fatal(err)
	}
	sm := scskit.New(store)

	ctx, err = sm.Load(ctx, "")
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

// local returns what leads to the tests' server.
func local() []func(*config.LoadOptions) error {
	server, err := testenv.Find(testenv.KindDynamoDB)
	if err != nil {
		log.Fatal(err)
	}
	return []func(*config.LoadOptions) error{
		config.WithRegion("eu-central-1"),
		config.WithCredentialsProvider(aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("local", "local", ""))),
		config.WithBaseEndpoint(server.URL),
	}
}
