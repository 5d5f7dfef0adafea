package memstore_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.TestStore(t, conformance.Store{
		Name: "memstore",
		New: func(tb testing.TB) scs.Store {
			s, err := memstore.New(nil)
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
	})
	conformance.TestDriver(t, conformance.Driver{
		Name: "memstore",
		New: func(tb testing.TB) driver.Driver {
			s, err := memstore.New(nil)
			if err != nil {
				tb.Fatal(err)
			}
			return s.Driver()
		},
	})
}
