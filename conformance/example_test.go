package conformance_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	stock "github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

func newMemory(tb testing.TB) *scskit.Store {
	store, err := memstore.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// This is all that the test of a store needs.
func ExampleTestStore() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		conformance.TestStore(t, conformance.Store{
			Name: "mystore",
			New:  func(testing.TB) scs.Store { return stock.NewWithCleanupInterval(0) },
		})
	}
}

// The driver comes from your own package; here it is that of the memory store.
func ExampleTestDriver() {
	_ = func(t *testing.T) { // func TestDriver(t *testing.T)
		conformance.TestDriver(t, conformance.Driver{
			Name: "mydriver",
			New:  func(tb testing.TB) driver.Driver { return newMemory(tb).Driver() },
		})
	}
}

// Test the framework and the backend that your application uses together.
func ExampleTestMatrix() {
	_ = func(t *testing.T) { // func TestSessions(t *testing.T)
		conformance.TestMatrix(t,
			[]conformance.Adapter{conformance.HTTP("nethttp", scshttp.LoadAndSave)},
			[]conformance.Store{{
				Name: "memory",
				New:  func(tb testing.TB) scs.Store { return newMemory(tb) },
			}})
	}
}
