package conformance

import (
	"testing"

	"github.com/scskit/scskit/driver"
)

func TestReference(t *testing.T) {
	TestStore(t, reference())
	TestDriver(t, referenceDriverSubject())
}

func referenceDriverSubject() Driver {
	return Driver{
		Name: "reference",
		New:  func(testing.TB) driver.Driver { return newReferenceDriver(new(backend)) },
		Reopen: func(_ testing.TB, d driver.Driver) driver.Driver {
			return newReferenceDriver(d.(*referenceDriver).backend)
		},
	}
}
