package dynamostore

import (
	"context"
	"errors"
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

// CreateSchema adds the index to an existing table, on-demand or not, and the table keeps its
// sessions. Concurrent and repeated calls succeed.
func TestCreateIndex(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{}, {ReadCapacity: 7, WriteCapacity: 3}} {
		before := newTable(t, connect(t), opts)
		c := newClock()
		save(t, before, record(c, "a", 1, time.Hour))
		opts.Table = before.name
		opts.ReadCapacity, opts.WriteCapacity = 0, 0 // the index gets the capacity of the table
		opts = withUsers(opts)
		made, err := newDriver(before.client, &opts)
		if err != nil {
			t.Fatal(err)
		}
		d := made.(*userTable)
		text := "session schema missing: table " + d.name +
			" has no index user, which Options.UserKey requires: add it with the store's CreateSchema"
		checkErr := d.CheckSchema(background)
		for _, err := range d.RangeUser(background, "alice") {
			for op, err := range map[string]error{"check schema": checkErr, "range user": err} {
				want(t, op, err, driver.ErrNoSchema)
				if err == nil || err.Error() != "dynamostore: "+op+": "+text {
					t.Errorf("got error %v, want dynamostore: %s: %s", err, op, text)
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
			t.Errorf("alice has the sessions %q, want b", got)
		}
		if _, err := d.Load(background, "a"); err != nil {
			t.Error(err)
		}
	}
}

// The index of a new table is as in Schema.
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
		if len(out.Table.GlobalSecondaryIndexes) != 1 || !isOurIndex(out.Table, i) ||
			i.Projection.ProjectionType != types.ProjectionTypeKeysOnly {
			t.Fatalf("got index %+v", i)
		}
		p := i.ProvisionedThroughput
		if p != nil && aws.ToInt64(p.ReadCapacityUnits) != opts.ReadCapacity {
			t.Errorf("got index capacity %d, want %d", *p.ReadCapacityUnits, opts.ReadCapacity)
		}
	}
	if d := newTable(t, connect(t), Options{}); d.users {
		t.Error("a table without UserKey has an index")
	}
}

// The driver does not use or change an index with the same name and another key.
func TestForeignIndex(t *testing.T) {
	t.Parallel()
	client, name := connect(t), testenv.Name(t)
	_, err := client.CreateTable(background, &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			binaryAttribute("id"), textAttribute("user"),
		},
		KeySchema: hashKey("id"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("user"), KeySchema: hashKey("user"), Projection: indexProjection(),
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
	for op, err := range map[string]error{
		"create": m.CreateSchema(background),
		"check":  m.CheckSchema(background),
	} {
		text := "the key of the index user of table " + name + " is not the binary attribute user"
		if !errors.Is(err, driver.ErrNoSchema) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got error %v, want ErrNoSchema and %s", op, err, text)
		}
	}
	want(t, "drop", m.DropSchema(background), nil)
}

// SessionsOf finds sessions from before UserKey was set after SessionManager.Iterate has saved
// them.
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
				t.Errorf("got session %+v, want the one of the token", session)
			}
			keys = append(keys, session.Key)
		}
		return keys
	}
	if n := len(sessions()); n != 0 {
		t.Errorf("got %d sessions before Iterate, want 0", n)
	}
	err = sm.Iterate(background, func(ctx context.Context) error {
		_, _, err := sm.Commit(ctx)
		return err
	})
	want(t, "iterate", err, nil)
	for deadline := time.Now().Add(5 * time.Minute); len(sessions()) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("SessionsOf does not find the session")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n, err := s.DestroySessionsOf(background, "alice"); n != 1 || err != nil {
		t.Errorf("destroyed %d, %v, want 1", n, err)
	}
}
