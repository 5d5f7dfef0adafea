package peers

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit/conformance"
)

var memstorePeer = peer{
	module:  "github.com/alexedwards/scs/v2",
	backend: "memory",
	Store: conformance.Store{
		Name: "memstore",
		New:  func(testing.TB) scs.Store { return memstore.NewWithCleanupInterval(0) },
		Exempt: failing(map[string]string{
			"contract/aliasing-input": "Commit keeps the caller's slice; scs itself never writes to it " +
				"again",
			"contract/aliasing-output": "Find returns the slice that it keeps; scs itself only decodes it",
			"all/copies":               "All returns the slices that it keeps; scs itself only decodes them",
		}),
	},
}
