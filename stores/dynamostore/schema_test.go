package dynamostore

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchemaText(t *testing.T) {
	t.Parallel()
	for golden, opts := range map[string]Options{
		"schema.sh":       {},
		"schema_users.sh": withUsers(Options{ReadCapacity: 10, WriteCapacity: 5}),
		"schema_provisioned.sh": {Table: "web.sessions", ReadCapacity: 10, WriteCapacity: 5,
			TTLDisabled: true},
	} {
		d, err := newDriver(clientOf("http://127.0.0.1:1", nil), &opts)
		if err != nil {
			t.Fatal(err)
		}
		got := d.(driver.SchemaManager).Schema()
		path := filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(text) {
			t.Errorf("%s differs (run with -update):\n%s", path, got)
		}
	}
}

// The table is what was asked for, with TTL on; a second time changes nothing.
func TestCreateSchema(t *testing.T) {
	t.Parallel()
	client := connect(t)
	d := newTable(t, client, Options{ReadCapacity: 7, WriteCapacity: 3})
	for range 2 {
		want(t, "check", d.CheckSchema(background), nil)
		out, err := client.DescribeTable(background, &dynamodb.DescribeTableInput{TableName: &d.name})
		if err != nil {
			t.Fatal(err)
		}
		if p := out.Table.ProvisionedThroughput; *p.ReadCapacityUnits != 7 || *p.WriteCapacityUnits != 3 {
			t.Errorf("capacity %d and %d", *p.ReadCapacityUnits, *p.WriteCapacityUnits)
		}
		ttl, err := client.DescribeTimeToLive(background,
			&dynamodb.DescribeTimeToLiveInput{TableName: &d.name})
		if err != nil {
			t.Fatal(err)
		}
		if got := ttl.TimeToLiveDescription; got.TimeToLiveStatus != types.TimeToLiveStatusEnabled ||
			aws.ToString(got.AttributeName) != "expire_at" {
			t.Errorf("TTL is %s, on %s", got.TimeToLiveStatus, aws.ToString(got.AttributeName))
		}
		want(t, "create", d.CreateSchema(background), nil)
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	client := connect(t)
	without := newTable(t, client, Options{TTLDisabled: true})
	want(t, "check without TTL", without.CheckSchema(background), nil)
	with, err := newDriver(client, &Options{Table: without.name})
	if err != nil {
		t.Fatal(err)
	}
	err = with.(*table).CheckSchema(background)
	want(t, "check", err, driver.ErrNoSchema)
	if text := "dynamostore: check schema: session schema missing: table " + without.name +
		" has no TTL on expire_at: turn it on with the store's CreateSchema"; err == nil ||
		err.Error() != text {
		t.Errorf("got %v", err)
	}
	want(t, "create", with.(*table).CreateSchema(background), nil)
	want(t, "check", with.(*table).CheckSchema(background), nil)
}

// A table of somebody else, with another key or another TTL, is neither used nor dropped.
func TestForeignTable(t *testing.T) {
	t.Parallel()
	client := connect(t)
	for what, definition := range map[string]*dynamodb.CreateTableInput{
		"another key": {
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("session_id"),
				AttributeType: types.ScalarAttributeTypeS}},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("session_id"),
				KeyType: types.KeyTypeHash}},
		},
		"a key of text": {
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"),
				AttributeType: types.ScalarAttributeTypeS}},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"),
				KeyType: types.KeyTypeHash}},
		},
	} {
		name := testenv.Name(t)
		definition.TableName = &name
		definition.BillingMode = types.BillingModePayPerRequest
		if _, err := client.CreateTable(background, definition); err != nil {
			t.Fatal(err)
		}
		d, err := newDriver(client, &Options{Table: name})
		if err != nil {
			t.Fatal(err)
		}
		m := d.(driver.SchemaManager)
		for op, err := range map[string]error{
			"create": m.CreateSchema(background), "check": m.CheckSchema(background),
			"drop": m.DropSchema(background),
		} {
			if err == nil || !strings.Contains(err.Error(), "choose another name in Options.Table") {
				t.Errorf("%s: %s: got error %v", what, op, err)
			}
		}
		if _, err := client.DeleteTable(background,
			&dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Errorf("the table is gone: %v", err)
		}
	}

	other := newTable(t, client, Options{TTLDisabled: true})
	_, err := client.UpdateTimeToLive(background, &dynamodb.UpdateTimeToLiveInput{
		TableName: &other.name, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	other.ttl = true
	for op, err := range map[string]error{"create": other.CreateSchema(background),
		"check": other.CheckSchema(background)} {
		if err == nil || !strings.Contains(err.Error(), "goes by ttl, not expire_at") {
			t.Errorf("%s: got error %v", op, err)
		}
	}
}
