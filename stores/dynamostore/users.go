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
)

// indexName is the name of the global secondary index of users.
const indexName = "user"

// userTable is the driver of a table with an index of users.
type userTable struct{ *table }

var _ driver.UserIndex = (*userTable)(nil)

// batchSize is how many items one BatchGetItem takes.
const batchSize = 100

// RangeUser asks the index for ids, as many at a time as one request then reads from the table. The
// index may name a record that has another user by now, or none; the table decides.
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

// items reads the items with the given keys from the table, strongly consistent whatever the
// options say: whose a session is and whether it lives is what is asked for. DynamoDB returns 16 MB
// at most, and less when it is throttled; for the rest it is asked again, later each time that it
// returned nothing.
func (t *table) items(ctx context.Context, keys []item) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		rest := make([]item, len(keys))
		for i, k := range keys {
			rest[i] = item{attrID: k[attrID]}
		}
		for nothing := 0; len(rest) > 0; {
			out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{t.name: {Keys: rest,
					ConsistentRead: aws.Bool(true)}},
			})
			if err == nil && len(out.Responses[t.name]) == 0 && len(out.UnprocessedKeys) > 0 {
				err = pause(ctx, nothing)
				nothing++
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range out.Responses[t.name] {
				nothing = 0
				if !yield(it, nil) {
					return
				}
			}
			rest = out.UnprocessedKeys[t.name].Keys
		}
	}
}

// pause waits a random time, up to 50 ms at first and a second later on.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(min(50*time.Millisecond<<min(attempt, 5), time.Second)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// indexFailure is failure, and says so if what is missing is the index.
func (t *table) indexFailure(ctx context.Context, op string, err error) error {
	var api smithy.APIError
	if ctx.Err() == nil && errors.As(err, &api) && api.ErrorCode() == "ValidationException" &&
		strings.Contains(api.ErrorMessage(), "specified index") {
		return t.noIndex(op)
	}
	return t.failure(ctx, op, err)
}

func indexAttribute() types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: aws.String(attrUser),
		AttributeType: types.ScalarAttributeTypeB}
}

func indexKey() []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: aws.String(attrUser), KeyType: types.KeyTypeHash}}
}

// indexProjection has the index hold the id and nothing else, so that saves and touches need not
// write it.
func indexProjection() *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
}

// createIndex adds the index to a table that is there, with the table's own capacity, and waits
// until it can be asked. Of two that add it at once, DynamoDB refuses one.
func (t *table) createIndex(ctx context.Context, op string, d *types.TableDescription) error {
	if indexOf(d) == nil {
		action := &types.CreateGlobalSecondaryIndexAction{IndexName: aws.String(indexName),
			KeySchema: indexKey(), Projection: indexProjection()}
		if p := d.ProvisionedThroughput; p != nil && aws.ToInt64(p.ReadCapacityUnits) > 0 {
			action.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: p.ReadCapacityUnits, WriteCapacityUnits: p.WriteCapacityUnits}
		}
		_, refused := t.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
			TableName:                   &t.name,
			AttributeDefinitions:        []types.AttributeDefinition{indexAttribute()},
			GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: action}},
		})
		if refused != nil {
			out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
			if err != nil || indexOf(out.Table) == nil {
				return t.failureExplained(ctx, op, refused)
			}
		}
	}
	waiter := dynamodb.NewTableExistsWaiter(t.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = lookSoon, lookLate
		o.Retryable = func(_ context.Context, _ *dynamodb.DescribeTableInput,
			out *dynamodb.DescribeTableOutput, err error) (bool, error) {
			if err != nil {
				return false, err
			}
			i := indexOf(out.Table)
			return i == nil || i.IndexStatus == types.IndexStatusCreating, nil
		}
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, patience)
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	return t.checkIndex(op, out.Table)
}

// checkIndex returns nil if the table has the index, and it can be asked.
func (t *table) checkIndex(op string, d *types.TableDescription) error {
	i := indexOf(d)
	if i == nil {
		return t.noIndex(op)
	}
	if !isOurIndex(d, i) {
		return fmt.Errorf("dynamostore: %s: %w: the index %s of table %s is another one, whose key is "+
			"not the binary attribute %s alone: delete it first",
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
	return fmt.Errorf("dynamostore: %s: %w: table %s has no index %s, which Options.UserKey asks "+
		"for: add it with the store's CreateSchema", op, driver.ErrNoSchema, t.name, indexName)
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
	if len(i.KeySchema) != 1 || aws.ToString(i.KeySchema[0].AttributeName) != attrUser {
		return false
	}
	for _, a := range d.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == attrUser {
			return a.AttributeType == types.ScalarAttributeTypeB
		}
	}
	return false
}
