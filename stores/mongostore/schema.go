package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// schemaFix is what an error that matches driver.ErrNoSchema advises.
const schemaFix = "create it with the store's CreateSchema, or apply its Schema by hand"

// Codes of errors, from the server's error_codes.yml.
const (
	codeIndexOptionsConflict  = 85
	codeIndexKeySpecsConflict = 86
	codeNotImplemented        = 238
)

// indexName is what mongosh calls it as well, so that it is the same whoever makes it.
const indexName = "expiry_1"

// CreateSchema makes the TTL index, and the collection with it; or a plain index if the server has
// no TTL indexes.
func (c *collection) CreateSchema(ctx context.Context) error {
	const op = "create schema"
	ctx = outsideTransaction(ctx)
	err := c.createIndex(ctx, true)
	if hasCode(err, codeNotImplemented) {
		err = c.createIndex(ctx, false)
	}
	if hasCode(err, codeIndexOptionsConflict, codeIndexKeySpecsConflict) {
		return fmt.Errorf("mongostore: %s: collection %s: there is another index on expiry, or of the "+
			"name %s: drop it first: %w", op, c.coll.Name(), indexName, err)
	}
	if err != nil {
		return schemaFailure(ctx, op, err)
	}
	return nil
}

func (c *collection) createIndex(ctx context.Context, ttl bool) error {
	opts := options.Index().SetName(indexName)
	if ttl {
		opts.SetExpireAfterSeconds(0) // after the date in the field itself
	}
	_, err := c.coll.Indexes().CreateOne(ctx,
		mongo.IndexModel{Keys: bson.D{{Key: "expiry", Value: 1}}, Options: opts})
	return err
}

// CheckSchema looks for the index. A plain one will do only where the server has no TTL indexes,
// which is found out by asking for one: that changes nothing, since a server that has them refuses
// a second index on the same field.
func (c *collection) CheckSchema(ctx context.Context) error {
	const op = "check schema"
	ctx = outsideTransaction(ctx)
	found, ttl, err := c.findIndex(ctx)
	if err != nil {
		return schemaFailure(ctx, op, err)
	}
	if !found {
		return fmt.Errorf("mongostore: %s: %w: collection %s has no TTL index on expiry: %s", op,
			driver.ErrNoSchema, c.coll.Name(), schemaFix)
	}
	if ttl {
		return nil
	}
	err = c.createIndex(ctx, true)
	switch {
	case err == nil, hasCode(err, codeNotImplemented):
		return nil
	case hasCode(err, codeIndexOptionsConflict, codeIndexKeySpecsConflict):
		return fmt.Errorf("mongostore: %s: %w: collection %s has an index on expiry without "+
			"expireAfterSeconds: 0: drop it, and %s", op, driver.ErrNoSchema, c.coll.Name(), schemaFix)
	}
	return schemaFailure(ctx, op, err)
}

func (c *collection) findIndex(ctx context.Context) (found, ttl bool, err error) {
	cursor, err := c.coll.Indexes().List(ctx)
	if hasCode(err, codeNamespaceNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		key, ok := cursor.Current.Lookup("key").DocumentOK()
		if !ok {
			continue
		}
		if fields, err := key.Elements(); err != nil || len(fields) != 1 || fields[0].Key() != "expiry" {
			continue
		}
		found = true
		if after, ok := cursor.Current.Lookup("expireAfterSeconds").AsInt64OK(); ok && after == 0 {
			ttl = true
		}
	}
	return found, ttl, cursor.Err()
}

const codeNamespaceNotFound = 26

// DropSchema drops the collection, unless a document in it is not a session: then it is not
// this store's, and that is an error.
func (c *collection) DropSchema(ctx context.Context) error {
	const op = "drop schema"
	ctx = outsideTransaction(ctx)
	foreign := bson.A{}
	for _, field := range []string{"data", "expiry", "version"} {
		foreign = append(foreign, bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: false}}}})
	}
	err := c.coll.FindOne(ctx, bson.D{{Key: "$or", Value: foreign}},
		options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	switch {
	case err == nil:
		return fmt.Errorf("mongostore: %s: collection %s holds documents that are not sessions: it is "+
			"left as it is", op, c.coll.Name())
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
	return fmt.Sprintf(`db.getSiblingDB(%q).getCollection(%q).createIndex({ expiry: 1 }, { name: %q, expireAfterSeconds: 0 })
`, c.coll.Database().Name(), c.coll.Name(), indexName)
}

// schemaFailure is the error of an operation without records, which the server may explain.
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
