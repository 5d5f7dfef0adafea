package customstore

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/adapters/gin/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
)

func TestDriver(t *testing.T) {
	inTempDir := func(tb testing.TB) driver.Driver {
		d, err := newDriver(tb.TempDir())
		if err != nil {
			tb.Fatal(err)
		}
		return d
	}
	conformance.TestDriver(t, conformance.Driver{Name: "directory", New: inTempDir})
}

func newDirectory(tb testing.TB) scs.Store {
	s, err := New(tb.TempDir(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	conformance.TestStore(t, conformance.Store{Name: "directory", New: newDirectory})
}

func TestPair(t *testing.T) {
	conformance.TestMatrix(t,
		[]conformance.Adapter{harness.New(scsgin.LoadAndSave)},
		[]conformance.Store{{Name: "directory", New: newDirectory}})
}
