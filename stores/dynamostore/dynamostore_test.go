package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// clock is a clock that stands still until a test moves it. It is ahead of the real time, so that
// the server's TTL removes nothing.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Now().Add(time.Hour).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

func newTestTable(t testing.TB) (*table, *clock, *wire) {
	t.Helper()
	c, w := newClock(), &wire{transport: http.DefaultTransport}
	client := clientOf(testenv.DynamoDB(t), w)
	return newTable(t, client, Options{Options: scskit.Options{Now: c.now}}), c, w
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
	client := clientOf("http://127.0.0.1:1", nil)
	const want = "dynamostore: the client is nil: make one with dynamodb.NewFromConfig"
	if _, err := New(nil, nil); err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
	for name, opts := range map[string]Options{
		"a negative MaxSize":    {Options: scskit.Options{MaxSize: -1}},
		"a short name":          {Table: "ab"},
		"a long name":           {Table: strings.Repeat("x", 256)},
		"a name with a space":   {Table: "my sessions"},
		"a name in Cyrillic":    {Table: "сессии"},
		"a negative capacity":   {ReadCapacity: -1, WriteCapacity: 1},
		"only a read capacity":  {ReadCapacity: 1},
		"only a write capacity": {WriteCapacity: 1},
		"two negative numbers":  {ReadCapacity: -1, WriteCapacity: -1},
	} {
		if _, err := New(client, &opts); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, wanted := range map[string]string{
		"": "sessions", "123": "123", "a-b.c_D9": "a-b.c_D9",
	} {
		d, err := newDriver(client, &Options{Table: name})
		if err != nil || d.(*table).name != wanted {
			t.Errorf("table %q: got %v, %v, want the name %q", name, d, err, wanted)
		}
	}
}

// Every operation is one request, whatever its result.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	d, c, w := newTestTable(t)
	w.take()
	rec := record(c, "a", 1, time.Minute)
	large := rec
	large.Data = make([]byte, maxData+1)
	load := func() error {
		_, err := d.Load(background, "a")
		return err
	}
	save := func(rec driver.Record, cond driver.Condition) func() error {
		return func() error { return d.Save(background, rec, cond) }
	}
	touch := func(version int64) func() error {
		return func() error { return d.Touch(background, touchTo("a", version, c.now().Add(time.Hour))) }
	}
	remove := func() error { return d.Delete(background, "a", driver.Always()) }
	list := func() error {
		for _, err := range d.Range(background) {
			return err
		}
		return nil
	}
	sweep := func() error {
		_, err := d.Sweep(background, 10)
		return err
	}
	for _, tc := range []struct {
		op, request string
		call        func() error
		want        error
	}{
		{"load of nothing", "GetItem", load, driver.ErrNotFound},
		{"save over nothing", "UpdateItem", save(rec, driver.IfVersion(1)), driver.ErrConflict},
		{"create", "PutItem", save(rec, driver.IfAbsent()), nil},
		{"create again", "PutItem", save(rec, driver.IfAbsent()), driver.ErrConflict},
		{"overwrite", "UpdateItem", save(rec, driver.Always()), nil},
		{"save", "UpdateItem", save(rec, driver.IfVersion(1)), nil},
		{"save over another", "UpdateItem", save(rec, driver.IfVersion(2)), driver.ErrConflict},
		{"touch", "UpdateItem", touch(1), nil},
		{"touch of another", "UpdateItem", touch(2), driver.ErrConflict},
		{"load", "GetItem", load, nil},
		{"delete", "DeleteItem", remove, nil},
		{"delete again", "DeleteItem", remove, driver.ErrNotFound},
		{"overwrite of nothing", "UpdateItem", save(rec, driver.Always()), nil},
		{"too large", "", save(large, driver.Always()), driver.ErrTooLarge},
		{"range", "Scan", list, nil},
		{"sweep of nothing", "Scan", sweep, nil},
	} {
		want(t, tc.op, tc.call(), tc.want)
		if got := w.take(); got != tc.request {
			t.Errorf("%s: sent %q, want %q", tc.op, got, tc.request)
		}
	}
}

// The items are as in the package documentation.
func TestItem(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	raw := func() map[string]string {
		t.Helper()
		in := &dynamodb.GetItemInput{TableName: &d.name, Key: key("\xff\x00")}
		out, err := d.client.GetItem(background, in)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, v := range out.Item {
			switch v := v.(type) {
			case *types.AttributeValueMemberN:
				got[name] = "N " + v.Value
			case *types.AttributeValueMemberB:
				got[name] = fmt.Sprintf("B %q", v.Value)
			default:
				got[name] = fmt.Sprintf("%T", v)
			}
		}
		return got
	}
	c.at.Store(4_000_000_000_001)
	rec := record(c, "\xff\x00", 1<<62+1, 0)
	rec.Data = []byte{0, 0xff}
	rec.Expiry = time.UnixMilli(4_000_000_001_500)
	wanted := map[string]string{
		"id":        `B "\xff\x00"`,
		"data":      `B "\x00\xff"`,
		"version":   "N 4611686018427387905",
		"expiry_ms": "N 4000000001500",
		"created":   "N 4000000000001",
		"updated":   "N 4000000000001",
		"seen":      "N 4000000000001",
		"expire_at": "N 4000000002",
	}
	save(t, d, rec)
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("after an overwrite: got %v, want %v", got, wanted)
	}
	expiry := time.UnixMilli(4_000_000_003_000)
	want(t, "touch", d.Touch(background, touchTo(rec.ID, rec.Version, expiry)), nil)
	wanted["expiry_ms"], wanted["expire_at"] = "N 4000000003000", "N 4000000003"
	wanted["seen"] = "N 3999999943000"
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("after a touch: got %v, want %v", got, wanted)
	}
	empty := rec
	empty.Data = nil
	want(t, "save", d.Save(background, empty, driver.IfVersion(rec.Version)), nil)
	if got := raw(); got["data"] != "" || got["expire_at"] != "N 4000000002" {
		t.Errorf("after a save of empty data: got %v, want no data, and expire_at moved", got)
	}
	want(t, "delete", d.Delete(background, rec.ID, driver.Always()), nil)
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	wanted["expiry_ms"], wanted["expire_at"] = "N 4000000001500", "N 4000000002"
	wanted["seen"] = "N 4000000000001"
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("after a create: got %v, want %v", got, wanted)
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for ms, s := range map[int64]int64{
		0: 0, 1: 1, 999: 1, 1000: 1, 1001: 2, -1: 0, -1000: -1, -1001: -1,
	} {
		if got := seconds(time.UnixMilli(ms)); got != s {
			t.Errorf("%d ms: got %d s, want %d", ms, got, s)
		}
	}
}

func TestCreatedOfExpired(t *testing.T) {
	t.Parallel()
	d, c, w := newTestTable(t)
	for _, cond := range []driver.Condition{driver.Always(), driver.IfAbsent()} {
		save(t, d, record(c, "a", 1, time.Minute))
		c.advance(time.Minute)
		rec := record(c, "a", 2, time.Minute)
		w.take()
		want(t, "save", d.Save(background, rec, cond), nil)
		requests := "UpdateItem PutItem"
		if cond.Absent() {
			requests = "PutItem"
		}
		if got := w.take(); got != requests {
			t.Errorf("%+v: sent %q, want %q", cond, got, requests)
		}
		got, err := d.Load(background, "a")
		if err != nil || !got.Created.Equal(rec.Created) || got.Version != 2 {
			t.Errorf("got %+v, %v, want %+v", got, err, rec)
		}
		want(t, "delete", d.Delete(background, "a", driver.Always()), nil)
	}
}

// When 50 writers create the same record at once, none fails.
func TestFirstWriters(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			rec := record(c, "a", int64(i+1), time.Minute)
			want(t, "save", d.Save(background, rec, driver.Always()), nil)
		})
	}
	wg.Wait()
}

// The longest id and maxData fit into an item. isItemTooLarge recognizes DynamoDB's error for a
// larger item, and the stored record stays.
func TestLimit(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	rec := record(c, strings.Repeat("i", 512), 1<<62, time.Minute)
	rec.Created, rec.Updated = time.UnixMilli(-9e15), time.UnixMilli(-9e15)
	rec.Seen = rec.Updated
	rec.Data = make([]byte, maxData)
	for i := range rec.Data {
		rec.Data[i] = byte(i)
	}
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	over := rec
	over.Data = make([]byte, 400<<10)
	large := driver.Record{ID: "c", Data: over.Data, Expiry: rec.Expiry, Version: 1}
	for name, err := range map[string]error{
		"update": d.update(background, over, rec.Version),
		"create": d.create(background, record(c, "b", 1, time.Minute)),
		"put":    d.create(background, large),
	} {
		if tooLarge := name != "create"; isItemTooLarge(err) != tooLarge {
			t.Errorf("%s: got error %v, want too large %v", name, err, tooLarge)
		}
	}
	got, err := d.Load(background, rec.ID)
	if err != nil || !slices.Equal(got.Data, rec.Data) || got.Version != rec.Version {
		t.Errorf("the stored record changed, or a load failed: %v", err)
	}
}

// Range reads several pages, and ends with its context.
func TestRangePages(t *testing.T) {
	t.Parallel()
	d, c, w := newTestTable(t)
	for i := range 25 {
		rec := record(c, fmt.Sprint(i), 1, time.Minute)
		rec.Data = make([]byte, 100<<10)
		save(t, d, rec)
	}
	w.take()
	seen := map[string]bool{}
	for rec, err := range d.Range(background) {
		if err != nil || len(rec.Data) != 100<<10 {
			t.Fatalf("got %d bytes, %v", len(rec.Data), err)
		}
		seen[rec.ID] = true
	}
	if got := w.take(); len(seen) != 25 || strings.Count(got, "Scan") != 3 {
		t.Errorf("got %d records with %s, want 25 with 3 scans", len(seen), got)
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	var last error
	for _, err := range d.Range(ctx) {
		cancel()
		last = err
	}
	want(t, "range", last, context.Canceled)
}

func TestEventuallyConsistentReads(t *testing.T) {
	t.Parallel()
	for _, eventual := range []bool{false, true} {
		d := newTable(t, connect(t), Options{EventuallyConsistentReads: eventual})
		if got := *d.scan("", nil).ConsistentRead; got != !eventual {
			t.Errorf("EventuallyConsistentReads %v: got ConsistentRead %v", eventual, got)
		}
	}
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}
