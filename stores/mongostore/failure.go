package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

var errUnacknowledged = errors.New("the collection's write concern is w: 0, with which the " +
	"outcome of a write is unknown: use majority")

// failure returns the error of an operation on records. If the context has ended, the error matches
// the context's error, whatever MongoDB's driver returned.
func failure(ctx context.Context, op string, err error) error {
	ended := ctx.Err()
	if _, ok := ctx.Deadline(); ok && ended == nil && mongo.IsTimeout(err) {
		// MongoDB's driver sends the deadline to the server, whose timer may fire first.
		ended = context.DeadlineExceeded
	}
	err = withhold(err)
	if ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("mongostore: %s: %w: %w", op, ended, err)
	}
	return fmt.Errorf("mongostore: %s: %w", op, err)
}

// withhold returns an error without the server's text and without the values that MongoDB's driver
// attaches. They may quote the id (duplicate keys), the whole command (missing permissions) or the
// document. Code, name and labels remain.
func withhold(err error) error {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return err
	}
	var kept mongo.CommandError
	if c := (mongo.CommandError{}); errors.As(err, &c) {
		if c.Code == 0 && c.Name == "" {
			return err // an error of the network, without text of the server
		}
		kept.Code, kept.Name, kept.Labels = c.Code, c.Name, c.Labels
	} else {
		if codes := server.ErrorCodes(); len(codes) > 0 {
			kept.Code = int32(codes[0])
		}
		var concern *mongo.WriteConcernError
		if e := (mongo.WriteException{}); errors.As(err, &e) {
			kept.Labels, concern = e.Labels, e.WriteConcernError
		}
		if e := (mongo.BulkWriteException{}); errors.As(err, &e) {
			kept.Labels, concern = e.Labels, e.WriteConcernError
		}
		switch {
		case concern != nil && concern.Code == int(kept.Code):
			kept.Name = concern.Name
		case mongo.IsDuplicateKeyError(err):
			kept.Name = "DuplicateKey"
		default:
			kept.Name = "WriteError"
		}
	}
	kept.Message = fmt.Sprintf("the server answered with error code %d", kept.Code)
	return kept
}
