package dynamostore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
)

func ExampleNew() {
	ctx := context.Background()
	cfg := local() // for AWS itself: config.LoadDefaultConfig(ctx)
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

// local returns the configuration for the test server.
func local() aws.Config {
	server, err := testenv.Find(testenv.KindDynamoDB)
	if err != nil {
		log.Fatal(err)
	}
	keys := func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
	}
	return aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(keys),
	}
}
