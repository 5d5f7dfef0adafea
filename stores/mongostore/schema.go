package mongostore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// schemaFix is the advice of errors that match driver.ErrNoSchema.
const schemaFix = "create it with the store's CreateSchema, or apply its Schema by hand"

// Error codes, from the server's error_codes.yml.
const (
	codeBadValue              = 2
	codeNamespaceNotFound     = 26
	codeIndexOptionsConflict  = 85
	codeIndexKeySpecsConflict = 86
	codeNotImplemented        = 238
)

// indexName is the name that mongosh gives to such an index by default.
const indexName = "expiry_1"

// CreateSchema creates the TTL index, and with it the collection. If the server does not support
// TTL indexes, it creates a plain index. It creates the index of users if the options require it.
func (c *collection) CreateSchema(ctx context.Context) error {
	const op = "create schema"
	ctx = outsideTransaction(ctx)
	err := c.createIndex(ctx, true)
	if hasCode(err, codeNotImplemented) {
		err = c.createIndex(ctx, false)
	}
	if isIndexConflict(err) {
		return fmt.Errorf("mongostore: %s: collection %s has another index on expiry or with the "+
			"name %s: drop it first: %w", op, c.coll.Name(), indexName, err)
	}
	if err != nil {
		return schemaFailure(ctx, op, err)
	}
	if c.users {
		return c.createUserIndex(ctx, op)
	}
	return nil
}

func (c *collection) createIndex(ctx context.Context, ttl bool) error {
	opts := options.Index().SetName(indexName)
	if ttl {
		opts.SetExpireAfterSeconds(0) // seconds after the date in expiry
	}
	index := mongo.IndexModel{Keys: bson.D{{Key: "expiry", Value: 1}}, Options: opts}
	_, err := c.coll.Indexes().CreateOne(ctx, index)
	return err
}

// CheckSchema checks that the indexes exist. A plain index on expiry is enough only if the server
// does not support TTL indexes. CheckSchema finds that out by creating one. This changes nothing,
// because a server that supports them refuses a second index on the same field.
func (c *collection) CheckSchema(ctx context.Context) error {
	const op = "check schema"
	ctx = outsideTransaction(ctx)
	found, err := c.findIndexes(ctx)
	if err != nil {
		return schemaFailure(ctx, op, err)
	}
	if !found.expiry {
		return fmt.Errorf("mongostore: %s: %w: collection %s has no TTL index on expiry: %s", op,
			driver.ErrNoSchema, c.coll.Name(), schemaFix)
	}
	if c.users && !found.user {
		return c.noUserIndex(op)
	}
	if found.ttl {
		return nil
	}
	err = c.createIndex(ctx, true)
	switch {
	case err == nil, hasCode(err, codeNotImplemented):
		return nil
	case isIndexConflict(err):
		return fmt.Errorf("mongostore: %s: %w: collection %s has an index on expiry without "+
			"expireAfterSeconds: 0: drop it, and %s", op, driver.ErrNoSchema, c.coll.Name(), schemaFix)
	}
	return schemaFailure(ctx, op, err)
}

// foundIndexes says which indexes a collection has: one on expiry, a TTL index on expiry, and the
// index of users.
type foundIndexes struct{ expiry, ttl, user bool }

func (c *collection) findIndexes(ctx context.Context) (found foundIndexes, err error) {
	cursor, err := c.coll.Indexes().List(ctx)
	if hasCode(err, codeNamespaceNotFound) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		switch keyOf(cursor.Current) {
		case "expiry":
			found.expiry = true
			after, ok := cursor.Current.Lookup("expireAfterSeconds").AsInt64OK()
			if ok && after == 0 {
				found.ttl = true
			}
		case "user _id":
			found.user = found.user || isUserIndex(cursor.Current)
		}
	}
	return found, cursor.Err()
}

// keyOf returns the names of an index's fields.
func keyOf(index bson.Raw) string {
	key, ok := index.Lookup("key").DocumentOK()
	if !ok {
		return ""
	}
	fields, err := key.Elements()
	if err != nil {
		return ""
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Key()
	}
	return strings.Join(names, " ")
}

// DropSchema drops the collection. If it holds a document that is not a session, DropSchema returns
// an error and changes nothing.
func (c *collection) DropSchema(ctx context.Context) error {
	const op = "drop schema"
	ctx = outsideTransaction(ctx)
	foreign := bson.A{}
	missing := bson.D{{Key: "$exists", Value: false}}
	for _, field := range []string{"data", "expiry", "version"} {
		foreign = append(foreign, bson.D{{Key: field, Value: missing}})
	}
	filter := bson.D{{Key: "$or", Value: foreign}}
	opts := options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})
	err := c.coll.FindOne(ctx, filter, opts).Err()
	switch {
	case err == nil:
		return fmt.Errorf("mongostore: %s: collection %s holds documents that are not sessions: "+
			"drop it by hand if they are not needed", op, c.coll.Name())
	case !errors.Is(err, mongo.ErrNoDocuments):
		return schemaFailure(ctx, op, err)
	}
	if err := c.coll.Drop(ctx); err != nil {
		return schemaFailure(ctx, op, err)
	}
	return nil
}

// Schema returns the commands for mongosh.
func (c *collection) Schema() string {
	create := func(arguments string) string {
		return fmt.Sprintf("db.getSiblingDB(%q).getCollection(%q).createIndex(%s)\n",
			c.coll.Database().Name(), c.coll.Name(), arguments)
	}
	text := create(fmt.Sprintf("{ expiry: 1 }, { name: %q, expireAfterSeconds: 0 }", indexName))
	if c.users {
		text += create(fmt.Sprintf("{ user: 1, _id: 1 }, { name: %q, "+
			"partialFilterExpression: { user: { $exists: true } } }", userIndexName))
	}
	return text
}

// schemaFailure returns the error of an operation on the schema. It keeps the server's text, which
// quotes no record.
func schemaFailure(ctx context.Context, op string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("mongostore: %s: %w: %w", op, ended, err)
	}
	return fmt.Errorf("mongostore: %s: %w", op, err)
}

func hasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	for _, code := range codes {
		if server.HasErrorCode(code) {
			return true
		}
	}
	return false
}

// isIndexConflict reports whether an index was refused because the collection has another one with
// the same name or key.
func isIndexConflict(err error) bool {
	return hasCode(err, codeIndexOptionsConflict, codeIndexKeySpecsConflict)
}
