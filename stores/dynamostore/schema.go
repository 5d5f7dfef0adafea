package dynamostore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit/driver"
)

// schemaFix is the advice of errors that match driver.ErrNoSchema.
const schemaFix = "create it with the store's CreateSchema, or apply its Schema by hand"

// CreateSchema and DropSchema poll the table, first after minPoll and later every maxPoll. They
// wait at most maxWait, even if the context has no deadline.
const (
	minPoll = 200 * time.Millisecond
	maxPoll = 5 * time.Second
	maxWait = 10 * time.Minute
)

// CreateSchema creates the table, waits until it exists, and turns its TTL on. It adds the index of
// users if the options require it and it is missing. If a table with the same name has another key,
// CreateSchema returns an error and does not change the table.
func (t *table) CreateSchema(ctx context.Context) error {
	const op = "create schema"
	_, err := t.client.CreateTable(ctx, t.definition())
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return t.failureExplained(ctx, op, err)
	}
	waiter := dynamodb.NewTableExistsWaiter(t.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minPoll, maxPoll
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, maxWait)
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	if !isOurs(out.Table) {
		return t.foreign(op)
	}
	if t.ttl {
		if err := t.enableTTL(ctx, op); err != nil {
			return err
		}
	}
	if t.users {
		return t.createIndex(ctx, op, out.Table)
	}
	return nil
}

// enableTTL turns TTL on if it is off. If DynamoDB refuses that, another program may have turned it
// on first, so enableTTL checks again.
func (t *table) enableTTL(ctx context.Context, op string) error {
	on, err := t.ttlEnabled(ctx, op)
	if on || err != nil {
		return err
	}
	_, err = t.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &t.name,
		TimeToLiveSpecification: t.ttlSpecification(),
	})
	if err == nil {
		return nil
	}
	if on, e := t.ttlEnabled(ctx, op); on || e != nil {
		return e
	}
	return t.failureExplained(ctx, op, err)
}

// ttlEnabled reports whether the table's TTL uses the attribute expire_at. It returns an error if
// the TTL uses another attribute.
func (t *table) ttlEnabled(ctx context.Context, op string) (bool, error) {
	in := &dynamodb.DescribeTimeToLiveInput{TableName: &t.name}
	out, err := t.client.DescribeTimeToLive(ctx, in)
	if err != nil {
		return false, t.failureExplained(ctx, op, err)
	}
	d := out.TimeToLiveDescription
	if d == nil || d.TimeToLiveStatus != types.TimeToLiveStatusEnabled &&
		d.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		return false, nil
	}
	if name := aws.ToString(d.AttributeName); name != attrExpireAt {
		return false, fmt.Errorf("dynamostore: %s: %w: the TTL of table %s uses the attribute %s, "+
			"not %s: turn it off first", op, driver.ErrNoSchema, t.name, name, attrExpireAt)
	}
	return true, nil
}

// CheckSchema checks the table, its key, its TTL and its index.
func (t *table) CheckSchema(ctx context.Context) error {
	const op = "check schema"
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	if !isOurs(out.Table) {
		return t.foreign(op)
	}
	switch s := out.Table.TableStatus; s {
	case types.TableStatusActive, types.TableStatusUpdating:
	default:
		return fmt.Errorf("dynamostore: %s: %w: table %s is %s: wait until it is ACTIVE; if it is "+
			"being deleted, %s", op, driver.ErrNoSchema, t.name, s, schemaFix)
	}
	if t.users {
		if err := t.checkIndex(op, out.Table); err != nil {
			return err
		}
	}
	if !t.ttl {
		return nil
	}
	on, err := t.ttlEnabled(ctx, op)
	if err == nil && !on {
		err = fmt.Errorf("dynamostore: %s: %w: table %s has no TTL on %s: turn it on with the store's "+
			"CreateSchema", op, driver.ErrNoSchema, t.name, attrExpireAt)
	}
	return err
}

// DropSchema deletes the table with everything in it, and waits until it no longer exists. If the
// table has another key, DropSchema returns an error and does not delete it.
func (t *table) DropSchema(ctx context.Context) error {
	const op = "drop schema"
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	if !isOurs(out.Table) {
		return t.foreign(op)
	}
	if out.Table.TableStatus != types.TableStatusDeleting {
		_, err := t.client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &t.name})
		if err != nil && !isMissing(err) {
			return t.failureExplained(ctx, op, err)
		}
	}
	delays := func(o *dynamodb.TableNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minPoll, maxPoll
	}
	waiter := dynamodb.NewTableNotExistsWaiter(t.client, delays)
	err = waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, maxWait)
	if err != nil {
		return t.failureExplained(ctx, op, err)
	}
	return nil
}

// Schema returns the commands of the AWS command line that create the table and turn its TTL on.
func (t *table) Schema() string {
	d := t.definition()
	create := tableJSON{TableName: t.name, BillingMode: d.BillingMode}
	for _, a := range d.AttributeDefinitions {
		create.AttributeDefinitions = append(create.AttributeDefinitions,
			attributeJSON{*a.AttributeName, a.AttributeType})
	}
	create.KeySchema = keysJSON(d.KeySchema)
	create.ProvisionedThroughput = capacityJSON(d.ProvisionedThroughput)
	for _, i := range d.GlobalSecondaryIndexes {
		create.GlobalSecondaryIndexes = append(create.GlobalSecondaryIndexes, indexJSON{
			IndexName:             *i.IndexName,
			KeySchema:             keysJSON(i.KeySchema),
			Projection:            projectionJSON{i.Projection.ProjectionType},
			ProvisionedThroughput: capacityJSON(i.ProvisionedThroughput),
		})
	}
	var b strings.Builder
	print := func(command string, v any) {
		text, _ := json.MarshalIndent(v, "", "  ") // cannot fail for these types
		fmt.Fprintf(&b, "aws dynamodb %s --cli-input-json '%s'\n", command, text)
	}
	print("create-table", create)
	if t.ttl {
		fmt.Fprintf(&b, "\naws dynamodb wait table-exists --table-name %s\n\n", t.name)
		print("update-time-to-live", ttlJSON{t.name, ttlSpecificationJSON{true, attrExpireAt}})
	}
	return b.String()
}

// The SDK's types have no JSON tags, so they would also write their empty fields.
type (
	tableJSON struct {
		TableName             string
		AttributeDefinitions  []attributeJSON
		KeySchema             []keyJSON
		BillingMode           types.BillingMode
		ProvisionedThroughput *throughputJSON `json:",omitempty"`

		GlobalSecondaryIndexes []indexJSON `json:",omitempty"`
	}
	indexJSON struct {
		IndexName             string
		KeySchema             []keyJSON
		Projection            projectionJSON
		ProvisionedThroughput *throughputJSON `json:",omitempty"`
	}
	projectionJSON struct {
		ProjectionType types.ProjectionType
	}
	attributeJSON struct {
		AttributeName string
		AttributeType types.ScalarAttributeType
	}
	keyJSON struct {
		AttributeName string
		KeyType       types.KeyType
	}
	throughputJSON struct {
		ReadCapacityUnits, WriteCapacityUnits int64
	}
	ttlJSON struct {
		TableName               string
		TimeToLiveSpecification ttlSpecificationJSON
	}
	ttlSpecificationJSON struct {
		Enabled       bool
		AttributeName string
	}
)

func keysJSON(keys []types.KeySchemaElement) []keyJSON {
	var list []keyJSON
	for _, k := range keys {
		list = append(list, keyJSON{*k.AttributeName, k.KeyType})
	}
	return list
}

func capacityJSON(p *types.ProvisionedThroughput) *throughputJSON {
	if p == nil {
		return nil
	}
	return &throughputJSON{*p.ReadCapacityUnits, *p.WriteCapacityUnits}
}

func (t *table) definition() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:            &t.name,
		AttributeDefinitions: []types.AttributeDefinition{binaryAttribute(attrID)},
		KeySchema:            hashKey(attrID),
		BillingMode:          types.BillingModePayPerRequest,
	}
	if t.readCapacity > 0 {
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{
			ReadCapacityUnits:  &t.readCapacity,
			WriteCapacityUnits: &t.writeCapacity,
		}
	}
	if t.users {
		in.AttributeDefinitions = append(in.AttributeDefinitions, binaryAttribute(attrUser))
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName:             aws.String(indexName),
			KeySchema:             hashKey(attrUser),
			Projection:            indexProjection(),
			ProvisionedThroughput: in.ProvisionedThroughput,
		}}
	}
	return in
}

func binaryAttribute(name string) types.AttributeDefinition {
	return types.AttributeDefinition{
		AttributeName: &name,
		AttributeType: types.ScalarAttributeTypeB,
	}
}

func hashKey(name string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: &name, KeyType: types.KeyTypeHash}}
}

func (t *table) ttlSpecification() *types.TimeToLiveSpecification {
	return &types.TimeToLiveSpecification{
		AttributeName: aws.String(attrExpireAt),
		Enabled:       aws.Bool(true),
	}
}

// isOurs reports whether the table has the key that this package uses.
func isOurs(d *types.TableDescription) bool {
	return d != nil && hasBinaryKey(d, d.KeySchema, attrID)
}

// hasBinaryKey reports whether the key of a table or index is the named binary attribute alone.
func hasBinaryKey(d *types.TableDescription, key []types.KeySchemaElement, name string) bool {
	if len(key) != 1 || aws.ToString(key[0].AttributeName) != name {
		return false
	}
	for _, a := range d.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == name {
			return a.AttributeType == types.ScalarAttributeTypeB
		}
	}
	return false
}

// foreign returns the error for a table with another key.
func (t *table) foreign(op string) error {
	return fmt.Errorf("dynamostore: %s: %w: the key of table %s is not the binary attribute %s "+
		"alone, so another program may use it: choose another name in Options.Table",
		op, driver.ErrNoSchema, t.name, attrID)
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// failureExplained is failure for requests without records. It keeps the whole error, because that
// quotes no record.
func (t *table) failureExplained(ctx context.Context, op string, err error) error {
	if ctx.Err() == nil && !isMissing(err) && !isThrottled(err) {
		return fmt.Errorf("dynamostore: %s: %w", op, err)
	}
	return t.failure(ctx, op, err)
}
