package dynamostore

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sweepers is the number of concurrent deletes of a sweep: enough for a batch to finish within the
// store's timeout, but not so many that DynamoDB throttles a small table.
const sweepers = 8

// Sweep reads the table and deletes expired records. If the last sweep reached its limit or failed,
// it starts where that one stopped. So it reads the table only once, however many batches that
// takes, and it also gets through a table that is too large for one timeout.
//
// Each record is deleted in a request of its own, on the condition that it has expired. DynamoDB's
// batches have no conditions, and would delete a record that is renewed in the meantime. Sweep
// removes only records that have expired by both clocks, the program's and DynamoDB's, so that a
// wrong clock can only delay their removal.
func (t *table) Sweep(ctx context.Context, limit int) (removed int, err error) {
	t.mu.Lock()
	from := t.swept
	t.swept = nil
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.swept = from
		t.mu.Unlock()
	}()

	for removed < limit {
		in := t.scan("#expiry <= :now", from)
		in.ProjectionExpression = aws.String("#id")
		in.ExpressionAttributeNames["#id"] = attrID
		out, err := t.client.Scan(ctx, in)
		if err != nil {
			return removed, t.failure(ctx, "sweep", err)
		}
		now := min(t.millis(), serverMillis(out))
		for len(out.Items) > 0 && removed < limit {
			batch := out.Items[:min(limit-removed, len(out.Items))]
			out.Items = out.Items[len(batch):]
			n, err := t.remove(ctx, batch, now)
			removed += n
			if err != nil {
				return removed, t.failure(ctx, "sweep", err) // from is still before this batch
			}
			from = item{attrID: batch[len(batch)-1][attrID]}
		}
		if len(out.Items) > 0 {
			break
		}
		if from = out.LastEvaluatedKey; len(from) == 0 {
			from = nil
			break
		}
	}
	return removed, nil
}

// serverMillis returns the time of DynamoDB's answer, rounded up because answers hold it in
// seconds.
func serverMillis(out *dynamodb.ScanOutput) int64 {
	at, ok := middleware.GetServerTime(out.ResultMetadata)
	if !ok {
		return math.MaxInt64
	}
	return at.Add(time.Second).UnixMilli()
}

// remove deletes the items that have expired at the given time, and returns how many it deleted. It
// starts no more deletes after an error.
func (t *table) remove(ctx context.Context, keys []item, at int64) (removed int, err error) {
	now := number(at)
	next := make(chan item)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range min(sweepers, len(keys)) {
		workers.Go(func() {
			for k := range next {
				n, e := t.removeExpired(ctx, k, now)
				mu.Lock()
				removed += n
				if err == nil {
					err = e
				}
				mu.Unlock()
			}
		})
	}
	for _, k := range keys {
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed {
			break
		}
		next <- item{attrID: k[attrID]}
	}
	close(next)
	workers.Wait()
	return removed, err
}

func (t *table) removeExpired(ctx context.Context, k item, now types.AttributeValue) (int, error) {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 &t.name,
		Key:                       k,
		ConditionExpression:       aws.String("#expiry <= :now"),
		ExpressionAttributeNames:  map[string]string{"#expiry": attrExpiry},
		ExpressionAttributeValues: item{":now": now},
	})
	if isConditionFailed(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}
