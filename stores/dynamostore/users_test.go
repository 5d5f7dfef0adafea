package dynamostore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

func withUsers(o Options) Options {
	o.UserKey = "user"
	return o
}

func newUserTable(t testing.TB) (*userTable, *clock, *wire) {
	t.Helper()
	c, w := newClock(), &wire{transport: http.DefaultTransport}
	opts := withUsers(Options{Options: scskit.Options{Now: c.now}})
	return &userTable{newTable(t, clientOf(testenv.DynamoDB(t), w), opts)}, c, w
}

func owned(c *clock, id, user string) driver.Record {
	rec := record(c, id, 1, time.Minute)
	rec.User = user
	return rec
}

// ids returns the sorted ids of the user's records. It waits until the index lists as many as are
// wanted, because an index of AWS may lag. The indexes of dynalite and DynamoDB Local do not.
func (t *userTable) ids(tb testing.TB, user string, want int) []string {
	tb.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		ids := []string{}
		for rec, err := range t.RangeUser(background, user) {
			if err != nil {
				tb.Fatal(err)
			}
			ids = append(ids, rec.ID)
		}
		if len(ids) == want || time.Now().After(deadline) {
			slices.Sort(ids)
			return ids
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// With an index of users, every operation is still one request. An item has the attribute only if
// the record has a user.
func TestUserAttribute(t *testing.T) {
	t.Parallel()
	d, c, w := newUserTable(t)
	attribute := func() string {
		t.Helper()
		in := &dynamodb.GetItemInput{TableName: &d.name, Key: key("a")}
		out, err := d.client.GetItem(background, in)
		if err != nil {
			t.Fatal(err)
		}
		switch v := out.Item["user"].(type) {
		case nil:
			return ""
		case *types.AttributeValueMemberB:
			return string(v.Value)
		default:
			t.Fatalf("got a user of type %T", v)
			return ""
		}
	}
	empty := owned(c, "a", "\xff\x00")
	empty.Data = nil
	save := func(user string, cond driver.Condition) func() error {
		return func() error { return d.Save(background, owned(c, "a", user), cond) }
	}
	for _, tc := range []struct {
		what    string
		call    func() error
		request string
		user    string
	}{
		{"create", save("alice", driver.IfAbsent()), "PutItem", "alice"},
		{"touch", func() error {
			return d.Touch(background, touchTo("a", 1, c.now().Add(time.Hour)))
		}, "UpdateItem", "alice"},
		{"save for another user", save("bob", driver.IfVersion(1)), "UpdateItem", "bob"},
		{"save without a user", save("", driver.IfVersion(1)), "UpdateItem", ""},
		{"overwrite without data", func() error {
			return d.Save(background, empty, driver.Always())
		}, "UpdateItem", "\xff\x00"},
		{"overwrite without data and user", func() error {
			empty.User = ""
			return d.Save(background, empty, driver.Always())
		}, "UpdateItem", ""},
	} {
		w.take()
		want(t, tc.what, tc.call(), nil)
		if got := w.take(); got != tc.request {
			t.Errorf("%s: sent %q, want %q", tc.what, got, tc.request)
		}
		if got := attribute(); got != tc.user {
			t.Errorf("%s: got the user %q, want %q", tc.what, got, tc.user)
		}
		if rec, err := d.Load(background, "a"); err != nil || rec.User != tc.user {
			t.Errorf("%s: loaded the user %q, %v, want %q", tc.what, rec.User, err, tc.user)
		}
	}
}

// A store without UserKey does not change the attribute.
func TestUserAttributeWithoutKey(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	save(t, d, owned(c, "a", "alice"))
	other, err := newDriver(d.client, &Options{Table: d.name, Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.(driver.UserIndex); ok {
		t.Error("a driver without UserKey is a UserIndex")
	}
	want(t, "save", other.Save(background, owned(c, "a", "bob"), driver.IfVersion(1)), nil)
	want(t, "create", other.Save(background, owned(c, "b", "bob"), driver.IfAbsent()), nil)
	if rec, err := d.Load(background, "a"); err != nil || rec.User != "alice" {
		t.Errorf("got the user %q, %v, want alice", rec.User, err)
	}
	if got := d.ids(t, "bob", 0); len(got) != 0 {
		t.Errorf("bob has the sessions %q, want none", got)
	}
}

// The longest id, the longest user and maxData fit into one item.
func TestUserLimit(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	rec := owned(c, strings.Repeat("i", 512), strings.Repeat("u", 64))
	rec.Version, rec.Created, rec.Updated = 1<<62, time.UnixMilli(-9e15), time.UnixMilli(-9e15)
	rec.Seen = rec.Updated
	rec.Data = make([]byte, maxData)
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	want(t, "save", d.Save(background, rec, driver.IfVersion(rec.Version)), nil)
	if got := d.ids(t, rec.User, 1); len(got) != 1 {
		t.Errorf("the user has %d records, want 1", len(got))
	}
}

// 250 records take three pages of the index, and one request to the table for each page.
func TestRangeUserPages(t *testing.T) {
	t.Parallel()
	d, c, w := newUserTable(t)
	for i := range 250 {
		save(t, d, owned(c, fmt.Sprint(i), "alice"))
		if i < 10 {
			save(t, d, owned(c, fmt.Sprint("bob's ", i), "bob"))
			save(t, d, owned(c, fmt.Sprint("nobody's ", i), ""))
		}
	}
	if got := d.ids(t, "alice", 250); len(slices.Compact(got)) != 250 {
		t.Fatalf("alice has %d sessions, want 250", len(got))
	}
	w.take()
	d.ids(t, "alice", 250)
	if got := w.take(); got != strings.TrimSpace(strings.Repeat("Query BatchGetItem ", 3)) {
		t.Errorf("sent %s, want Query BatchGetItem three times", got)
	}
	for _, err := range d.RangeUser(background, "bob") {
		want(t, "range", err, nil)
		break
	}
	if got := w.take(); got != "Query BatchGetItem" {
		t.Errorf("after break: sent %s, want Query BatchGetItem", got)
	}
	c.advance(time.Minute)
	if got := d.ids(t, "alice", 0); len(got) != 0 {
		t.Errorf("range yields %d expired records", len(got))
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	for _, err := range d.RangeUser(ctx, "alice") {
		want(t, "range", err, context.Canceled)
	}
}

// An answer holds at most 16 MB, or with dynalite 1 MB and one item. items requests the rest.
func TestItemsLarge(t *testing.T) {
	t.Parallel()
	const n = 50
	requests := n*maxData/(16<<20) + 1
	if onDynalite(t) {
		requests = (n + 2) / 3
	}
	d, c, w := newUserTable(t)
	var keys []item
	for i := range n {
		rec := owned(c, fmt.Sprint(i), "alice")
		rec.Data = make([]byte, maxData)
		save(t, d, rec)
		keys = append(keys, key(rec.ID))
	}
	w.take()
	seen := map[string]bool{}
	for it, err := range d.items(background, keys) {
		if err != nil {
			t.Fatal(err)
		}
		rec, err := decode(it)
		if err != nil || len(rec.Data) != maxData {
			t.Fatalf("got %d bytes, %v, want %d", len(rec.Data), err, maxData)
		}
		seen[rec.ID] = true
	}
	wanted := strings.TrimSpace(strings.Repeat("BatchGetItem ", requests))
	if got := w.take(); len(seen) != n || got != wanted {
		t.Errorf("got %d items with %s, want %d with %s", len(seen), got, n, wanted)
	}
}

// throttling is an HTTP client that answers the first requests with all their keys unprocessed.
type throttling struct {
	dynamodb.HTTPClient
	left int
}

func (h *throttling) Do(r *http.Request) (*http.Response, error) {
	if h.left == 0 {
		return h.HTTPClient.Do(r)
	}
	h.left--
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct{ RequestItems json.RawMessage }
	if err := json.Unmarshal(request, &in); err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"Responses": {}, "UnprocessedKeys": %s}`, in.RequestItems)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// items requests unprocessed keys again until the context ends.
func TestItemsThrottled(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	save(t, d, owned(c, "a", "alice"))
	h := &throttling{HTTPClient: http.DefaultClient, left: 3}
	healthy := d.client
	defer func() { d.client = healthy }()
	d.client = clientOf(testenv.DynamoDB(t), h)
	got := 0
	for _, err := range d.items(background, []item{key("a")}) {
		want(t, "items", err, nil)
		got++
	}
	if got != 1 || h.left != 0 {
		t.Errorf("got %d items and %d answers left, want 1 and 0", got, h.left)
	}
	h.left = -1
	ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
	defer cancel()
	for _, err := range d.items(ctx, []item{key("a")}) {
		want(t, "items", err, context.DeadlineExceeded)
	}
}

// An index that lags may list records that have another user or none, or are deleted. RangeUser
// does not yield them.
func TestRangeUserLag(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	for _, id := range []string{"stays", "switches", "leaves", "goes"} {
		save(t, d, owned(c, id, "alice"))
	}
	save(t, d, owned(c, "switches", "bob"))
	save(t, d, owned(c, "leaves", ""))
	want(t, "delete", d.Delete(background, "goes", driver.Always()), nil)
	for name, wanted := range map[string][]string{"alice": {"stays"}, "bob": {"switches"}} {
		if got := d.ids(t, name, 1); !slices.Equal(got, wanted) {
			t.Errorf("%s has the sessions %q, want %q", name, got, wanted)
		}
	}
	// The ids that a lagging index would return for alice.
	keys := []item{key("stays"), key("switches"), key("leaves"), key("goes")}
	var got []string
	for it, err := range d.items(background, keys) {
		if err != nil {
			t.Fatal(err)
		}
		rec, err := decode(it)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rec.ID+" "+rec.User)
	}
	slices.Sort(got)
	wanted := []string{"leaves ", "stays alice", "switches bob"}
	if !slices.Equal(got, wanted) {
		t.Errorf("got %q, want %q", got, wanted)
	}
}
