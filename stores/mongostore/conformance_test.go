package mongostore

import (
	"context"
	"os"
	"testing"

	"github.com/alexedwards/scs/v2"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var background = context.Background()

// connect returns a client, whose commands monitor sees if there is one.
func connect(tb testing.TB, monitor *event.CommandMonitor) *mongo.Client {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(testenv.Mongo(tb)).SetMonitor(monitor))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(background) })
	return client
}

// newCollection returns a collection that nobody else uses, and drops it in the end.
func newCollection(tb testing.TB, client *mongo.Client) *mongo.Collection {
	tb.Helper()
	coll := client.Database("scskit_test").Collection(testenv.Name(tb))
	tb.Cleanup(func() { _ = coll.Drop(background) })
	return coll
}

// exempt: there is nothing that CreateSchema makes without which MongoDB would not work.
var exempt = map[string]string{
	"driver/schema-missing": "MongoDB makes a collection when the first document is stored; without " +
		"the index every promise holds, and the sweep removes what has expired",
}

// A second process is a second client on the same collection.
func TestConformance(t *testing.T) {
	t.Parallel()
	newDriver := func(tb testing.TB, coll *mongo.Collection) driver.Driver {
		d, err := newDriver(coll, new(Options))
		if err != nil {
			tb.Fatal(err)
		}
		if err := d.(driver.SchemaManager).CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return d
	}
	newStore := func(tb testing.TB, coll *mongo.Collection) scs.Store {
		s, err := New(coll, nil)
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return s
	}
	again := func(tb testing.TB, d driver.Driver) *mongo.Collection {
		coll := d.(*collection).coll
		return connect(tb, nil).Database(coll.Database().Name()).Collection(coll.Name())
	}
	client := connect(t, nil)
	conformance.TestDriver(t, conformance.Driver{
		Name:   "mongodb",
		New:    func(tb testing.TB) driver.Driver { return newDriver(tb, newCollection(tb, client)) },
		Reopen: func(tb testing.TB, d driver.Driver) driver.Driver { return newDriver(tb, again(tb, d)) },
		Exempt: exempt, RemovesExpired: true,
	})
	conformance.TestStore(t, conformance.Store{
		Name: "mongodb", RemovesExpired: true,
		New: func(tb testing.TB) scs.Store { return newStore(tb, newCollection(tb, client)) },
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			return newStore(tb, again(tb, s.(*scskit.Store).Driver()))
		},
	})
}
