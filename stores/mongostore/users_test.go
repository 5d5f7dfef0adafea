package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// newUserDriver returns a driver with an index of users, whose collection does not exist yet. Its
// clock is ahead of the server's, so that a TTL index removes nothing.
func newUserDriver(t testing.TB) (*userCollection, *clock, *monitor) {
	t.Helper()
	c, m := newClock(), new(monitor)
	c.at.Store(time.Now().Add(time.Hour).UnixMilli())
	coll := newCollection(t, connect(t, m.events()))
	d, err := newDriver(coll, &Options{Options: scskit.Options{Now: c.now, UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*userCollection), c, m
}

func owned(c *clock, id, user string) driver.Record {
	rec := record(c, id, 1, time.Minute)
	rec.User = user
	return rec
}

// ids returns the sorted ids of the user's records.
func (c *userCollection) ids(t testing.TB, user string) []string {
	t.Helper()
	ids := []string{}
	for rec, err := range c.RangeUser(background, user) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.User != user {
			t.Errorf("got a record of %q, want %q", rec.User, user)
		}
		ids = append(ids, rec.ID)
	}
	slices.Sort(ids)
	return ids
}

// onFerretDB reports whether the server is FerretDB, which ignores hints, does not read by index,
// and does not support partial indexes.
func onFerretDB(t testing.TB, coll *mongo.Collection) bool {
	t.Helper()
	command := bson.D{{Key: "buildInfo", Value: 1}}
	info, err := coll.Database().RunCommand(background, command).Raw()
	if err != nil {
		t.Fatal(err)
	}
	return !info.Lookup("ferretdbVersion").IsZero()
}

// With an index of users, every operation is still one command. A document has the field only if
// the record has a user.
func TestUserField(t *testing.T) {
	t.Parallel()
	d, c, m := newUserDriver(t)
	want(t, "create schema", d.CreateSchema(background), nil)
	save := func(user string, cond driver.Condition) func() error {
		return func() error { return d.Save(background, owned(c, "a", user), cond) }
	}
	later := func(user string) func() error {
		return func() error {
			c.advance(time.Hour)
			return d.Save(background, owned(c, "a", user), driver.IfAbsent())
		}
	}
	for _, tc := range []struct {
		what string
		call func() error
		user string
	}{
		{"create", save("alice", driver.IfAbsent()), "alice"},
		{"touch", func() error {
			return d.Touch(background, touchTo("a", 1, c.now().Add(time.Hour)))
		}, "alice"},
		{"save for another user", save("bob", driver.IfVersion(1)), "bob"},
		{"save without a user", save("", driver.IfVersion(1)), ""},
		{"overwrite", save("\xff\x00", driver.Always()), "\xff\x00"},
		{"overwrite without a user", save("", driver.Always()), ""},
		{"overwrite again", save("bob", driver.Always()), "bob"},
		{"create over an expired record of a user", later(""), ""},
		{"create over an expired record", later("alice"), "alice"},
	} {
		m.take()
		want(t, tc.what, tc.call(), nil)
		if got := names(m.take()); got != "update" {
			t.Errorf("%s: sent %q, want update", tc.what, got)
		}
		doc := stored(t, d.collection, "a")
		subtype, user, ok := doc.Lookup("user").BinaryOK()
		if ok != (tc.user != "") || subtype != 0 || string(user) != tc.user {
			t.Errorf("%s: got the field %s, want %q", tc.what, doc.Lookup("user"), tc.user)
		}
		if rec, err := d.Load(background, "a"); err != nil || rec.User != tc.user {
			t.Errorf("%s: loaded the user %q, %v, want %q", tc.what, rec.User, err, tc.user)
		}
	}
}

// A store without UserKey does not change the field, and CreateSchema makes no index of users.
func TestUserFieldWithoutKey(t *testing.T) {
	t.Parallel()
	d, c, _ := newUserDriver(t)
	want(t, "create schema", d.CreateSchema(background), nil)
	save(t, d, owned(c, "a", "alice"))
	other, err := newDriver(d.coll, &Options{Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := driver.As[driver.UserIndex](other); ok {
		t.Error("a driver without UserKey is a UserIndex")
	}
	want(t, "save", other.Save(background, owned(c, "a", "bob"), driver.IfVersion(1)), nil)
	want(t, "create", other.Save(background, owned(c, "b", "bob"), driver.IfAbsent()), nil)
	want(t, "overwrite", other.Save(background, owned(c, "c", "bob"), driver.Always()), nil)
	if rec, err := other.Load(background, "a"); err != nil || rec.User != "alice" {
		t.Errorf("got the user %q, %v, want alice", rec.User, err)
	}
	if got := d.ids(t, "bob"); len(got) != 0 {
		t.Errorf("bob has the sessions %q, want none", got)
	}
}

// A user's records take one command for each 500, and none is repeated or missing between them. The
// command names the index, and its filter and order are those of the index, so that the server
// examines no document of others.
func TestRangeUserPages(t *testing.T) {
	t.Parallel()
	d, c, m := newUserDriver(t)
	want(t, "create schema", d.CreateSchema(background), nil)
	var docs []any
	for i := range pageRecords + 1 {
		docs = append(docs, document(t, owned(c, fmt.Sprintf("%04d", i), "alice")))
		if i < 10 {
			docs = append(docs, document(t, owned(c, fmt.Sprint("bob's ", i), "bob")),
				document(t, owned(c, fmt.Sprint("nobody's ", i), "")))
		}
	}
	if _, err := d.coll.InsertMany(background, docs); err != nil {
		t.Fatal(err)
	}
	m.take()
	if got := slices.Compact(d.ids(t, "alice")); len(got) != pageRecords+1 {
		t.Errorf("alice has %d sessions, want %d", len(got), pageRecords+1)
	}
	sent := m.take()
	if got := names(sent); got != "find find" {
		t.Fatalf("sent %q, want find find", got)
	}
	now := c.now().UnixMilli()
	const user = `{"user": {"$binary":{"base64":"YWxpY2U=","subType":"00"}}`
	filter := fmt.Sprintf(user+`,"expiry": {"$gt": {"$date":{"$numberLong":"%d"}}}`, now)
	const after = `,"_id": {"$gt": {"$binary":{"base64":"MDQ5OQ==","subType":"00"}}}`
	for i, filter := range []string{filter + "}", filter + after + "}"} {
		for field, text := range map[string]string{
			"filter": filter,
			"sort":   `{"_id": {"$numberInt":"1"}}`,
			"hint":   `"user_1__id_1"`,
		} {
			if got := sent[i].Lookup(field).String(); got != text {
				t.Errorf("find %d: got the %s %s, want %s", i, field, got, text)
			}
		}
	}
	wantExamined(t, d, sent[0], pageRecords)
	wantExamined(t, d, sent[1], 1)

	m.take()
	for _, err := range d.RangeUser(background, "bob") {
		want(t, "range", err, nil)
		break
	}
	if got := names(m.take()); got != "find" {
		t.Errorf("after break: sent %q, want find", got)
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	n := 0
	for _, err := range d.RangeUser(ctx, "bob") {
		if n++; n == 1 {
			cancel()
			continue
		}
		want(t, "range", err, context.Canceled)
	}
	if n != 2 {
		t.Errorf("yielded %d times, want a record and an error", n)
	}
	c.advance(time.Minute)
	if got := d.ids(t, "alice"); len(got) != 0 {
		t.Errorf("range yields %d expired records", len(got))
	}
}

// wantExamined checks the number of documents and keys that the server examines for a find.
// FerretDB does not count them.
func wantExamined(t *testing.T, d *userCollection, find bson.Raw, n int64) {
	t.Helper()
	if onFerretDB(t, d.coll) {
		t.Log("the server does not say what it examines")
		return
	}
	var query bson.D
	if err := bson.Unmarshal(find, &query); err != nil {
		t.Fatal(err)
	}
	query = slices.DeleteFunc(query, func(e bson.E) bool { // fields of the session and the database
		return strings.HasPrefix(e.Key, "$") || e.Key == "lsid" || e.Key == "txnNumber"
	})
	plan, err := d.coll.Database().RunCommand(background, bson.D{
		{Key: "explain", Value: query}, {Key: "verbosity", Value: "executionStats"},
	}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	stats := plan.Lookup("executionStats")
	docs, _ := stats.Document().Lookup("totalDocsExamined").AsInt64OK()
	keys, _ := stats.Document().Lookup("totalKeysExamined").AsInt64OK()
	if docs != n || keys < n || keys > n+1 {
		t.Errorf("examined %d documents and %d keys, want %d: %s", docs, keys, n, stats)
	}
}

// SessionsOf finds sessions from before UserKey was set after SessionManager.Iterate has saved
// them.
func TestUserIndexLater(t *testing.T) {
	t.Parallel()
	coll := newCollection(t, connect(t, nil))
	open := func(shared scskit.Options) (*scskit.Store, *scs.SessionManager) {
		s, err := New(coll, &Options{Options: shared})
		if err != nil {
			t.Fatal(err)
		}
		want(t, "create schema", s.CreateSchema(background), nil)
		return s, scskit.New(s)
	}
	_, sm := open(scskit.Options{})
	ctx, err := sm.Load(background, "")
	if err != nil {
		t.Fatal(err)
	}
	sm.Put(ctx, "user", "alice")
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, sm := open(scskit.Options{UserKey: "user"})
	found := func(n int) {
		t.Helper()
		for session, err := range s.SessionsOf(background, "alice") {
			if err != nil || session.ID != scskit.HashToken(token) {
				t.Fatalf("got session %+v, %v, want the one of the token", session, err)
			}
			n--
		}
		if n != 0 {
			t.Errorf("%d sessions are missing", n)
		}
	}
	found(0)
	err = sm.Iterate(background, func(ctx context.Context) error {
		_, _, err := sm.Commit(ctx)
		return err
	})
	want(t, "iterate", err, nil)
	found(1)
	if n, err := s.DestroySessionsOf(background, "alice"); n != 1 || err != nil {
		t.Errorf("destroyed %d, %v, want 1", n, err)
	}
}
