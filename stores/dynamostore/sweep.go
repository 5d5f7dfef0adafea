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

// sweepers is how many deletes of a sweep are under way at a time: enough that a batch ends within
// the store's time-out, few enough that a small table is not throttled.
const sweepers = 8

// Sweep reads on in the table from where the last one stopped, at its limit or by an error, to the
// end, and deletes what has expired. So a table takes one reading however many batches it is swept
// in, and also one that is too large for one time-out is done in the end. A record is deleted on
// the condition that it has still expired, each in a request of its own: DynamoDB's batches have no
// conditions, and would delete one that is renewed meanwhile. What has not expired by both clocks,
// the program's and DynamoDB's, stays: a clock that is wrong makes a sweep late at worst.
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
				return removed, t.failure(ctx, "sweep", err) // from is before this page
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

// serverMillis is the time at which DynamoDB has answered, rounded up: answers tell it to the
// second.
func serverMillis(out *dynamodb.ScanOutput) int64 {
	at, ok := middleware.GetServerTime(out.ResultMetadata)
	if !ok {
		return math.MaxInt64
	}
	return at.Add(time.Second).UnixMilli()
}

// remove deletes those of the items that have expired at a time, and returns how many there were.
// After an error it begins no other.
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
