package conformance_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit/conformance"
)

// In a file of a store's own tests, this is all there is to write.
func ExampleTestStore() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		conformance.TestStore(t, conformance.Store{Name: "mystore", New: func(tb testing.TB) scs.Store {
			return memstore.NewWithCleanupInterval(0)
		}})
	}
}
