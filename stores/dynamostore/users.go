package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// indexName is the name of the global secondary index of users.
const indexName = "user"

// userTable is the driver for a table with an index of users.
type userTable struct{ *table }

var _ driver.UserIndex = (*userTable)(nil)

// batchSize is the maximum number of items in one BatchGetItem.
const batchSize = 100

// RangeUser queries the index for ids, in pages of the size that one request can read from the
// table. The index may list a record that has changed its user or no longer exists, so RangeUser
// checks the record in the table.
func (t *userTable) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		fail := func(err error) { yield(driver.Record{}, t.indexFailure(ctx, "range user", err)) }
		var from item
		for more := true; more; {
			out, err := t.client.Query(ctx, t.query(user, from))
			if err != nil {
				fail(err)
				return
			}
			for it, err := range t.items(ctx, out.Items) {
				var rec driver.Record
				if err == nil {
					err = ctx.Err()
				}
				if err == nil {
					rec, err = decode(it)
				}
				if err != nil {
					fail(err)
					return
				}
				if rec.User == user && rec.Expiry.UnixMilli() > t.millis() && !yield(rec, nil) {
					return
				}
			}
			from = out.LastEvaluatedKey
			more = len(from) > 0
		}
	}
}

func (t *table) query(user string, from item) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &t.name,
		IndexName:                 aws.String(indexName),
		KeyConditionExpression:    aws.String("#user = :user"),
		ProjectionExpression:      aws.String("#id"),
		ExpressionAttributeNames:  map[string]string{"#user": attrUser, "#id": attrID},
		ExpressionAttributeValues: item{":user": binary(user)},
		ExclusiveStartKey:         from,
		Limit:                     aws.Int32(batchSize),
	}
}

// items reads the items with the given keys from the table. The reads are strongly consistent,
// whatever the options say, because RangeUser must check the user and the expiry. DynamoDB returns
// at most 16 MB, and less if it throttles. items then requests the rest, with a longer pause each
// time that DynamoDB returns nothing.
func (t *table) items(ctx context.Context, keys []item) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		rest := make([]item, len(keys))
		for i, k := range keys {
			rest[i] = item{attrID: k[attrID]}
		}
		for empty := 0; len(rest) > 0; {
			request := types.KeysAndAttributes{Keys: rest, ConsistentRead: aws.Bool(true)}
			out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{t.name: request},
			})
			if err == nil && len(out.Responses[t.name]) == 0 && len(out.UnprocessedKeys) > 0 {
				err = pause(ctx, empty)
				empty++
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range out.Responses[t.name] {
				empty = 0
				if !yield(it, nil) {
					return
				}
			}
			rest = out.UnprocessedKeys[t.name].Keys
		}
	}
}

// pause waits a random time: up to 50 ms at first, and up to a second in later attempts.
func pause(ctx context.Context, attempt int) error {
	return bound.Sleep(ctx, rand.N(min(50*time.Millisecond<<min(attempt, 5), time.Second)))
}

// indexFailure is failure with an error of its own for a missing index.
func (t *table) indexFailure(ctx context.Context, op string, err error) error {
	var api smithy.APIError
	if ctx.Err() == nil && errors.As(err, &api) && api.ErrorCode() == codeInvalid &&
		strings.Contains(api.ErrorMessage(), "specified index") {
		return t.noIndex(op)
	}
	return t.failure(ctx, op, err)
}

// indexProjection limits the index to the id, so that saves and touches do not write to it.
func indexProjection() *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
}

// createIndex adds the index to an existing table and waits until it is usable.
func (t *table) createIndex(ctx context.Context, op string, d *types.TableDescription) error {
	if indexOf(d) == nil {
		if err := t.addIndex(ctx, op, d.ProvisionedThroughput); err != nil {
			return err
		}
	}
	waiter := dynamodb.NewTableExistsWaiter(t.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minPoll, maxPoll
		o.Retryable = indexPending
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, maxWait)
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	return t.checkIndex(op, out.Table)
}

// addIndex adds the index with the table's capacity. If DynamoDB refuses that, another program may
// have added it first, so addIndex checks again.
func (t *table) addIndex(
	ctx context.Context, op string, capacity *types.ProvisionedThroughputDescription,
) error {
	action := &types.CreateGlobalSecondaryIndexAction{
		IndexName:  aws.String(indexName),
		KeySchema:  hashKey(attrUser),
		Projection: indexProjection(),
	}
	if capacity != nil && aws.ToInt64(capacity.ReadCapacityUnits) > 0 {
		action.ProvisionedThroughput = &types.ProvisionedThroughput{
			ReadCapacityUnits:  capacity.ReadCapacityUnits,
			WriteCapacityUnits: capacity.WriteCapacityUnits,
		}
	}
	_, refused := t.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName:                   &t.name,
		AttributeDefinitions:        []types.AttributeDefinition{binaryAttribute(attrUser)},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: action}},
	})
	if refused == nil {
		return nil
	}
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	if err != nil || indexOf(out.Table) == nil {
		return t.failureExplained(ctx, op, refused)
	}
	return nil
}

// indexPending reports whether to wait for the index any longer.
func indexPending(
	_ context.Context, _ *dynamodb.DescribeTableInput, out *dynamodb.DescribeTableOutput, err error,
) (bool, error) {
	if err != nil {
		return false, err
	}
	i := indexOf(out.Table)
	return i == nil || i.IndexStatus == types.IndexStatusCreating, nil
}

// checkIndex returns nil if the table has the index and the index is usable.
func (t *table) checkIndex(op string, d *types.TableDescription) error {
	i := indexOf(d)
	if i == nil {
		return t.noIndex(op)
	}
	if !isOurIndex(d, i) {
		return fmt.Errorf("dynamostore: %s: %w: the key of the index %s of table %s is not the "+
			"binary attribute %s alone: delete the index first",
			op, driver.ErrNoSchema, indexName, t.name, attrUser)
	}
	switch s := i.IndexStatus; s {
	case types.IndexStatusActive, types.IndexStatusUpdating:
		return nil
	default:
		return fmt.Errorf("dynamostore: %s: %w: the index %s of table %s is %s: wait until it is "+
			"ACTIVE; if it is being deleted, add it again with the store's CreateSchema",
			op, driver.ErrNoSchema, indexName, t.name, s)
	}
}

func (t *table) noIndex(op string) error {
	return fmt.Errorf("dynamostore: %s: %w: table %s has no index %s, which Options.UserKey "+
		"requires: add it with the store's CreateSchema", op, driver.ErrNoSchema, t.name, indexName)
}

func indexOf(d *types.TableDescription) *types.GlobalSecondaryIndexDescription {
	if d == nil {
		return nil
	}
	for i := range d.GlobalSecondaryIndexes {
		if aws.ToString(d.GlobalSecondaryIndexes[i].IndexName) == indexName {
			return &d.GlobalSecondaryIndexes[i]
		}
	}
	return nil
}

func isOurIndex(d *types.TableDescription, i *types.GlobalSecondaryIndexDescription) bool {
	return hasBinaryKey(d, i.KeySchema, attrUser)
}
