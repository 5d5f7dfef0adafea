package mongostore

import (
	"bytes"
	"context"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// pageRecords is the maximum number of records in a page of Range and RangeUser. The server also
// limits a page to 16 MiB.
const pageRecords = 500

func (c *collection) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return c.list(ctx, nil, "", func(ctx context.Context, err error) error {
		return failure(ctx, "range", err)
	})
}

// list yields the live records that match the filter. It reads page after page in the order of ids,
// by the index with the given name, or by the one that the server chooses. It holds no cursor while
// the body of the loop runs, because the server closes a cursor that is idle for ten minutes. In
// another order, list could miss a record that a touch moves. It skips documents whose _id is not
// binary, because this package did not write them.
func (c *collection) list(
	ctx context.Context, filter bson.D, index string, fail func(context.Context, error) error,
) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		ctx := outsideTransaction(ctx)
		after := bson.RawValue{}
		for more := true; more; {
			var page []driver.Record
			var err error
			page, after, more, err = c.readPage(ctx, filter, index, after)
			for _, rec := range page {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(driver.Record{}, fail(ctx, err))
				return
			}
		}
	}
}

// readPage returns live records that match the filter in the order of their ids, starting after the
// given id. It also returns the last id of the page, and whether there may be another page.
func (c *collection) readPage(
	ctx context.Context, filter bson.D, index string, after bson.RawValue,
) (page []driver.Record, last bson.RawValue, more bool, err error) {
	filter = append(filter[:len(filter):len(filter)],
		bson.E{Key: "expiry", Value: bson.D{{Key: "$gt", Value: c.clock()}}})
	if !after.IsZero() {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}})
	}
	// With a batch size above the limit, the server closes the cursor after the first batch.
	opts := options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).
		SetLimit(pageRecords).
		SetBatchSize(pageRecords + 1)
	if index != "" {
		opts.SetHint(index)
	}
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
