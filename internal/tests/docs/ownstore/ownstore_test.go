package ownstore

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
)

func TestDriver(t *testing.T) {
	conformance.TestDriver(t, conformance.Driver{
		Name: "own",
		New:  func(testing.TB) driver.Driver { return newDriver() },
	})
}

func newStore(tb testing.TB) scs.Store {
	s, err := New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	conformance.TestStore(t, conformance.Store{Name: "own", New: newStore})
}

func TestPair(t *testing.T) {
	conformance.TestMatrix(t,
		[]conformance.Adapter{conformance.HTTP("nethttp", scshttp.LoadAndSave)},
		[]conformance.Store{{Name: "own", New: newStore}})
}
