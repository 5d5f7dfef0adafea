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

// schemaFix is what an error that matches driver.ErrNoSchema advises.
const schemaFix = "create it with the store's CreateSchema, or apply its Schema by hand"

// How often a table that is being made or dropped is looked at, and for how long, if the
// context has no deadline.
const (
	lookSoon = 200 * time.Millisecond
	lookLate = 5 * time.Second
	patience = 10 * time.Minute
)

// CreateSchema makes the table, waits until it is there, turns its TTL on, and adds the index of
// users if it is asked for and missing. A table of that name with another key is left as it is, and
// an error.
func (t *table) CreateSchema(ctx context.Context) error {
	const op = "create schema"
	_, err := t.client.CreateTable(ctx, t.definition())
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return t.failureExplained(ctx, op, err)
	}
	waiter := dynamodb.NewTableExistsWaiter(t.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = lookSoon, lookLate
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, patience)
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

// enableTTL leaves alone what is on already. Of two that turn it on at once, DynamoDB refuses one.
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

// ttlEnabled reports whether the table's TTL goes by our attribute. That it goes by another is an
// error.
func (t *table) ttlEnabled(ctx context.Context, op string) (bool, error) {
	out, err := t.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &t.name})
	if err != nil {
		return false, t.failureExplained(ctx, op, err)
	}
	d := out.TimeToLiveDescription
	if d == nil || d.TimeToLiveStatus != types.TimeToLiveStatusEnabled &&
		d.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		return false, nil
	}
	if name := aws.ToString(d.AttributeName); name != attrExpireAt {
		return false, fmt.Errorf("dynamostore: %s: %w: the TTL of table %s goes by %s, not %s: turn it "+
			"off first", op, driver.ErrNoSchema, t.name, name, attrExpireAt)
	}
	return true, nil
}

// CheckSchema looks for the table, its key, its TTL, and its index.
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

// DropSchema deletes the table with everything in it, and waits until it is gone. A table with
// another key is not this store's, and is an error.
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
	waiter := dynamodb.NewTableNotExistsWaiter(t.client,
		func(o *dynamodb.TableNotExistsWaiterOptions) {
			o.MinDelay, o.MaxDelay = lookSoon, lookLate
		})
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &t.name},
		patience); err != nil {
		return t.failureExplained(ctx, op, err)
	}
	return nil
}

// Schema returns what aws dynamodb create-table and update-time-to-live take with --cli-input-json.
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
			*i.IndexName, keysJSON(i.KeySchema), projectionJSON{i.Projection.ProjectionType},
			capacityJSON(i.ProvisionedThroughput),
		})
	}
	var b strings.Builder
	print := func(command string, v any) {
		text, _ := json.MarshalIndent(v, "", "  ") // strings, integers and booleans: never fails
		fmt.Fprintf(&b, "aws dynamodb %s --cli-input-json '%s'\n", command, text)
	}
	print("create-table", create)
	if t.ttl {
		fmt.Fprintf(&b, "\naws dynamodb wait table-exists --table-name %s\n\n", t.name)
		print("update-time-to-live", ttlJSON{t.name, ttlSpecificationJSON{true, attrExpireAt}})
	}
	return b.String()
}

// The SDK's own types have no JSON names.
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
		TableName: &t.name,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(attrID),
			AttributeType: types.ScalarAttributeTypeB}},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String(attrID),
			KeyType: types.KeyTypeHash}},
		BillingMode: types.BillingModePayPerRequest,
	}
	if t.readCapacity > 0 {
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: &t.readCapacity,
			WriteCapacityUnits: &t.writeCapacity}
	}
	if t.users {
		in.AttributeDefinitions = append(in.AttributeDefinitions, indexAttribute())
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String(indexName), KeySchema: indexKey(), Projection: indexProjection(),
			ProvisionedThroughput: in.ProvisionedThroughput,
		}}
	}
	return in
}

func (t *table) ttlSpecification() *types.TimeToLiveSpecification {
	return &types.TimeToLiveSpecification{AttributeName: aws.String(attrExpireAt),
		Enabled: aws.Bool(true)}
}

// isOurs reports whether the key of a table is the one of this package.
func isOurs(d *types.TableDescription) bool {
	if d == nil || len(d.KeySchema) != 1 || aws.ToString(d.KeySchema[0].AttributeName) != attrID {
		return false
	}
	for _, a := range d.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == attrID {
			return a.AttributeType == types.ScalarAttributeTypeB
		}
	}
	return false
}

// foreign says that the table is somebody else's.
func (t *table) foreign(op string) error {
	return fmt.Errorf("dynamostore: %s: %w: table %s is another one, whose key is not the binary "+
		"attribute %s alone: choose another name in Options.Table",
		op, driver.ErrNoSchema, t.name, attrID)
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// failureExplained is failure for requests without records, whose errors may be told whole.
func (t *table) failureExplained(ctx context.Context, op string, err error) error {
	if ctx.Err() == nil && !isMissing(err) && !isThrottled(err) {
		return fmt.Errorf("dynamostore: %s: %w", op, err)
	}
	return t.failure(ctx, op, err)
}
