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
		"schema_provisioned.sh": {
			Table: "web.sessions", ReadCapacity: 10, WriteCapacity: 5, TTLDisabled: true,
		},
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

// CreateSchema creates the table with the given capacity and TTL. A second call changes nothing.
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
		capacity := out.Table.ProvisionedThroughput
		read, write := *capacity.ReadCapacityUnits, *capacity.WriteCapacityUnits
		if read != 7 || write != 3 {
			t.Errorf("got capacity %d and %d, want 7 and 3", read, write)
		}
		in := &dynamodb.DescribeTimeToLiveInput{TableName: &d.name}
		ttl, err := client.DescribeTimeToLive(background, in)
		if err != nil {
			t.Fatal(err)
		}
		status := ttl.TimeToLiveDescription.TimeToLiveStatus
		name := aws.ToString(ttl.TimeToLiveDescription.AttributeName)
		if status != types.TimeToLiveStatusEnabled || name != "expire_at" {
			t.Errorf("got TTL %s on %s, want ENABLED on expire_at", status, name)
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
	text := "dynamostore: check schema: session schema missing: table " + without.name +
		" has no TTL on expire_at: turn it on with the store's CreateSchema"
	if err == nil || err.Error() != text {
		t.Errorf("got error %v, want %s", err, text)
	}
	want(t, "create", with.(*table).CreateSchema(background), nil)
	want(t, "check", with.(*table).CheckSchema(background), nil)
}

// The driver does not use, change or drop a table with another key.
func TestForeignTable(t *testing.T) {
	t.Parallel()
	client := connect(t)
	for _, key := range []string{"session_id", "id"} {
		what := "text key " + key
		name := testenv.Name(t)
		_, err := client.CreateTable(background, &dynamodb.CreateTableInput{
			TableName:            &name,
			AttributeDefinitions: []types.AttributeDefinition{textAttribute(key)},
			KeySchema:            hashKey(key),
			BillingMode:          types.BillingModePayPerRequest,
		})
		if err != nil {
			t.Fatal(err)
		}
		d, err := newDriver(client, &Options{Table: name})
		if err != nil {
			t.Fatal(err)
		}
		m := d.(driver.SchemaManager)
		for op, err := range map[string]error{
			"create": m.CreateSchema(background),
			"check":  m.CheckSchema(background),
			"drop":   m.DropSchema(background),
		} {
			const text = "choose another name in Options.Table"
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %s: got error %v, want %s", what, op, err, text)
			}
		}
		_, err = client.DeleteTable(background, &dynamodb.DeleteTableInput{TableName: &name})
		if err != nil {
			t.Errorf("%s: the table was dropped: %v", what, err)
		}
	}
}

func textAttribute(name string) types.AttributeDefinition {
	return types.AttributeDefinition{
		AttributeName: &name,
		AttributeType: types.ScalarAttributeTypeS,
	}
}

// The driver does not change a TTL on another attribute.
func TestForeignTTL(t *testing.T) {
	t.Parallel()
	client := connect(t)
	d := newTable(t, client, Options{TTLDisabled: true})
	_, err := client.UpdateTimeToLive(background, &dynamodb.UpdateTimeToLiveInput{
		TableName: &d.name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String("ttl"),
			Enabled:       aws.Bool(true),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.ttl = true
	for op, err := range map[string]error{
		"create": d.CreateSchema(background),
		"check":  d.CheckSchema(background),
	} {
		const text = "uses the attribute ttl, not expire_at"
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got error %v, want %s", op, err, text)
		}
	}
}
