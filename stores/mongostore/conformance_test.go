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

// connect returns a client. monitor may be nil.
func connect(tb testing.TB, monitor *event.CommandMonitor) *mongo.Client {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(testenv.Mongo(tb)).SetMonitor(monitor))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(background) })
	return client
}

// newCollection returns a collection of its own for the test, and drops it when the test ends.
func newCollection(tb testing.TB, client *mongo.Client) *mongo.Collection {
	tb.Helper()
	coll := client.Database("scskit_test").Collection(testenv.Name(tb))
	tb.Cleanup(func() { _ = coll.Drop(background) })
	return coll
}

// collectionOf returns the collection of a driver, which may be a userCollection.
func collectionOf(d driver.Driver) *collection {
	if u, ok := d.(*userCollection); ok {
		return u.collection
	}
	return d.(*collection)
}

// exempt lists a check that does not apply, because the store works without CreateSchema.
var exempt = map[string]string{
	"driver/schema-missing": "MongoDB creates a collection with its first document; without the " +
		"index every guarantee holds, and a sweep removes expired sessions",
}

// A second client on the same collection stands for a second process.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]scskit.Options{
		"mongodb": {}, "mongodb-users": {UserKey: "user"},
	} {
		opts := &Options{Options: shared}
		newDriver := func(tb testing.TB, coll *mongo.Collection) driver.Driver {
			d, err := newDriver(coll, opts)
			if err != nil {
				tb.Fatal(err)
			}
			if err := d.(driver.SchemaManager).CreateSchema(background); err != nil {
				tb.Fatal(err)
			}
			return d
		}
		newStore := func(tb testing.TB, coll *mongo.Collection) scs.Store {
			s, err := New(coll, opts)
			if err != nil {
				tb.Fatal(err)
			}
			if err := s.CreateSchema(background); err != nil {
				tb.Fatal(err)
			}
			return s
		}
		again := func(tb testing.TB, d driver.Driver) *mongo.Collection {
			coll := collectionOf(d).coll
			return connect(tb, nil).Database(coll.Database().Name()).Collection(coll.Name())
		}
		client := connect(t, nil)
		conformance.TestDriver(t, conformance.Driver{
			Name: name, RemovesExpired: true, Exempt: exempt,
			New: func(tb testing.TB) driver.Driver { return newDriver(tb, newCollection(tb, client)) },
			Reopen: func(tb testing.TB, d driver.Driver) driver.Driver {
				return newDriver(tb, again(tb, d))
			},
		})
		conformance.TestStore(t, conformance.Store{
			Name: name, RemovesExpired: true,
			New: func(tb testing.TB) scs.Store { return newStore(tb, newCollection(tb, client)) },
			Reopen: func(tb testing.TB, s scs.Store) scs.Store {
				return newStore(tb, again(tb, s.(*scskit.Store).Driver()))
			},
		})
	}
}
