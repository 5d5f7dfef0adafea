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

// clock is a clock that stands still until it is told to move. It is ahead of the time of day: a
// DynamoDB that removes by TTL does not meddle.
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
	return newTable(t, clientOf(testenv.DynamoDB(t), w),
		Options{Options: scskit.Options{Now: c.now}}), c, w
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
	client := clientOf("http://127.0.0.1:1", nil)
	if _, err := New(nil, nil); err == nil || err.Error() != "dynamostore: the client is nil" {
		t.Errorf("got error %v", err)
	}
	for name, opts := range map[string]Options{
		"a negative MaxSize":   {Options: scskit.Options{MaxSize: -1}},
		"a short name":         {Table: "ab"},
		"a long name":          {Table: strings.Repeat("x", 256)},
		"a name with a space":  {Table: "my sessions"},
		"a name in Cyrillic":   {Table: "сессии"},
		"a negative capacity":  {ReadCapacity: -1, WriteCapacity: 1},
		"one capacity":         {ReadCapacity: 1},
		"only the other":       {WriteCapacity: 1},
		"two negative numbers": {ReadCapacity: -1, WriteCapacity: -1},
	} {
		if _, err := New(client, &opts); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, wanted := range map[string]string{"": "sessions", "123": "123", "a-b.c_D9": "a-b.c_D9"} {
		d, err := newDriver(client, &Options{Table: name})
		if err != nil || d.(*table).name != wanted {
			t.Errorf("table %q: %v, %v", name, d, err)
		}
	}
}

// Every operation is one request, whatever its outcome.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	d, c, w := newTestTable(t)
	w.take()
	rec := record(c, "a", 1, time.Minute)
	for _, tc := range []struct {
		op, request string
		call        func() error
		want        error
	}{
		{"load of nothing", "GetItem", func() error { _, err := d.Load(background, "a"); return err },
			driver.ErrNotFound},
		{"save over nothing", "UpdateItem",
			func() error { return d.Save(background, rec, driver.IfVersion(1)) }, driver.ErrConflict},
		{"create", "PutItem", func() error { return d.Save(background, rec, driver.IfAbsent()) }, nil},
		{"create again", "PutItem", func() error { return d.Save(background, rec, driver.IfAbsent()) },
			driver.ErrConflict},
		{"overwrite", "UpdateItem",
			func() error { return d.Save(background, rec, driver.Always()) }, nil},
		{"save", "UpdateItem", func() error { return d.Save(background, rec, driver.IfVersion(1)) }, nil},
		{"save over another", "UpdateItem",
			func() error { return d.Save(background, rec, driver.IfVersion(2)) }, driver.ErrConflict},
		{"touch", "UpdateItem", func() error {
			return d.Touch(background, "a", 1, c.now().Add(time.Hour))
		}, nil},
		{"touch of another", "UpdateItem",
			func() error { return d.Touch(background, "a", 2, c.now().Add(time.Hour)) }, driver.ErrConflict},
		{"load", "GetItem", func() error { _, err := d.Load(background, "a"); return err }, nil},
		{"delete", "DeleteItem", func() error { return d.Delete(background, "a") }, nil},
		{"delete again", "DeleteItem", func() error { return d.Delete(background, "a") },
			driver.ErrNotFound},
		{"overwrite of nothing", "UpdateItem",
			func() error { return d.Save(background, rec, driver.Always()) }, nil},
		{"too large", "", func() error {
			rec.Data = make([]byte, maxData+1)
			return d.Save(background, rec, driver.Always())
		}, driver.ErrTooLarge},
		{"range", "Scan", func() error {
			for _, err := range d.Range(background) {
				return err
			}
			return nil
		}, nil},
		{"sweep of nothing", "Scan", func() error { _, err := d.Sweep(background, 10); return err }, nil},
	} {
		want(t, tc.op, tc.call(), tc.want)
		if got := w.take(); got != tc.request {
			t.Errorf("%s: the requests are %q, want %q", tc.op, got, tc.request)
		}
	}
}

// What is in the table is what the package's documentation says.
func TestItem(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	raw := func() map[string]string {
		t.Helper()
		out, err := d.client.GetItem(background,
			&dynamodb.GetItemInput{TableName: &d.name, Key: key("\xff\x00")})
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
		"id": `B "\xff\x00"`, "data": `B "\x00\xff"`, "version": "N 4611686018427387905",
		"expiry_ms": "N 4000000001500",
		"created":   "N 4000000000001", "updated": "N 4000000000001", "expire_at": "N 4000000002",
	}
	save(t, d, rec)
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("an overwrite stores %v", got)
	}
	want(t, "touch", d.Touch(background, rec.ID, rec.Version, time.UnixMilli(4_000_000_003_000)), nil)
	wanted["expiry_ms"], wanted["expire_at"] = "N 4000000003000", "N 4000000003"
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("after a touch there is %v", got)
	}
	empty := rec
	empty.Data = nil
	want(t, "save", d.Save(background, empty, driver.IfVersion(rec.Version)), nil)
	if got := raw(); got["data"] != "" || got["expire_at"] != "N 4000000002" {
		t.Errorf("with empty data there is %v", got)
	}
	want(t, "delete", d.Delete(background, rec.ID), nil)
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	wanted["expiry_ms"], wanted["expire_at"] = "N 4000000001500", "N 4000000002"
	if got := raw(); !maps.Equal(got, wanted) {
		t.Errorf("a create stores %v", got)
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for ms, s := range map[int64]int64{0: 0, 1: 1, 999: 1, 1000: 1, 1001: 2, -1: 0, -1000: -1,
		-1001: -1} {
		if got := seconds(time.UnixMilli(ms)); got != s {
			t.Errorf("%d ms are %d s, want %d", ms, got, s)
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
		if got := w.take(); cond == driver.Always() && got != "UpdateItem PutItem" || cond.Absent() &&
			got != "PutItem" {
			t.Errorf("%+v: the requests are %q", cond, got)
		}
		got, err := d.Load(background, "a")
		if err != nil || !got.Created.Equal(rec.Created) || got.Version != 2 {
			t.Errorf("got %+v, %v", got, err)
		}
		want(t, "delete", d.Delete(background, "a"), nil)
	}
}

func TestFirstWriters(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want(t, "save", d.Save(background, record(c, "a", int64(i+1), time.Minute),
				driver.Always()), nil)
		})
	}
	wg.Wait()
}

// The longest id and the most data fit; DynamoDB's own limit, reached past ours, is a TooLargeError
// too, and what was there stays.
func TestLimit(t *testing.T) {
	t.Parallel()
	d, c, _ := newTestTable(t)
	rec := record(c, strings.Repeat("i", 512), 1<<62, time.Minute)
	rec.Created, rec.Updated = time.UnixMilli(-9e15), time.UnixMilli(-9e15)
	rec.Data = make([]byte, maxData)
	for i := range rec.Data {
		rec.Data[i] = byte(i)
	}
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	over := rec
	over.Data = make([]byte, 400<<10)
	for name, err := range map[string]error{
		"update": d.update(background, over, rec.Version),
		"create": d.create(background, record(c, "b", 1, time.Minute)),
		"put": d.create(background,
			driver.Record{ID: "c", Data: over.Data, Expiry: rec.Expiry, Version: 1}),
	} {
		if tooLarge := name != "create"; isItemTooLarge(err) != tooLarge {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	got, err := d.Load(background, rec.ID)
	if err != nil || !slices.Equal(got.Data, rec.Data) || got.Version != rec.Version {
		t.Errorf("what was stored has changed: %v", err)
	}
}

// A sweep goes on where the last one stopped, and reads each page of the table once.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	d, c, w := newSweptTable(t)
	const n, size = 30, 100 << 10 // three pages
	for i := range n {
		rec := record(c, fmt.Sprint(i), 1, time.Minute)
		if i%3 == 0 {
			rec.Expiry = c.now().Add(time.Hour)
		}
		rec.Data = make([]byte, size)
		save(t, d, rec)
	}
	c.advance(time.Minute)
	w.take()
	removed := 0
	for {
		got, err := d.Sweep(background, 4)
		if err != nil {
			t.Fatal(err)
		}
		removed += got
		if got < 4 {
			break
		}
	}
	requests := strings.Fields(w.take())
	scans := len(slices.DeleteFunc(requests, func(op string) bool { return op != "Scan" }))
	if removed != 20 || scans > 10 {
		t.Errorf("removed %d with %d scans, want 20 with at most 10", removed, scans)
	}
	if got, err := d.Sweep(background, 100); err != nil || got != 0 {
		t.Errorf("sweep again: %d, %v", got, err)
	}

	// What is renewed between the reading and the deleting stays.
	c.advance(time.Hour)
	out, err := d.client.Scan(background, d.scan("#expiry <= :now", nil))
	if err != nil || len(out.Items) == 0 {
		t.Fatalf("%d items, %v", len(out.Items), err)
	}
	renewed, err := decode(out.Items[0])
	if err != nil {
		t.Fatal(err)
	}
	save(t, d, record(c, renewed.ID, 2, time.Minute))
	if got, err := d.remove(background, out.Items, d.millis()); err != nil || got != len(out.Items)-1 {
		t.Errorf("removed %d, %v, want %d", got, err, len(out.Items)-1)
	}
	_, err = d.Load(background, renewed.ID)
	want(t, "load of the renewed", err, nil)
}

// An error in mid-sweep loses neither the count nor the place.
func TestSweepIsResumed(t *testing.T) {
	t.Parallel()
	d, c, _ := newSweptTable(t)
	for i := range 20 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	c.advance(time.Minute)
	failing := &failAfter{HTTPClient: http.DefaultClient, left: 8}
	broken := *clientOptions(d)
	broken.HTTPClient = failing
	broken.RetryMaxAttempts = 1
	healthy := d.client
	d.client = dynamodb.New(broken)
	n, err := d.Sweep(background, 100)
	if err == nil || n != 7 {
		t.Errorf("removed %d, %v, want 7 and an error", n, err)
	}
	d.client = healthy
	if n, err = d.Sweep(background, 100); err != nil || n != 13 {
		t.Errorf("removed %d, %v, want 13", n, err)
	}
}

// failAfter fails every request but the first ones.
type failAfter struct {
	dynamodb.HTTPClient
	mu   sync.Mutex
	left int
}

func (f *failAfter) Do(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.left--
	failed := f.left < 0
	f.mu.Unlock()
	if failed {
		return nil, errors.New("the network is down")
	}
	return f.HTTPClient.Do(r)
}

func clientOptions(d *table) *dynamodb.Options {
	o := d.client.Options()
	return &o
}

// Range goes over pages, and ends with its context.
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
			t.Fatalf("%d bytes, %v", len(rec.Data), err)
		}
		seen[rec.ID] = true
	}
	if got := w.take(); len(seen) != 25 || strings.Count(got, "Scan") != 3 {
		t.Errorf("%d records, by %s", len(seen), got)
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
			t.Errorf("EventuallyConsistentReads %v: ConsistentRead %v", eventual, got)
		}
	}
}
