package mongostore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// userIndexName is the name of the index of users. mongosh gives it to such an index by default.
const userIndexName = "user_1__id_1"

// userCollection is the driver for a collection with an index of users.
type userCollection struct{ *collection }

var _ driver.UserIndex = (*userCollection)(nil)

// RangeUser reads the user's records in the order of the index, so that the server examines no
// others. It names the index, because the server could also read all records in the order of _id.
func (c *userCollection) RangeUser(
	ctx context.Context, user string,
) iter.Seq2[driver.Record, error] {
	return c.list(ctx, bson.D{{Key: "user", Value: key(user)}}, userIndexName, c.indexFailure)
}

// indexFailure is failure with an error of its own for a missing index.
func (c *collection) indexFailure(ctx context.Context, err error) error {
	const op = "range user"
	var server mongo.ServerError
	if ctx.Err() == nil && errors.As(err, &server) && server.HasErrorCode(codeBadValue) &&
		server.HasErrorMessage("hint provided does not correspond to an existing index") {
		return c.noUserIndex(op)
	}
	return failure(ctx, op, err)
}

func (c *collection) noUserIndex(op string) error {
	return fmt.Errorf("mongostore: %s: %w: collection %s has no index %s, which Options.UserKey "+
		"requires: add it with the store's CreateSchema", op, driver.ErrNoSchema, c.coll.Name(),
		userIndexName)
}

// createUserIndex creates the index of users. It has no entry for a record without a user. If the
// server does not support partial indexes, createUserIndex creates one with all records.
func (c *collection) createUserIndex(ctx context.Context, op string) error {
	key := bson.D{{Key: "user", Value: 1}, {Key: "_id", Value: 1}}
	create := func(opts *options.IndexOptionsBuilder) error {
		index := mongo.IndexModel{Keys: key, Options: opts.SetName(userIndexName)}
		_, err := c.coll.Indexes().CreateOne(ctx, index)
		return err
	}
	err := create(options.Index().SetPartialFilterExpression(hasUser()))
	if hasCode(err, codeNotImplemented) {
		err = create(options.Index())
	}
	if isIndexConflict(err) {
		found, e := c.findIndexes(ctx)
		if e == nil && found.user {
			return nil // one that holds all records does as well
		}
		return fmt.Errorf("mongostore: %s: collection %s has another index on user and _id or with "+
			"the name %s: drop it first: %w", op, c.coll.Name(), userIndexName, err)
	}
	if err != nil {
		return schemaFailure(ctx, op, err)
	}
	return nil
}

func hasUser() bson.D {
	return bson.D{{Key: "user", Value: bson.D{{Key: "$exists", Value: true}}}}
}

// isUserIndex reports whether an index on user and _id has the name that RangeUser uses and all
// records with a user.
func isUserIndex(index bson.Raw) bool {
	if name, _ := index.Lookup("name").StringValueOK(); name != userIndexName {
		return false
	}
	partial := index.Lookup("partialFilterExpression")
	if partial.IsZero() {
		return true
	}
	want, err := bson.Marshal(hasUser())
	filter, ok := partial.DocumentOK()
	return err == nil && ok && bytes.Equal(filter, want)
}
