package mongostore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// clock is a clock that stands still until a test moves it. It is a day behind the server's clock,
// so that it decides which records a sweep removes. The collections have no TTL index.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Now().Add(-24 * time.Hour).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

func newTestDriver(t testing.TB, coll *mongo.Collection, c *clock) *collection {
	t.Helper()
	d, err := newDriver(coll, &Options{Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	return collectionOf(d)
}

func record(c *clock, id string, version int64, ttl time.Duration) driver.Record {
	now := c.now()
	return driver.Record{
		ID: id, Data: []byte("data of " + id), Version: version,
		Expiry: now.Add(ttl), Created: now, Updated: now, Seen: now,
	}
}

func save(t testing.TB, d driver.Driver, rec driver.Record) {
	t.Helper()
	if err := d.Save(background, rec, driver.Always()); err != nil {
		t.Fatalf("save: %v", err)
	}
}

func want(t testing.TB, what string, got, target error) {
	t.Helper()
	if !errors.Is(got, target) {
		t.Errorf("%s: got error %v, want %v", what, got, target)
	}
}

func TestConstructor(t *testing.T) {
	t.Parallel()
	for _, coll := range []*mongo.Collection{nil, new(mongo.Collection)} {
		if _, err := New(coll, nil); err == nil || !strings.HasPrefix(err.Error(), "mongostore: ") {
			t.Errorf("got error %v", err)
		}
	}
	coll := connect(t, nil).Database("db").Collection("sessions")
	if _, err := New(coll, &Options{Options: scskit.Options{MaxSize: -1}}); err == nil {
		t.Error("a negative MaxSize was accepted")
	}
}

// Reads go to the primary, and no command is part of the application's transaction.
func TestReadsAndTransactions(t *testing.T) {
	t.Parallel()
	c, m := newClock(), new(monitor)
	client := connect(t, m.events())
	coll := newCollection(t, client)
	secondary := coll.Clone(options.Collection().SetReadPreference(readpref.SecondaryPreferred()))
	d := newTestDriver(t, secondary, c)
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(background)
	if err := session.StartTransaction(); err != nil {
		t.Fatal(err)
	}
	ctx := mongo.NewSessionContext(background, session)
	rec := record(c, "a", 1, time.Minute)
	want(t, "create", d.Save(ctx, rec, driver.IfAbsent()), nil)
	_, err = d.Load(ctx, "a")
	want(t, "load", err, nil)
	want(t, "overwrite", d.Save(ctx, rec, driver.Always()), nil)
	want(t, "touch", d.Touch(ctx, touchTo("a", 1, rec.Expiry)), nil)
	for _, err := range d.Range(ctx) {
		want(t, "range", err, nil)
	}
	_, err = d.Sweep(ctx, 1)
	want(t, "sweep", err, nil)
	want(t, "delete", d.Delete(ctx, "a", driver.Always()), nil)
	for _, command := range m.take() {
		for _, field := range []string{"startTransaction", "autocommit"} {
			if _, err := command.LookupErr(field); err == nil {
				t.Errorf("a command is part of a transaction: %s", names([]bson.Raw{command}))
			}
		}
		if mode, err := command.LookupErr("$readPreference", "mode"); err == nil &&
			!strings.HasPrefix(mode.StringValue(), "primary") {
			t.Errorf("a command may go to a secondary: read preference %v", mode)
		}
	}
}

func TestCreatedOfExpired(t *testing.T) {
	t.Parallel()
	c := newClock()
	d := newTestDriver(t, newCollection(t, connect(t, nil)), c)
	for _, cond := range []driver.Condition{driver.Always(), driver.IfAbsent()} {
		save(t, d, record(c, "a", 1, time.Minute))
		c.advance(time.Minute)
		rec := record(c, "a", 2, time.Minute)
		want(t, "save", d.Save(background, rec, cond), nil)
		got, err := d.Load(background, "a")
		if err != nil || !got.Created.Equal(rec.Created) || got.Version != 2 {
			t.Errorf("got %+v, %v", got, err)
		}
		want(t, "delete", d.Delete(background, "a", driver.Always()), nil)
	}
}

// When 50 writers create the same record at once, none fails.
func TestFirstWriters(t *testing.T) {
	t.Parallel()
	c := newClock()
	d := newTestDriver(t, newCollection(t, connect(t, nil)), c)
	for round := range 5 {
		id := fmt.Sprint(round)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				rec := record(c, id, int64(i+1), time.Minute)
				want(t, "save", d.Save(background, rec, driver.Always()), nil)
			})
		}
		wg.Wait()
	}
}

// The application's encoding settings do not change the stored documents.
func TestEncodingIsFixed(t *testing.T) {
	t.Parallel()
	encoding := &options.BSONOptions{
		IntMinSize: true, NilByteSliceAsEmpty: true, UseLocalTimeZone: true,
		ObjectIDAsHexString: true, DefaultDocumentMap: true, BinaryAsSlice: true,
	}
	client, err := mongo.Connect(
		options.Client().ApplyURI(testenv.Mongo(t)).SetBSONOptions(encoding))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(background) }()
	c := newClock()
	d := newTestDriver(t, newCollection(t, client), c)
	for _, version := range []int64{1, 1<<62 + 1} {
		rec := record(c, "\xff\x00", version, time.Minute)
		rec.Data = nil
		save(t, d, rec)
		got, err := d.Load(background, rec.ID)
		if err != nil || got.ID != rec.ID || got.Version != version ||
			got.Data == nil || len(got.Data) != 0 ||
			!got.Expiry.Equal(rec.Expiry) || got.Expiry.Location() != time.UTC {
			t.Errorf("got %+v, %v, want %+v", got, err, rec)
		}
		want(t, "touch", d.Touch(background, touchTo(rec.ID, version, rec.Expiry)), nil)
	}
}

// The driver does not list or change documents that it did not write.
func TestForeignDocuments(t *testing.T) {
	t.Parallel()
	c := newClock()
	d := newTestDriver(t, newCollection(t, connect(t, nil)), c)
	expiry := bson.NewDateTimeFromTime(c.now().Add(time.Minute))
	for _, doc := range []bson.D{
		{{Key: "_id", Value: "a"}, {Key: "expiry", Value: expiry}},
		{{Key: "_id", Value: bson.NewObjectID()}, {Key: "token", Value: "a"},
			{Key: "expiration", Value: expiry}},
	} {
		if _, err := d.coll.InsertOne(background, doc); err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Load(background, "a")
	want(t, "load", err, driver.ErrNotFound)
	want(t, "delete", d.Delete(background, "a", driver.Always()), driver.ErrNotFound)
	for rec, err := range d.Range(background) {
		t.Errorf("range yields %+v, %v", rec, err)
	}
	err = d.DropSchema(background)
	if err == nil || !strings.Contains(err.Error(), "not sessions") {
		t.Errorf("drop: got error %v, want documents that are not sessions", err)
	}
	if n, err := d.coll.CountDocuments(background, bson.D{}); err != nil || n != 2 {
		t.Errorf("%d documents are left, %v, want 2", n, err)
	}
	broken := bson.D{{Key: "_id", Value: key("broken")}, {Key: "expiry", Value: expiry}}
	if _, err := d.coll.InsertOne(background, broken); err != nil {
		t.Fatal(err)
	}
	const text = "mongostore: load: a document is not a session: _id, data or version is missing " +
		"or has another type"
	if _, err := d.Load(background, "broken"); err == nil || err.Error() != text {
		t.Errorf("load: got error %v, want %s", err, text)
	}
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}
