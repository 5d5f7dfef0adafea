package mongostore

import (
	"bytes"
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Sweep finds expired records with the index on expiry. It deletes them by their ids, unless they
// have been renewed in the meantime. That takes one round trip for the server's time, and two for
// each batch. Sweep removes only records that have expired by both clocks, the program's and the
// server's, so that a wrong clock can only delay their removal. Another sweep at the same time may
// delete some of the records first; Sweep then looks for more.
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

// bothClocks returns the earlier of the program's time and the server's.
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

// expiredIDs returns the ids of at most limit records that have expired.
func (c *collection) expiredIDs(
	ctx context.Context, now bson.DateTime, limit int,
) (ids bson.A, err error) {
	filter := bson.D{{Key: "expiry", Value: bson.D{{Key: "$lte", Value: now}}}}
	opts := options.Find().
		SetProjection(bson.D{{Key: "_id", Value: 1}}).
		SetLimit(int64(limit)).
		SetBatchSize(int32(limit) + 1)
	cursor, err := c.coll.Find(ctx, filter, opts)
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

// remove deletes the records with the given ids that have expired.
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
