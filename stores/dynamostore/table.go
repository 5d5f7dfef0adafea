package dynamostore

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit/driver"
)

// table is the driver.
type table struct {
	client                      *dynamodb.Client
	name                        string
	consistent                  bool
	ttl                         bool
	users                       bool // the table has an index of users: see userTable
	readCapacity, writeCapacity int64
	now                         func() time.Time

	mu    sync.Mutex
	swept item // the key after which the next sweep starts; nil for the start of the table
}

var (
	_ driver.Driver        = (*table)(nil)
	_ driver.Ranger        = (*table)(nil)
	_ driver.Sweeper       = (*table)(nil)
	_ driver.SchemaManager = (*table)(nil)
	_ driver.SizeLimiter   = (*table)(nil)
)

// Conditions and updates. All names are placeholders, because DynamoDB reserves more than 500
// words.
const (
	condAbsent  = "attribute_not_exists(#id) OR #expiry <= :now"
	condLive    = "#version = :held AND #expiry > :now"
	condNotDead = "attribute_not_exists(#id) OR #expiry > :now"

	setFields = "SET #version = :version, #expiry = :expiry, #updated = :updated, " +
		"#seen = :seen, #expireat = :expireat"
	setCreated = ", #created = if_not_exists(#created, :created)"
	setData    = ", #data = :data"
	setUser    = ", #user = :user"
	noData     = "#data"
	noUser     = "#user"
	setTouched = "SET #expiry = :expiry, #seen = :seen, #expireat = :expireat"
)

// Load reads once more with strong consistency if it finds no record. An eventually consistent read
// may miss a session that was just created or touched, and its cookie would be removed.
func (t *table) Load(ctx context.Context, id string) (driver.Record, error) {
	rec, err := t.get(ctx, id, t.consistent)
	if errors.Is(err, driver.ErrNotFound) && !t.consistent {
		return t.get(ctx, id, true)
	}
	return rec, err
}

func (t *table) get(ctx context.Context, id string, consistent bool) (driver.Record, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(id), ConsistentRead: &consistent,
	})
	if err != nil {
		return driver.Record{}, t.failure(ctx, "load", err)
	}
	if len(out.Item) == 0 {
		return driver.Record{}, driver.ErrNotFound
	}
	rec, err := decode(out.Item)
	if err != nil {
		return driver.Record{}, t.failure(ctx, "load", err)
	}
	if rec.Expiry.UnixMilli() <= t.millis() {
		return driver.Record{}, driver.ErrNotFound
	}
	return rec, nil
}

func (t *table) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if len(rec.Data) > maxData {
		return &driver.TooLargeError{Size: len(rec.Data), Limit: maxData}
	}
	if !t.users {
		rec.User = ""
	}
	var err error
	if held, ok := cond.Match(); ok {
		err = t.update(ctx, rec, held)
	} else if cond.Absent() {
		err = t.create(ctx, rec)
	} else {
		err = t.overwrite(ctx, rec)
	}
	switch {
	case isConditionFailed(err):
		return driver.ErrConflict
	case isItemTooLarge(err): // possible although maxData was checked: DynamoDB's count is decisive
		return &driver.TooLargeError{Size: len(rec.Data), Limit: len(rec.Data) - 1}
	case err != nil:
		return t.failure(ctx, "save", err)
	}
	return nil
}

func (t *table) create(ctx context.Context, rec driver.Record) error {
	_, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 &t.name,
		Item:                      encode(rec),
		ConditionExpression:       aws.String(condAbsent),
		ExpressionAttributeNames:  map[string]string{"#id": attrID, "#expiry": attrExpiry},
		ExpressionAttributeValues: item{":now": number(t.millis())},
	})
	return err
}

func (t *table) update(ctx context.Context, rec driver.Record, held int64) error {
	in := t.updateOf(rec, setFields, condLive)
	in.ExpressionAttributeValues[":held"] = number(held)
	_, err := t.client.UpdateItem(ctx, in)
	return err
}

// overwriteAttempts is the maximum number of attempts of an overwrite, if the record expires and is
// created again in between.
const overwriteAttempts = 5

// overwrite keeps the created of a live record, which takes an update, but not that of an expired
// record, which takes a put. Ids of expired records are rarely saved again, so one request is
// almost always enough.
func (t *table) overwrite(ctx context.Context, rec driver.Record) (err error) {
	for range overwriteAttempts {
		in := t.updateOf(rec, setFields+setCreated, condNotDead)
		in.ExpressionAttributeNames["#id"] = attrID
		in.ExpressionAttributeNames["#created"] = attrCreated
		in.ExpressionAttributeValues[":created"] = number(rec.Created.UnixMilli())
		if _, err = t.client.UpdateItem(ctx, in); !isConditionFailed(err) {
			return err
		}
		if err = t.create(ctx, rec); !isConditionFailed(err) {
			return err
		}
	}
	return err
}

// updateOf returns the update with the attributes that every save sets.
func (t *table) updateOf(rec driver.Record, set, cond string) *dynamodb.UpdateItemInput {
	in := &dynamodb.UpdateItemInput{
		TableName:           &t.name,
		Key:                 key(rec.ID),
		ConditionExpression: &cond,
		ExpressionAttributeNames: map[string]string{
			"#data":     attrData,
			"#version":  attrVersion,
			"#expiry":   attrExpiry,
			"#updated":  attrUpdated,
			"#seen":     attrSeen,
			"#expireat": attrExpireAt,
		},
		ExpressionAttributeValues: item{
			":version":  number(rec.Version),
			":expiry":   number(rec.Expiry.UnixMilli()),
			":updated":  number(rec.Updated.UnixMilli()),
			":seen":     number(rec.Seen.UnixMilli()),
			":expireat": number(seconds(rec.Expiry)),
			":now":      number(t.millis()),
		},
	}
	var remove []string
	if len(rec.Data) > 0 {
		set += setData
		in.ExpressionAttributeValues[":data"] = &types.AttributeValueMemberB{Value: rec.Data}
	} else {
		remove = append(remove, noData)
	}
	if t.users {
		in.ExpressionAttributeNames["#user"] = attrUser
		if rec.User != "" {
			set += setUser
			in.ExpressionAttributeValues[":user"] = binary(rec.User)
		} else {
			remove = append(remove, noUser)
		}
	}
	if len(remove) > 0 {
		set += " REMOVE " + strings.Join(remove, ", ")
	}
	in.UpdateExpression = &set
	return in
}

func (t *table) Touch(ctx context.Context, rec driver.Record) error {
	_, err := t.client.UpdateItem(ctx, t.touchOf(rec))
	if isConditionFailed(err) {
		return driver.ErrConflict
	}
	if err != nil {
		return t.failure(ctx, "touch", err)
	}
	return nil
}

// touchOf returns the update of a touch. It sets no attribute of the index of users, so that a
// touch does not write to the index.
func (t *table) touchOf(rec driver.Record) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName:           &t.name,
		Key:                 key(rec.ID),
		UpdateExpression:    aws.String(setTouched),
		ConditionExpression: aws.String(condLive),
		ExpressionAttributeNames: map[string]string{
			"#version":  attrVersion,
			"#expiry":   attrExpiry,
			"#seen":     attrSeen,
			"#expireat": attrExpireAt,
		},
		ExpressionAttributeValues: item{
			":held":     number(rec.Version),
			":expiry":   number(rec.Expiry.UnixMilli()),
			":seen":     number(rec.Seen.UnixMilli()),
			":expireat": number(seconds(rec.Expiry)),
			":now":      number(t.millis()),
		},
	}
}

func (t *table) Delete(ctx context.Context, id string, cond driver.Condition) error {
	in := &dynamodb.DeleteItemInput{
		TableName:                &t.name,
		Key:                      key(id),
		ConditionExpression:      aws.String("attribute_exists(#id)"),
		ExpressionAttributeNames: map[string]string{"#id": attrID},
	}
	missing := driver.ErrNotFound
	if v, ok := cond.Match(); ok {
		in.ConditionExpression = aws.String("#version = :held")
		in.ExpressionAttributeNames = map[string]string{"#version": attrVersion}
		in.ExpressionAttributeValues = item{":held": number(v)}
		missing = driver.ErrConflict
	}
	_, err := t.client.DeleteItem(ctx, in)
	if isConditionFailed(err) {
		return missing
	}
	if err != nil {
		return t.failure(ctx, "delete", err)
	}
	return nil
}

// Range reads pages of 1 MB, DynamoDB's limit. It holds nothing between them.
func (t *table) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		var from item
		for more := true; more; {
			out, err := t.client.Scan(ctx, t.scan("#expiry > :now", from))
			if err != nil {
				yield(driver.Record{}, t.failure(ctx, "range", err))
				return
			}
			for _, it := range out.Items {
				var rec driver.Record
				if err = ctx.Err(); err == nil {
					rec, err = decode(it)
				}
				if err != nil {
					yield(driver.Record{}, t.failure(ctx, "range", err))
					return
				}
				if !yield(rec, nil) {
					return
				}
			}
			from = out.LastEvaluatedKey
			more = len(from) > 0
		}
	}
}

func (t *table) scan(filter string, from item) *dynamodb.ScanInput {
	return &dynamodb.ScanInput{
		TableName:                 &t.name,
		ConsistentRead:            &t.consistent,
		ExclusiveStartKey:         from,
		FilterExpression:          &filter,
		ExpressionAttributeNames:  map[string]string{"#expiry": attrExpiry},
		ExpressionAttributeValues: item{":now": number(t.millis())},
	}
}

// MaxData implements driver.SizeLimiter.
func (t *table) MaxData() int { return maxData }

// millis returns the time of the store's clock, rounded down to the millisecond like every time in
// the table except expire_at, so that no record outlives its expiry.
func (t *table) millis() int64 { return t.now().UnixMilli() }

func isConditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}
