package mongostore

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchemaText(t *testing.T) {
	t.Parallel()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(background) }()
	for file, opts := range map[string]*Options{
		"schema.js": {}, "schema_users.js": {Options: scskit.Options{UserKey: "user"}},
	} {
		d, err := newDriver(client.Database("shop").Collection("sessions"), opts)
		if err != nil {
			t.Fatal(err)
		}
		wantGolden(t, file, d.(driver.SchemaManager).Schema())
	}
}

// wantGolden checks that the text is the one in testdata, or writes it there.
func wantGolden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(golden) {
		t.Errorf("%s differs (run with -update):\n%s", path, got)
	}
}

// indexes returns the indexes in the createIndexes commands.
func indexes(commands []bson.Raw) []bson.Raw {
	var all []bson.Raw
	for _, c := range commands {
		if list, ok := c.Lookup("indexes").ArrayOK(); ok {
			values, _ := list.Values()
			for _, v := range values {
				all = append(all, v.Document())
			}
		}
	}
	return all
}

// CreateSchema always sends a TTL index first, and then a plain one if the server does not support
// TTL indexes.
func TestCreateSchemaSendsTTL(t *testing.T) {
	t.Parallel()
	m := new(monitor)
	d := newTestDriver(t, newCollection(t, connect(t, m.events())), newClock())
	for range 2 {
		m.take()
		want(t, "create", d.CreateSchema(background), nil)
		sent := indexes(m.take())
		found, err := d.findIndexes(background)
		if err != nil || !found.expiry || found.user {
			t.Fatalf("got indexes %+v, %v, want one on expiry", found, err)
		}
		texts := []string{`{"key": {"expiry": {"$numberInt":"1"}},` +
			`"expireAfterSeconds": {"$numberInt":"0"},"name": "expiry_1"}`}
		if !found.ttl {
			t.Log("the server does not support TTL indexes")
			texts = append(texts, `{"key": {"expiry": {"$numberInt":"1"}},"name": "expiry_1"}`)
		}
		if len(sent) != len(texts) {
			t.Fatalf("sent %d indexes, want %d: %v", len(sent), len(texts), sent)
		}
		for i, text := range texts {
			if got := sent[i].String(); got != text {
				t.Errorf("index %d: got %s, want %s", i, got, text)
			}
		}
		want(t, "check", d.CheckSchema(background), nil)
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	d := newTestDriver(t, newCollection(t, connect(t, nil)), newClock())
	missing := "mongostore: check schema: session schema missing: collection " + d.coll.Name() +
		" has no TTL index on expiry: create it with the store's CreateSchema, or apply its Schema by " +
		"hand"
	check := func(what string) {
		t.Helper()
		err := d.CheckSchema(background)
		want(t, what, err, driver.ErrNoSchema)
		if err != nil && err.Error() != missing {
			t.Errorf("%s: got error %q, want %q", what, err, missing)
		}
	}
	check("no collection")
	for _, keys := range []bson.D{
		{{Key: "updated", Value: 1}},
		{{Key: "expiry", Value: 1}, {Key: "updated", Value: 1}},
	} {
		if _, err := d.coll.Indexes().CreateOne(background, mongo.IndexModel{Keys: keys}); err != nil {
			t.Fatal(err)
		}
		check("other indexes")
	}
	want(t, "create", d.CreateSchema(background), nil)
	found, err := d.findIndexes(background)
	if err != nil {
		t.Fatal(err)
	}
	if !found.ttl {
		return
	}
	// If the server supports TTL indexes, a plain one is not enough.
	if err := d.coll.Indexes().DropOne(background, indexName); err != nil {
		t.Fatal(err)
	}
	want(t, "create", d.createIndex(background, false), nil)
	want(t, "check", d.CheckSchema(background), driver.ErrNoSchema)
	err = d.CreateSchema(background)
	if err == nil || !strings.Contains(err.Error(), "drop it first") {
		t.Errorf("create: got error %v, want drop it first", err)
	}
}
