package migrate_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/migrate"
	"github.com/scskit/scskit/stores/memstore"
)

func ExampleCopy() {
	ctx := context.Background()
	from, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	to, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	deadline := time.Now().Add(time.Hour)
	for _, token := range []string{"one", "two"} {
		data, err := from.Codec().Encode(deadline, map[string]any{"user": token})
		if err != nil {
			log.Fatal(err)
		}
		if err := from.CommitCtx(scskit.WithTracker(ctx), token, data, deadline); err != nil {
			log.Fatal(err)
		}
	}

	report, err := migrate.Copy(ctx, from, to, &migrate.Options{Rate: 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	result, err := migrate.Compare(ctx, from, to)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.To.Sessions, result.Equal())
	// Output:
	// 2 listed, 2 copied
	// 2 true
}
