package conformance

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/mutants"
)

// staleStore is a store over a broken driver.
func staleStore(name, check, defect string, change func(*fakeDriver)) mutant {
	s := Store{Name: name, New: func(tb testing.TB) scs.Store {
		return referenceStore(tb, newFakeDriver(newReferenceDriver(new(backend)), change))
	}}
	return mutant{
		Mutant: mutants.Mutant{Name: "stale/" + name, Check: check, Defect: defect},
		levels: []Level{LevelPortable},
		store:  &s,
	}
}

func portableStaleMutants() []mutant {
	return []mutant{
		staleStore("touch-keeps", "cleanup/moved",
			"a touch leaves the index entry of the old expiry, and a sweep trusts it", func(b *fakeDriver) {
				b.indexed(&expiryIndex{touchKeeps: true, trusts: true})
			}),
		staleStore("save-keeps", "cleanup/moved",
			"a save leaves the index entry of the old expiry, and a sweep trusts it", func(b *fakeDriver) {
				b.indexed(&expiryIndex{saveKeeps: true, trusts: true})
			}),
		staleStore("delete-keeps", "cleanup/moved",
			"a delete leaves the index entry, and a sweep trusts it", func(b *fakeDriver) {
				b.indexed(&expiryIndex{deleteKeeps: true, trusts: true})
			}),
		staleStore("recycles-memory", "data/stays",
			"a save writes into the memory that Load has returned", func(b *fakeDriver) { b.recycling() }),
	}
}
