package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// maxData is the server's limit for a document, 16 MiB, less 16 KiB for the other fields and for
// the update statement, whose size is limited in the same way.
const maxData = 16<<20 - 16<<10

// collection is the driver.
type collection struct {
	coll  *mongo.Collection
	users bool // the collection has an index of users: see userCollection
	now   func() time.Time
}

var (
	_ driver.Driver        = (*collection)(nil)
	_ driver.Ranger        = (*collection)(nil)
	_ driver.Sweeper       = (*collection)(nil)
	_ driver.SchemaManager = (*collection)(nil)
	_ driver.SizeLimiter   = (*collection)(nil)
)

// Load filters by _id only, because the server has a fast path for that, and checks the expiry
// itself.
func (c *collection) Load(ctx context.Context, id string) (driver.Record, error) {
	ctx = outsideTransaction(ctx)
	doc, err := c.coll.FindOne(ctx, bson.D{{Key: "_id", Value: key(id)}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return driver.Record{}, driver.ErrNotFound
	}
	if err != nil {
		return driver.Record{}, failure(ctx, "load", err)
	}
	rec, err := decode(doc)
	if err != nil {
		return driver.Record{}, failure(ctx, "load", err)
	}
	if !rec.Expiry.After(c.clock().Time()) {
		return driver.Record{}, driver.ErrNotFound
	}
	return rec, nil
}

func (c *collection) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if len(rec.Data) > maxData {
		return &driver.TooLargeError{Size: len(rec.Data), Limit: maxData}
	}
	ctx = outsideTransaction(ctx)
	var err error
	if v, ok := cond.Match(); ok {
		err = c.replace(ctx, rec, v)
	} else if cond.Absent() {
		err = c.create(ctx, rec)
	} else {
		err = c.overwrite(ctx, rec)
	}
	if err != nil && !errors.Is(err, driver.ErrConflict) {
		return failure(ctx, "save", err)
	}
	return err
}

func (c *collection) replace(ctx context.Context, rec driver.Record, held int64) error {
	result, err := c.coll.UpdateOne(ctx, c.live(rec.ID, held), c.update(rec))
	return matched(result, err)
}

// create inserts a record, or replaces an expired one. A live record does not match the filter, so
// the server tries to insert, and the unique index on _id makes that fail.
func (c *collection) create(ctx context.Context, rec driver.Record) error {
	created := bson.E{Key: "created", Value: bson.NewDateTimeFromTime(rec.Created)}
	upsert := options.UpdateOne().SetUpsert(true)
	result, err := c.coll.UpdateOne(ctx, c.expired(rec.ID), c.update(rec, created), upsert)
	if mongo.IsDuplicateKeyError(err) {
		return driver.ErrConflict
	}
	if err == nil && !result.Acknowledged {
		return errUnacknowledged
	}
	return err
}

// insertAttempts is the maximum number of attempts of an overwrite that competes with inserts and
// deletes of the same id. MongoDB itself retries in most cases.
const insertAttempts = 5

// overwrite keeps the created of a live record, but not that of an expired one. It takes two
// statements in one command, which the server executes in order. The first matches expired records
// only, so that no live record loses its created, even if another write comes between the two. An
// update with a pipeline would need only one statement, but not every server supports those.
func (c *collection) overwrite(ctx context.Context, rec driver.Record) error {
	created := bson.D{{Key: "created", Value: bson.NewDateTimeFromTime(rec.Created)}}
	statements := []mongo.WriteModel{
		mongo.NewUpdateOneModel().
			SetFilter(c.expired(rec.ID)).
			SetUpdate(bson.D{{Key: "$set", Value: created}}),
		mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: key(rec.ID)}}).
			SetUpdate(append(c.update(rec), bson.E{Key: "$setOnInsert", Value: created})).
			SetUpsert(true),
	}
	for attempt := 1; ; attempt++ {
		result, err := c.coll.BulkWrite(ctx, statements)
		if mongo.IsDuplicateKeyError(err) && attempt < insertAttempts {
			continue
		}
		if err == nil && !result.Acknowledged {
			return errUnacknowledged
		}
		return err
	}
}

func (c *collection) Touch(ctx context.Context, rec driver.Record) error {
	ctx = outsideTransaction(ctx)
	moved := bson.D{
		{Key: "expiry", Value: bson.NewDateTimeFromTime(rec.Expiry)},
		{Key: "seen", Value: bson.NewDateTimeFromTime(rec.Seen)},
	}
	result, err := c.coll.UpdateOne(ctx, c.live(rec.ID, rec.Version),
		bson.D{{Key: "$set", Value: moved}})
	err = matched(result, err)
	if err != nil && !errors.Is(err, driver.ErrConflict) {
		return failure(ctx, "touch", err)
	}
	return err
}

func (c *collection) Delete(ctx context.Context, id string, cond driver.Condition) error {
	ctx = outsideTransaction(ctx)
	filter, missing := bson.D{{Key: "_id", Value: key(id)}}, driver.ErrNotFound
	if v, ok := cond.Match(); ok {
		filter, missing = append(filter, bson.E{Key: "version", Value: v}), driver.ErrConflict
	}
	result, err := c.coll.DeleteOne(ctx, filter)
	switch {
	case err != nil:
		return failure(ctx, "delete", err)
	case !result.Acknowledged:
		return failure(ctx, "delete", errUnacknowledged)
	case result.DeletedCount == 0:
		return missing
	}
	return nil
}

// MaxData implements driver.SizeLimiter.
func (c *collection) MaxData() int { return maxData }

// clock returns the time of the store's clock, rounded down to the millisecond like every time in
// the collection, so that no record outlives its expiry.
func (c *collection) clock() bson.DateTime { return bson.NewDateTimeFromTime(c.now()) }

// live returns a filter for the record with the given id and version, if it has not expired.
func (c *collection) live(id string, version int64) bson.D {
	return bson.D{
		{Key: "_id", Value: key(id)},
		{Key: "version", Value: version},
		{Key: "expiry", Value: bson.D{{Key: "$gt", Value: c.clock()}}},
	}
}

// expired returns a filter for the record with the given id, if it has expired.
func (c *collection) expired(id string) bson.D {
	return bson.D{
		{Key: "_id", Value: key(id)},
		{Key: "expiry", Value: bson.D{{Key: "$lte", Value: c.clock()}}},
	}
}

func key(s string) bson.Binary { return bson.Binary{Data: []byte(s)} }

// update returns the update of a save. It sets more in addition to the fields that every save sets.
func (c *collection) update(rec driver.Record, more ...bson.E) bson.D {
	data := rec.Data
	if data == nil {
		data = []byte{} // nil would be encoded as null
	}
	set := append(bson.D{
		{Key: "data", Value: bson.Binary{Data: data}},
		{Key: "expiry", Value: bson.NewDateTimeFromTime(rec.Expiry)},
		{Key: "updated", Value: bson.NewDateTimeFromTime(rec.Updated)},
		{Key: "seen", Value: bson.NewDateTimeFromTime(rec.Seen)},
		{Key: "version", Value: rec.Version},
	}, more...)
	switch {
	case !c.users:
	case rec.User == "":
		unset := bson.D{{Key: "user", Value: ""}}
		return bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: unset}}
	default:
		set = append(set, bson.E{Key: "user", Value: key(rec.User)})
	}
	return bson.D{{Key: "$set", Value: set}}
}

// matched returns the error of an update without upsert.
func matched(result *mongo.UpdateResult, err error) error {
	switch {
	case err != nil:
		return err
	case !result.Acknowledged:
		return errUnacknowledged
	case result.MatchedCount == 0:
		return driver.ErrConflict
	}
	return nil
}

// outsideTransaction returns ctx without the MongoDB session that an application may have put into
// it.
func outsideTransaction(ctx context.Context) context.Context {
	if mongo.SessionFromContext(ctx) == nil {
		return ctx
	}
	return mongo.NewSessionContext(ctx, nil)
}
