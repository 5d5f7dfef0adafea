package conformance

import (
	"github.com/scskit/scskit"
)

// portableDataStaysChecks cover the memory that the driver of a store returns; see checkT.dataStays.
var portableDataStaysChecks = []check{
	{"data/stays", LevelPortable, dataStays,
		"package driver: nothing that is returned is shared: data stays readable and unchanged, " +
			"whatever comes after it"},
}

func dataStays(t *checkT) {
	s, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	t.dataStays(s.Driver())
}
