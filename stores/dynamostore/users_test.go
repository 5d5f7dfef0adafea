package dynamostore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
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
	return &userTable{newTable(t, clientOf(testenv.DynamoDB(t), w),
		withUsers(Options{Options: scskit.Options{Now: c.now}}))}, c, w
}

func owned(c *clock, id, user string) driver.Record {
	rec := record(c, id, 1, time.Minute)
	rec.User = user
	return rec
}

// ids returns those of the user's records, in order, once the index names as many as are wanted, or
// else after a while. An index of AWS may lag; those of dynalite and DynamoDB Local do not.
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

// The index is a matter of the table's: with it, too, every operation is one request, and the
// attribute is there only where there is a user.
func TestUserAttribute(t *testing.T) {
	t.Parallel()
	d, c, w := newUserTable(t)
	attribute := func() string {
		t.Helper()
		out, err := d.client.GetItem(background,
			&dynamodb.GetItemInput{TableName: &d.name, Key: key("a")})
		if err != nil {
			t.Fatal(err)
		}
		switch v := out.Item["user"].(type) {
		case nil:
			return ""
		case *types.AttributeValueMemberB:
			return string(v.Value)
		default:
			t.Fatalf("the user is a %T", v)
			return ""
		}
	}
	empty := owned(c, "a", "\xff\x00")
	empty.Data = nil
	for _, tc := range []struct {
		what    string
		call    func() error
		request string
		user    string
	}{
		{"create", func() error { return d.Save(background, owned(c, "a", "alice"), driver.IfAbsent()) },
			"PutItem", "alice"},
		{"touch", func() error { return d.Touch(background, "a", 1, c.now().Add(time.Hour)) },
			"UpdateItem", "alice"},
		{"save for another", func() error {
			return d.Save(background, owned(c, "a", "bob"), driver.IfVersion(1))
		}, "UpdateItem", "bob"},
		{"save for nobody", func() error {
			return d.Save(background, owned(c, "a", ""), driver.IfVersion(1))
		}, "UpdateItem", ""},
		{"overwrite", func() error { return d.Save(background, empty, driver.Always()) }, "UpdateItem",
			"\xff\x00"},
		{"overwrite without anything", func() error {
			empty.User = ""
			return d.Save(background, empty, driver.Always())
		}, "UpdateItem", ""},
	} {
		w.take()
		want(t, tc.what, tc.call(), nil)
		if got := w.take(); got != tc.request {
			t.Errorf("%s: the requests are %q, want %q", tc.what, got, tc.request)
		}
		if got := attribute(); got != tc.user {
			t.Errorf("%s: the user is %q, want %q", tc.what, got, tc.user)
		}
		if rec, err := d.Load(background, "a"); err != nil || rec.User != tc.user {
			t.Errorf("%s: loaded the user %q, %v", tc.what, rec.User, err)
		}
	}
	// A store without UserKey leaves alone what it does not know of.
	save(t, d, owned(c, "a", "alice"))
	other, err := newDriver(d.client, &Options{Table: d.name, Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.(driver.UserIndex); ok {
		t.Error("without UserKey there is an index")
	}
	want(t, "save", other.Save(background, owned(c, "a", "bob"), driver.IfVersion(1)), nil)
	want(t, "create", other.Save(background, owned(c, "b", "bob"), driver.IfAbsent()), nil)
	if got := attribute(); got != "alice" {
		t.Errorf("a store without UserKey has made the user %q", got)
	}
	if got := d.ids(t, "bob", 0); len(got) != 0 {
		t.Errorf("bob has %q", got)
	}
}

// The longest id and user and the most data fit together.
func TestUserLimit(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	rec := owned(c, strings.Repeat("i", 512), strings.Repeat("u", 64))
	rec.Version, rec.Created, rec.Updated = 1<<62, time.UnixMilli(-9e15), time.UnixMilli(-9e15)
	rec.Data = make([]byte, maxData)
	want(t, "create", d.Save(background, rec, driver.IfAbsent()), nil)
	want(t, "save", d.Save(background, rec, driver.IfVersion(rec.Version)), nil)
	if got := d.ids(t, rec.User, 1); len(got) != 1 {
		t.Errorf("the user has %d records", len(got))
	}
}

// 250 records are three pages of the index, each read from the table in one request.
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
		t.Fatalf("alice has %d", len(got))
	}
	w.take()
	d.ids(t, "alice", 250)
	if got := w.take(); got != strings.TrimSpace(strings.Repeat("Query BatchGetItem ", 3)) {
		t.Errorf("the requests are %s", got)
	}
	for _, err := range d.RangeUser(background, "bob") {
		want(t, "range", err, nil)
		break
	}
	if got := w.take(); got != "Query BatchGetItem" {
		t.Errorf("breaking off: the requests are %s", got)
	}
	c.advance(time.Minute)
	if got := d.ids(t, "alice", 0); len(got) != 0 {
		t.Errorf("%d expired records are alice's", len(got))
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	for _, err := range d.RangeUser(ctx, "alice") {
		want(t, "range", err, context.Canceled)
	}
}

// One answer holds 16 MB, from dynalite 1 MB and one item; the rest is asked for again.
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
			t.Fatalf("%d bytes, %v", len(rec.Data), err)
		}
		seen[rec.ID] = true
	}
	wanted := strings.TrimSpace(strings.Repeat("BatchGetItem ", requests))
	if got := w.take(); len(seen) != n || got != wanted {
		t.Errorf("%d items, by %s", len(seen), got)
	}
}

// throttling answers every request with nothing but that the keys are still to be read, until a
// request is left over.
type throttling struct {
	dynamodb.HTTPClient
	left int
}

func (h *throttling) Do(r *http.Request) (*http.Response, error) {
	if h.left == 0 {
		return h.HTTPClient.Do(r)
	}
	h.left--
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct{ RequestItems json.RawMessage }
	if err := json.Unmarshal(asked, &in); err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"Responses": {}, "UnprocessedKeys": %s}`, in.RequestItems)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
}

// What DynamoDB does not come to when it is throttled is asked for again, until the context ends.
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
		t.Errorf("%d items, with %d answers left", got, h.left)
	}
	h.left = -1
	ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
	defer cancel()
	for _, err := range d.items(ctx, []item{key("a")}) {
		want(t, "items", err, context.DeadlineExceeded)
	}
}

// An index that lags names records that are another's, nobody's or gone: the table decides.
func TestRangeUserLag(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserTable(t)
	for _, id := range []string{"stays", "switches", "leaves", "goes"} {
		save(t, d, owned(c, id, "alice"))
	}
	save(t, d, owned(c, "switches", "bob"))
	save(t, d, owned(c, "leaves", ""))
	want(t, "delete", d.Delete(background, "goes"), nil)
	for name, wanted := range map[string][]string{"alice": {"stays"}, "bob": {"switches"}} {
		if got := d.ids(t, name, 1); !slices.Equal(got, wanted) {
			t.Errorf("%s has %q", name, got)
		}
	}
	// What a lagging index would have answered for alice.
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
	if !slices.Equal(got, []string{"leaves ", "stays alice", "switches bob"}) {
		t.Errorf("got %q", got)
	}
}

// A table that is there gets its index, on demand or not, and keeps its sessions; a second time
// changes nothing, and of many that add it at once none fails.
func TestCreateIndex(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{}, {ReadCapacity: 7, WriteCapacity: 3}} {
		before := newTable(t, connect(t), opts)
		c := newClock()
		save(t, before, record(c, "a", 1, time.Hour))
		opts.Table = before.name
		opts.ReadCapacity, opts.WriteCapacity = 0, 0 // the table's own are what counts
		opts = withUsers(opts)
		made, err := newDriver(before.client, &opts)
		if err != nil {
			t.Fatal(err)
		}
		d := made.(*userTable)
		lacks := "session schema missing: table " + d.name +
			" has no index user, which Options.UserKey asks for: add it with the store's CreateSchema"
		checkErr := d.CheckSchema(background)
		for _, err := range d.RangeUser(background, "alice") {
			for op, err := range map[string]error{"check schema": checkErr, "range user": err} {
				want(t, op, err, driver.ErrNoSchema)
				if err == nil || err.Error() != "dynamostore: "+op+": "+lacks {
					t.Errorf("got %v", err)
				}
			}
		}
		if onDynalite(t) {
			wantNoIndex(t, d)
			continue
		}
		errs := make(chan error)
		for range 3 {
			go func() { errs <- d.CreateSchema(background) }()
		}
		for range 3 {
			want(t, "create", <-errs, nil)
		}
		want(t, "create again", d.CreateSchema(background), nil)
		want(t, "check", d.CheckSchema(background), nil)
		save(t, d, owned(c, "b", "alice"))
		if got := d.ids(t, "alice", 1); !slices.Equal(got, []string{"b"}) {
			t.Errorf("alice has %q", got)
		}
		if _, err := d.Load(background, "a"); err != nil {
			t.Error(err)
		}
	}
}

// The index of a new table is what Schema says.
func TestIndexOfNewTable(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{}, {ReadCapacity: 7, WriteCapacity: 3}} {
		d := newTable(t, connect(t), withUsers(opts))
		want(t, "check", d.CheckSchema(background), nil)
		out, err := d.client.DescribeTable(background, &dynamodb.DescribeTableInput{TableName: &d.name})
		if err != nil {
			t.Fatal(err)
		}
		i := indexOf(out.Table)
		if len(out.Table.GlobalSecondaryIndexes) != 1 ||
			i.Projection.ProjectionType != types.ProjectionTypeKeysOnly || !isOurIndex(out.Table, i) {
			t.Fatalf("got %+v", i)
		}
		if p := i.ProvisionedThroughput; p != nil &&
			aws.ToInt64(p.ReadCapacityUnits) != opts.ReadCapacity {
			t.Errorf("the index has capacity %d", *p.ReadCapacityUnits)
		}
	}
	if d := newTable(t, connect(t), Options{}); d.users {
		t.Error("there is an index that nobody asked for")
	}
}

// An index of that name with another key is neither used nor changed.
func TestForeignIndex(t *testing.T) {
	t.Parallel()
	client, name := connect(t), testenv.Name(t)
	_, err := client.CreateTable(background, &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeB},
			{AttributeName: aws.String("user"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"),
			KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("user"), KeySchema: indexKey(), Projection: indexProjection(),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	opts := withUsers(Options{Table: name, TTLDisabled: true})
	d, err := newDriver(client, &opts)
	if err != nil {
		t.Fatal(err)
	}
	m := d.(driver.SchemaManager)
	for op, err := range map[string]error{"create": m.CreateSchema(background),
		"check": m.CheckSchema(background)} {
		if !errors.Is(err, driver.ErrNoSchema) ||
			!strings.Contains(err.Error(), "the index user of table "+name+" is another one") {
			t.Errorf("%s: got error %v", op, err)
		}
	}
	want(t, "drop", m.DropSchema(background), nil)
}

// Sessions from before UserKey was set are found when SessionManager.Iterate has saved them all.
func TestIndexLater(t *testing.T) {
	t.Parallel()
	client := connect(t)
	before := newTable(t, client, Options{})
	open := func(opts Options) (*scskit.Store, *scs.SessionManager) {
		opts.Table = before.name
		s, err := New(client, &opts)
		if err != nil {
			t.Fatal(err)
		}
		return s, scskit.New(s)
	}
	_, sm := open(Options{})
	ctx, err := sm.Load(background, "")
	if err != nil {
		t.Fatal(err)
	}
	sm.Put(ctx, "user", "alice")
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, sm := open(withUsers(Options{}))
	if onDynalite(t) {
		wantNoIndex(t, s.Driver().(*userTable))
		return
	}
	want(t, "create", s.CreateSchema(background), nil)
	sessions := func() (keys []string) {
		t.Helper()
		for session, err := range s.SessionsOf(background, "alice") {
			if err != nil {
				t.Fatal(err)
			}
			if session.ID != scskit.HashToken(token) {
				t.Errorf("got %+v", session)
			}
			keys = append(keys, session.Key)
		}
		return keys
	}
	if n := len(sessions()); n != 0 {
		t.Errorf("%d sessions before they are saved again", n)
	}
	err = sm.Iterate(background, func(ctx context.Context) error {
		_, _, err := sm.Commit(ctx)
		return err
	})
	want(t, "iterate", err, nil)
	for deadline := time.Now().Add(5 * time.Minute); len(sessions()) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the session is not found")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n, err := s.DestroySessionsOf(background, "alice"); n != 1 || err != nil {
		t.Errorf("destroyed %d, %v", n, err)
	}
}
