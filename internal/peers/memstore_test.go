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
			"contract/aliasing-input":  "Commit keeps the caller's slice; scs itself does not modify it",
			"contract/aliasing-output": "Find returns its own slice; scs itself only decodes it",
			"all/copies":               "All returns its own slices; scs itself only decodes them",
		}),
	},
}
