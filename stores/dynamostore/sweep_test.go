package dynamostore

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// newSweptTable returns a table without TTL. Its clock is a day behind the server's, so that it
// decides which records a sweep removes.
func newSweptTable(t *testing.T) (*table, *clock, *wire) {
	t.Helper()
	c, w := newClock(), &wire{transport: http.DefaultTransport}
	c.at.Store(time.Now().Add(-24 * time.Hour).UnixMilli())
	d := newTable(t, clientOf(testenv.DynamoDB(t), w),
		Options{Options: scskit.Options{Now: c.now}, TTLDisabled: true})
	return d, c, w
}

// If the program's clock is ahead, a sweep keeps the sessions that are live by the server's clock.
// If it is behind, a sweep keeps those that are live by the program's clock.
func TestSweepByBothClocks(t *testing.T) {
	t.Parallel()
	d, c, _ := newSweptTable(t)
	for _, left := range []time.Duration{
		-2 * time.Hour, -30 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	} {
		save(t, d, driver.Record{ID: fmt.Sprint(left), Expiry: time.Now().Add(left), Version: 1})
	}
	for _, sweep := range []struct {
		name string
		skew time.Duration
		want int
	}{
		{"clock behind", -time.Hour, 1},
		{"clock ahead", time.Hour, 1},
		{"clock ahead, again", time.Hour, 0},
	} {
		c.at.Store(time.Now().Add(sweep.skew).UnixMilli())
		if n, err := d.Sweep(background, 10); n != sweep.want || err != nil {
			t.Errorf("%s: removed %d, %v, want %d", sweep.name, n, err, sweep.want)
		}
	}
}

// A sweep starts where the last one stopped, and reads each page of the table once.
func TestSweepContinues(t *testing.T) {
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
		t.Errorf("sweep again: removed %d, %v, want 0", got, err)
	}
}

// A record that is renewed after the sweep has read it stays.
func TestSweepKeepsRenewed(t *testing.T) {
	t.Parallel()
	d, c, _ := newSweptTable(t)
	for i := range 10 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Hour))
	}
	c.advance(time.Hour)
	out, err := d.client.Scan(background, d.scan("#expiry <= :now", nil))
	if err != nil || len(out.Items) != 10 {
		t.Fatalf("got %d items, %v, want 10", len(out.Items), err)
	}
	renewed, err := decode(out.Items[0])
	if err != nil {
		t.Fatal(err)
	}
	save(t, d, record(c, renewed.ID, 2, time.Minute))
	got, err := d.remove(background, out.Items, d.millis())
	if err != nil || got != 9 {
		t.Errorf("removed %d, %v, want 9", got, err)
	}
	_, err = d.Load(background, renewed.ID)
	want(t, "load of the renewed record", err, nil)
}

// A sweep that fails returns the number of deletes, and the next one removes the rest.
func TestSweepAfterError(t *testing.T) {
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

// failAfter is an HTTP client that fails every request after the first ones.
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
