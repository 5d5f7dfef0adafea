package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/driver"
)

// A server's error may quote ids and data. No error in the chain of the driver's error contains
// them.
func TestFailuresWithhold(t *testing.T) {
	t.Parallel()
	const secret = "73657373"
	labels := []string{"label"}
	duplicate := mongo.WriteError{
		Code:    11000,
		Message: "E11000 dup key: { _id: BinData(0, " + secret + ") }",
		Raw:     bson.Raw(secret),
	}
	for _, tc := range []struct {
		err  error
		text string
	}{
		{
			mongo.WriteException{
				WriteErrors: mongo.WriteErrors{duplicate}, Raw: bson.Raw(secret), Labels: labels,
			},
			"mongostore: save: (DuplicateKey) the server answered with error code 11000",
		},
		{
			mongo.BulkWriteException{
				WriteErrors: []mongo.BulkWriteError{{
					WriteError: duplicate, Request: mongo.NewInsertOneModel().SetDocument(secret),
				}},
				Labels: labels,
			},
			"mongostore: save: (DuplicateKey) the server answered with error code 11000",
		},
		{
			mongo.WriteException{
				WriteConcernError: &mongo.WriteConcernError{
					Name: "WriteConcernFailed", Code: 64, Message: secret,
				},
				Labels: labels,
			},
			"mongostore: save: (WriteConcernFailed) the server answered with error code 64",
		},
		{
			mongo.CommandError{
				Code: 13, Name: "Unauthorized", Labels: labels, Wrapped: errors.New(secret),
				Message: "not authorized to execute { find: … " + secret, Raw: bson.Raw(secret),
			},
			"mongostore: save: (Unauthorized) the server answered with error code 13",
		},
	} {
		err := failure(context.Background(), "save", fmt.Errorf("wrapped: %w", tc.err))
		if err.Error() != tc.text {
			t.Errorf("got %q, want %q", err, tc.text)
		}
		var before, after mongo.ServerError
		if !errors.As(tc.err, &before) || !errors.As(err, &after) ||
			!after.HasErrorCode(before.ErrorCodes()[0]) || !after.HasErrorLabel("label") {
			t.Errorf("%v: the code or the label is missing", err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%+v %#v", e, e), secret) {
				t.Errorf("the error quotes the server: %#v", e)
			}
		}
	}
	network := mongo.CommandError{
		Message: "connection(…) broken pipe", Labels: []string{"NetworkError"},
	}
	err := failure(context.Background(), "load", network)
	if !mongo.IsNetworkError(err) || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("got error %v, want a network error with its text", err)
	}
}

func TestServerTimesOutFirst(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	err := failure(ctx, "load", mongo.CommandError{Code: 50, Name: "MaxTimeMSExpired"})
	want(t, "load", err, context.DeadlineExceeded)
}

// With a server that accepts connections and sends nothing, operations end with their context.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + l.Addr().String() + "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(background) }()
	c := newClock()
	d := newTestDriver(t, client.Database("db").Collection("sessions"), c)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	rec := record(c, "secret-id", 1, time.Minute)
	_, loadErr := d.Load(ctx, rec.ID)
	for op, err := range map[string]error{
		"load":   loadErr,
		"save":   d.Save(ctx, rec, driver.Always()),
		"touch":  d.Touch(ctx, touchTo(rec.ID, 1, rec.Expiry)),
		"delete": d.Delete(ctx, rec.ID, driver.Always()),
		"check":  d.CheckSchema(ctx),
		"create": d.CreateSchema(ctx),
		"drop":   d.DropSchema(ctx),
	} {
		want(t, op, err, context.DeadlineExceeded)
		if !strings.HasPrefix(err.Error(), "mongostore: "+op) || strings.Contains(err.Error(), rec.ID) {
			t.Errorf("%s: got error %v", op, err)
		}
	}
}
