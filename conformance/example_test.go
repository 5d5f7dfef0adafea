package conformance_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit/conformance"
)

// This is all that the test of a store needs.
func ExampleTestStore() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		conformance.TestStore(t, conformance.Store{Name: "mystore", New: func(tb testing.TB) scs.Store {
			return memstore.NewWithCleanupInterval(0)
		}})
	}
}
