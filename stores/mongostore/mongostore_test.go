package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// clock is a clock that stands still until it is told to move. It is a day behind the server's, so
// that it is this clock which decides what a sweep removes. The collections have no TTL index.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Now().Add(-24 * time.Hour).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

// monitor notes the commands that are sent, one round trip each.
type monitor struct {
	mu       sync.Mutex
	commands []bson.Raw
}

func (m *monitor) events() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.commands = append(m.commands, slices.Clone(e.Command))
	}}
}

// take returns the commands since the last call.
func (m *monitor) take() []bson.Raw {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.commands
	m.commands = nil
	return all
}

func names(commands []bson.Raw) string {
	var all []string
	for _, c := range commands {
		elements, _ := c.Elements()
		all = append(all, elements[0].Key())
	}
	return strings.Join(all, " ")
}

func newTestDriver(t testing.TB, coll *mongo.Collection, c *clock) *collection {
	t.Helper()
	d, err := newDriver(coll, &Options{Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*collection)
}

func record(c *clock, id string, version int64, ttl time.Duration) driver.Record {
	now := c.now()
	return driver.Record{ID: id, Data: []byte("data of " + id), Expiry: now.Add(ttl), Created: now,
		Updated: now, Version: version}
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

// Every operation is one command, whatever its outcome; and what each looks for is the id.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	c, m := newClock(), new(monitor)
	d := newTestDriver(t, newCollection(t, connect(t, m.events())), c)
	if err := d.coll.Database().Client().Ping(background, nil); err != nil {
		t.Fatal(err)
	}
	m.take()
	rec := record(c, "a", 1, time.Minute)
	for _, tc := range []struct {
		op, command string
		call        func() error
		want        error
	}{
		{"load of nothing", "find", func() error { _, err := d.Load(background, "a"); return err },
			driver.ErrNotFound},
		{"save over nothing", "update",
			func() error { return d.Save(background, rec, driver.IfVersion(1)) }, driver.ErrConflict},
		{"create", "update", func() error { return d.Save(background, rec, driver.IfAbsent()) }, nil},
		{"create again", "update", func() error { return d.Save(background, rec, driver.IfAbsent()) },
			driver.ErrConflict},
		{"overwrite", "update", func() error { return d.Save(background, rec, driver.Always()) }, nil},
		{"save", "update", func() error { return d.Save(background, rec, driver.IfVersion(1)) }, nil},
		{"save over another", "update",
			func() error { return d.Save(background, rec, driver.IfVersion(2)) }, driver.ErrConflict},
		{"touch", "update", func() error {
			return d.Touch(background, "a", 1, c.now().Add(time.Hour))
		}, nil},
		{"touch of another", "update",
			func() error { return d.Touch(background, "a", 2, c.now().Add(time.Hour)) }, driver.ErrConflict},
		{"load", "find", func() error { _, err := d.Load(background, "a"); return err }, nil},
		{"delete", "delete", func() error { return d.Delete(background, "a") }, nil},
		{"delete again", "delete", func() error { return d.Delete(background, "a") }, driver.ErrNotFound},
		{"range", "find", func() error {
			for _, err := range d.Range(background) {
				return err
			}
			return nil
		}, nil},
		{"sweep of nothing", "hello find",
			func() error { _, err := d.Sweep(background, 10); return err }, nil},
	} {
		want(t, tc.op, tc.call(), tc.want)
		if got := names(m.take()); got != tc.command {
			t.Errorf("%s: the commands are %q, want %q", tc.op, got, tc.command)
		}
	}

	for i := range pageRecords + 1 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	m.take()
	n := 0
	for _, err := range d.Range(background) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if got := names(m.take()); n != pageRecords+1 || got != "find find" {
		t.Errorf("range: %d records by the commands %q", n, got)
	}
	c.advance(time.Minute)
	swept, err := d.Sweep(background, 100)
	if got := names(m.take()); err != nil || swept != 100 || got != "hello find delete" {
		t.Errorf("sweep: %d, %v, by the commands %q", swept, err, got)
	}
}

// Reads go to the primary, and the application's transactions are none of the store's business.
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
	want(t, "touch", d.Touch(ctx, "a", 1, rec.Expiry), nil)
	for _, err := range d.Range(ctx) {
		want(t, "range", err, nil)
	}
	_, err = d.Sweep(ctx, 1)
	want(t, "sweep", err, nil)
	want(t, "delete", d.Delete(ctx, "a"), nil)
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
		want(t, "delete", d.Delete(background, "a"), nil)
	}
}

// Fifty writers at once, of which each inserts if it finds nothing: none fails.
func TestFirstWriters(t *testing.T) {
	t.Parallel()
	c := newClock()
	d := newTestDriver(t, newCollection(t, connect(t, nil)), c)
	for round := range 5 {
		id := fmt.Sprint(round)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				want(t, "save", d.Save(background, record(c, id, int64(i+1), time.Minute),
					driver.Always()), nil)
			})
		}
		wg.Wait()
	}
}

// How the application has its own types encoded does not change what is stored.
func TestEncodingIsOurs(t *testing.T) {
	t.Parallel()
	client, err := mongo.Connect(options.Client().ApplyURI(testenv.Mongo(t)).SetBSONOptions(
		&options.BSONOptions{
			IntMinSize: true, NilByteSliceAsEmpty: true, UseLocalTimeZone: true, ObjectIDAsHexString: true,
			DefaultDocumentMap: true, BinaryAsSlice: true,
		}))
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
		if err != nil || got.ID != rec.ID || got.Version != version || got.Data == nil ||
			len(got.Data) != 0 || !got.Expiry.Equal(rec.Expiry) || got.Expiry.Location() != time.UTC {
			t.Errorf("got %+v, %v", got, err)
		}
		want(t, "touch", d.Touch(background, rec.ID, version, rec.Expiry), nil)
	}
}

// Documents of somebody else are left out, left alone, and never mistaken for sessions.
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
	want(t, "delete", d.Delete(background, "a"), driver.ErrNotFound)
	for rec, err := range d.Range(background) {
		t.Errorf("range yields %+v, %v", rec, err)
	}
	if err := d.DropSchema(background); err == nil || !strings.Contains(err.Error(), "not sessions") {
		t.Errorf("drop: got error %v", err)
	}
	if n, err := d.coll.CountDocuments(background, bson.D{}); err != nil || n != 2 {
		t.Errorf("%d documents are left, %v", n, err)
	}
	if _, err := d.coll.InsertOne(background,
		bson.D{{Key: "_id", Value: key("broken")}, {Key: "expiry", Value: expiry}}); err != nil {
		t.Fatal(err)
	}
	const text = "mongostore: load: a document is not a session: _id, data or version is missing, " +
		"or of another type"
	if _, err := d.Load(background, "broken"); err == nil || err.Error() != text {
		t.Errorf("load: got error %v", err)
	}
}

func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	c := newClock()
	coll := newCollection(t, connect(t, nil))
	d := newTestDriver(t, coll.Clone(options.Collection().SetWriteConcern(
		writeconcern.Unacknowledged())), c)
	rec := record(c, "a", 1, time.Minute)
	for op, err := range map[string]error{
		"always":     d.Save(background, rec, driver.Always()),
		"if absent":  d.Save(background, rec, driver.IfAbsent()),
		"if version": d.Save(background, rec, driver.IfVersion(1)),
		"touch":      d.Touch(background, "a", 1, rec.Expiry),
		"delete":     d.Delete(background, "a"),
	} {
		want(t, op, err, errUnacknowledged)
	}
}

// The concerns go with the commands: the ones of Options, or else the collection's own.
func TestConcerns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	concerns := make(map[string]string)
	coll := newCollection(t, connect(t,
		&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
			mu.Lock()
			defer mu.Unlock()
			for _, concern := range []string{"writeConcern", "readConcern"} {
				if v, err := e.Command.LookupErr(concern); err == nil {
					concerns[e.CommandName] = v.String()
				}
			}
		}}))
	own := coll.Clone(options.Collection().SetWriteConcern(writeconcern.W1()).SetReadConcern(
		readconcern.Local()))
	c := newClock()
	for _, test := range []struct {
		opts        *Options
		write, read string
	}{
		{nil, `{"w": {"$numberInt":"1"}}`, `{"level": "local"}`},
		{&Options{WriteConcern: writeconcern.Majority(), ReadConcern: readconcern.Majority()},
			`{"w": "majority"}`, `{"level": "majority"}`},
	} {
		d, err := newDriver(own, test.opts)
		if err != nil {
			t.Fatal(err)
		}
		// Whether the server heeds them is another matter.
		_ = d.Save(background, record(c, "a", 1, time.Minute), driver.Always())
		_, _ = d.Load(background, "a")
		mu.Lock()
		if concerns["update"] != test.write || concerns["find"] != test.read {
			t.Errorf("sent %v, want %s and %s", concerns, test.write, test.read)
		}
		mu.Unlock()
	}
	if _, err := newDriver(coll, &Options{WriteConcern: writeconcern.Unacknowledged()}); err == nil {
		t.Error("unacknowledged writes: no error")
	}
}
