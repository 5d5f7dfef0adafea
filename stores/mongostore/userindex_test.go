package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// CreateSchema adds the index to an existing collection, which keeps its sessions. Concurrent and
// repeated calls succeed.
func TestCreateUserIndex(t *testing.T) {
	t.Parallel()
	d, c, m := newUserDriver(t)
	before := newTestDriver(t, d.coll, c)
	want(t, "create before", before.CreateSchema(background), nil)
	want(t, "check before", before.CheckSchema(background), nil)
	save(t, before, record(c, "a", 1, time.Hour))
	const text = "session schema missing: collection %s has no index user_1__id_1, which " +
		"Options.UserKey requires: add it with the store's CreateSchema"
	missing := fmt.Sprintf(text, d.coll.Name())
	err := d.CheckSchema(background)
	want(t, "check", err, driver.ErrNoSchema)
	if err == nil || err.Error() != "mongostore: check schema: "+missing {
		t.Errorf("got error %v, want %s", err, missing)
	}
	ferret := onFerretDB(t, d.coll)
	refused := false
	for _, err := range d.RangeUser(background, "alice") {
		refused = err != nil && err.Error() == "mongostore: range user: "+missing
	}
	if refused == ferret {
		t.Errorf("range: refused for lack of the index: %v, want %v", refused, !ferret)
	}
	m.take()
	errs := make(chan error)
	for range 3 {
		go func() { errs <- d.CreateSchema(background) }()
	}
	for range 3 {
		want(t, "create", <-errs, nil)
	}
	m.take()
	want(t, "create again", d.CreateSchema(background), nil)
	const key = `{"key": {"user": {"$numberInt":"1"},"_id": {"$numberInt":"1"}},`
	const partial = `"partialFilterExpression": {"user": {"$exists": true}}`
	texts := []string{key + `"name": "user_1__id_1",` + partial + `}`}
	if ferret {
		texts = append(texts, key+`"name": "user_1__id_1"}`)
	}
	var sent []string
	for _, index := range indexes(m.take()) {
		if keyOf(index) == "user _id" {
			sent = append(sent, index.String())
		}
	}
	if !slices.Equal(sent, texts) {
		t.Errorf("sent the indexes %q, want %q", sent, texts)
	}
	want(t, "check", d.CheckSchema(background), nil)
	save(t, d, owned(c, "b", "alice"))
	if got := d.ids(t, "alice"); !slices.Equal(got, []string{"b"}) {
		t.Errorf("alice has the sessions %q, want b", got)
	}
	if _, err := d.Load(background, "a"); err != nil {
		t.Error(err)
	}
}

// Without the index, MongoDB refuses the hint of RangeUser. The error says how to create the index.
func TestRangeUserWithoutIndex(t *testing.T) {
	t.Parallel()
	d, _, _ := newUserDriver(t)
	const text = "error processing query: ns=db.sessionsTree: … planner returned error :: caused by " +
		":: hint provided does not correspond to an existing index"
	err := d.indexFailure(background, mongo.CommandError{Code: 2, Name: "BadValue", Message: text})
	want(t, "range", err, driver.ErrNoSchema)
	for _, other := range []mongo.CommandError{
		{Code: 2, Name: "BadValue", Message: "unknown operator"},
		{Code: 13, Name: "Unauthorized", Message: text},
	} {
		if err := d.indexFailure(background, other); errors.Is(err, driver.ErrNoSchema) {
			t.Errorf("%+v: got error %v", other, err)
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	want(t, "range", d.indexFailure(ctx, errors.New("")), context.Canceled)
}

// An index that holds all records does as well. Another index with the name is an error.
func TestForeignUserIndex(t *testing.T) {
	t.Parallel()
	create := func(keys bson.D) *userCollection {
		d, _, _ := newUserDriver(t)
		opts := options.Index().SetName(userIndexName)
		index := mongo.IndexModel{Keys: keys, Options: opts}
		if _, err := d.coll.Indexes().CreateOne(background, index); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := create(bson.D{{Key: "user", Value: 1}, {Key: "_id", Value: 1}})
	want(t, "create", d.CreateSchema(background), nil)
	want(t, "check", d.CheckSchema(background), nil)
	d = create(bson.D{{Key: "updated", Value: 1}})
	err := d.CreateSchema(background)
	if err == nil || !strings.Contains(err.Error(), "the name user_1__id_1: drop it first") {
		t.Errorf("create: got error %v, want drop it first", err)
	}
	want(t, "check", d.CheckSchema(background), driver.ErrNoSchema)
	for text, ok := range map[string]bool{
		`{"name": "user_1__id_1"}`: true,
		`{"name": "user_1__id_1", "partialFilterExpression": {"user": {"$exists": true}}}`:  true,
		`{"name": "user_1__id_1", "partialFilterExpression": {"user": {"$exists": false}}}`: false,
		`{"name": "user_1__id_1", "partialFilterExpression": 1}`:                            false,
		`{"name": "by user"}`: false,
		`{}`:                  false,
	} {
		var index bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(text), true, &index); err != nil {
			t.Fatal(err)
		}
		if got := isUserIndex(index); got != ok {
			t.Errorf("%s: got %v, want %v", text, got, ok)
		}
	}
}
