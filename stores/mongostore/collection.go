package mongostore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// maxData is the server's limit for a document, 16 MiB, less room for the other fields and for
// the statement that carries it, which counts as a document as well.
const maxData = 16<<20 - 16<<10

// collection is the driver.
type collection struct {
	coll *mongo.Collection
	now  func() time.Time
}

var (
	_ driver.Driver        = (*collection)(nil)
	_ driver.Ranger        = (*collection)(nil)
	_ driver.Sweeper       = (*collection)(nil)
	_ driver.SchemaManager = (*collection)(nil)
	_ driver.SizeLimiter   = (*collection)(nil)
)

// Load asks for the id alone, for which the server has a short cut, and looks at the expiry here.
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
	result, err := c.coll.UpdateOne(ctx, c.live(rec.ID, held),
		bson.D{{Key: "$set", Value: fields(rec)}})
	return matched(result, err)
}

// create inserts, or replaces what has expired. Where there is a live record the filter does
// not match it, the server tries to insert, and the unique index on _id refuses.
func (c *collection) create(ctx context.Context, rec driver.Record) error {
	all := append(fields(rec), bson.E{Key: "created", Value: bson.NewDateTimeFromTime(rec.Created)})
	result, err := c.coll.UpdateOne(ctx, c.expired(rec.ID), bson.D{{Key: "$set", Value: all}},
		options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return driver.ErrConflict
	}
	if err == nil && !result.Acknowledged {
		return errUnacknowledged
	}
	return err
}

// insertAttempts bounds the attempts of an overwrite that met others which inserted the same id, or
// deleted it. MongoDB tries again itself, most of the time.
const insertAttempts = 5

// overwrite keeps the created of a live record but not of one that has expired. That takes two
// statements, which travel in one command and are run one after the other. The first matches
// expired records only: whatever comes between the two, no live record loses its created. (An
// update with a pipeline could do it in one, but not every server has those.)
func (c *collection) overwrite(ctx context.Context, rec driver.Record) error {
	created := bson.D{{Key: "created", Value: bson.NewDateTimeFromTime(rec.Created)}}
	statements := []mongo.WriteModel{
		mongo.NewUpdateOneModel().
			SetFilter(c.expired(rec.ID)).
			SetUpdate(bson.D{{Key: "$set", Value: created}}),
		mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: key(rec.ID)}}).
			SetUpdate(bson.D{{Key: "$set", Value: fields(rec)}, {Key: "$setOnInsert", Value: created}}).
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

func (c *collection) Touch(ctx context.Context, id string, version int64, expiry time.Time) error {
	ctx = outsideTransaction(ctx)
	moved := bson.D{{Key: "expiry", Value: bson.NewDateTimeFromTime(expiry)}}
	result, err := c.coll.UpdateOne(ctx, c.live(id, version), bson.D{{Key: "$set", Value: moved}})
	err = matched(result, err)
	if err != nil && !errors.Is(err, driver.ErrConflict) {
		return failure(ctx, "touch", err)
	}
	return err
}

func (c *collection) Delete(ctx context.Context, id string) error {
	ctx = outsideTransaction(ctx)
	result, err := c.coll.DeleteOne(ctx, bson.D{{Key: "_id", Value: key(id)}})
	switch {
	case err != nil:
		return failure(ctx, "delete", err)
	case !result.Acknowledged:
		return failure(ctx, "delete", errUnacknowledged)
	case result.DeletedCount == 0:
		return driver.ErrNotFound
	}
	return nil
}

// pageRecords is how many records a page of a Range has at most. The server ends it before, when it
// comes to 16 MiB.
const pageRecords = 500

// Range reads page after page in the order of ids, and holds no cursor while the body runs: the
// server would give up one that waits for ten minutes, and in any other order a record that is
// touched could move behind the place where the reading is. Documents whose _id is not binary are
// somebody else's, and are left out.
func (c *collection) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		ctx := outsideTransaction(ctx)
		after := bson.RawValue{}
		for more := true; more; {
			var page []driver.Record
			var err error
			page, after, more, err = c.readPage(ctx, after)
			for _, rec := range page {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(driver.Record{}, failure(ctx, "range", err))
				return
			}
		}
	}
}

// readPage returns live records in the order of their ids, those after one that was the last of
// another page, with the last id that was read, and whether there may be more.
func (c *collection) readPage(ctx context.Context,
	after bson.RawValue) (page []driver.Record, last bson.RawValue, more bool, err error) {
	filter := bson.D{{Key: "expiry", Value: bson.D{{Key: "$gt", Value: c.clock()}}}}
	if !after.IsZero() {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}})
	}
	// The batch is larger than the limit: the server then knows that nobody will ask for another.
	opts := options.Find().SetSort(bson.D{{Key: "_id",
		Value: 1}}).SetLimit(pageRecords).SetBatchSize(pageRecords + 1)
	cursor, err := c.coll.Find(ctx, filter, opts)
	if err != nil {
		return nil, last, false, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	n := 0
	for ; (n == 0 || cursor.RemainingBatchLength() > 0) && cursor.Next(ctx); n++ {
		id := cursor.Current.Lookup("_id")
		last = bson.RawValue{Type: id.Type, Value: bytes.Clone(id.Value)}
		if id.Type == bson.TypeBinary {
			rec, err := decode(cursor.Current)
			if err != nil {
				return nil, last, false, err
			}
			page = append(page, rec)
		}
	}
	return page, last, n == pageRecords || cursor.ID() != 0, cursor.Err()
}

// Sweep looks for expired records by the index on expiry, and deletes them by their ids if they
// have not been renewed meanwhile: two round trips for each batch, after one to ask the server for
// its time. What has not expired by both clocks, the program's and the server's, stays, so that a
// clock that is wrong makes a sweep late at worst. When sweeps meet, one may find that the other
// has been quicker, and looks again.
func (c *collection) Sweep(ctx context.Context, limit int) (removed int, err error) {
	ctx = outsideTransaction(ctx)
	now, err := c.bothClocks(ctx)
	if err != nil {
		return 0, failure(ctx, "sweep", err)
	}
	for removed < limit {
		want := limit - removed
		ids, err := c.expiredIDs(ctx, now, want)
		if err != nil {
			return removed, failure(ctx, "sweep", err)
		}
		if len(ids) == 0 {
			break
		}
		n, err := c.remove(ctx, now, ids)
		removed += n
		if err != nil {
			return removed, failure(ctx, "sweep", err)
		}
		if len(ids) < want {
			break
		}
	}
	return removed, nil
}

// bothClocks returns the time by the program's clock or the server's, whichever is behind.
func (c *collection) bothClocks(ctx context.Context) (bson.DateTime, error) {
	var hello struct {
		LocalTime bson.DateTime `bson:"localTime"`
	}
	err := c.coll.Database().RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	if err != nil {
		return 0, err
	}
	return min(c.clock(), hello.LocalTime), nil
}

func (c *collection) expiredIDs(ctx context.Context, now bson.DateTime,
	limit int) (ids bson.A, err error) {
	opts := options.Find().SetProjection(bson.D{{Key: "_id",
		Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(limit) + 1)
	cursor, err := c.coll.Find(ctx,
		bson.D{{Key: "expiry", Value: bson.D{{Key: "$lte", Value: now}}}}, opts)
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		id := cursor.Current.Lookup("_id")
		ids = append(ids, bson.RawValue{Type: id.Type, Value: bytes.Clone(id.Value)})
	}
	return ids, cursor.Err()
}

// remove deletes those of the ids that have expired.
func (c *collection) remove(ctx context.Context, now bson.DateTime, ids bson.A) (int, error) {
	result, err := c.coll.DeleteMany(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}},
		{Key: "expiry", Value: bson.D{{Key: "$lte", Value: now}}},
	})
	if err != nil {
		return 0, err
	}
	if !result.Acknowledged {
		return 0, errUnacknowledged
	}
	return int(result.DeletedCount), nil
}

// MaxData implements driver.SizeLimiter.
func (c *collection) MaxData() int { return maxData }

// clock is the time by the store's clock. It and every time in the collection are rounded down to
// the millisecond, so that no record outlives its expiry.
func (c *collection) clock() bson.DateTime { return bson.NewDateTimeFromTime(c.now()) }

// live matches the record with an id if it has not expired and is at a version.
func (c *collection) live(id string, version int64) bson.D {
	return bson.D{
		{Key: "_id", Value: key(id)},
		{Key: "version", Value: version},
		{Key: "expiry", Value: bson.D{{Key: "$gt", Value: c.clock()}}},
	}
}

// expired matches the record with an id if it has expired.
func (c *collection) expired(id string) bson.D {
	return bson.D{
		{Key: "_id", Value: key(id)},
		{Key: "expiry", Value: bson.D{{Key: "$lte", Value: c.clock()}}},
	}
}

func key(id string) bson.Binary { return bson.Binary{Data: []byte(id)} }

// fields are those that every save sets.
func fields(rec driver.Record) bson.D {
	data := rec.Data
	if data == nil {
		data = []byte{} // nil is null
	}
	return bson.D{
		{Key: "data", Value: bson.Binary{Data: data}},
		{Key: "expiry", Value: bson.NewDateTimeFromTime(rec.Expiry)},
		{Key: "updated", Value: bson.NewDateTimeFromTime(rec.Updated)},
		{Key: "version", Value: rec.Version},
	}
}

// matched is the outcome of an update that creates nothing.
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

// decode copies a record out of a document. Fields of other names are somebody else's.
func decode(doc bson.Raw) (driver.Record, error) {
	var rec driver.Record
	_, id, okID := doc.Lookup("_id").BinaryOK()
	_, data, okData := doc.Lookup("data").BinaryOK()
	var okVersion bool
	rec.Version, okVersion = doc.Lookup("version").AsInt64OK()
	if !okID || !okData || !okVersion {
		return driver.Record{}, errors.New("a document is not a session: _id, data or version is " +
			"missing, or of another type")
	}
	rec.ID, rec.Data = string(id), bytes.Clone(data)
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{"expiry", &rec.Expiry}, {"created", &rec.Created}, {"updated", &rec.Updated}} {
		ms, ok := doc.Lookup(f.name).DateTimeOK()
		if !ok {
			return driver.Record{}, fmt.Errorf("a document is not a session: %s is no date", f.name)
		}
		*f.to = time.UnixMilli(ms).UTC()
	}
	return rec, nil
}

// outsideTransaction returns a context without the driver's session that an application may have
// put there.
func outsideTransaction(ctx context.Context) context.Context {
	if mongo.SessionFromContext(ctx) == nil {
		return ctx
	}
	return mongo.NewSessionContext(ctx, nil)
}
