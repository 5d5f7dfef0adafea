package conformance

import (
	"github.com/scskit/scskit"
)

// portableDataStaysChecks cover the memory that the driver of a store returns.
var portableDataStaysChecks = []check{
	{"data/stays", LevelPortable, dataStays,
		"package driver: returned data is not shared: it stays readable and " +
			"unchanged, whatever is called next"},
}

func dataStays(t *checkT) {
	s, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	t.dataStays(s.Driver())
}
