package conformance_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit/conformance"
)

// TestMemstore runs the kit against the store that comes with scs, as its users would.
func TestMemstore(t *testing.T) {
	conformance.TestStore(t, conformance.Store{
		Name: "scs-memstore",
		New:  func(testing.TB) scs.Store { return memstore.NewWithCleanupInterval(0) },
		Exempt: map[string]string{
			"contract/aliasing-input":  "it keeps the caller's slice: scs itself never writes to it again",
			"contract/aliasing-output": "it returns the slice that it keeps: scs itself only decodes it",
			"all/copies":               "it returns the slices that it keeps: scs itself only decodes them",
		},
	})
}
