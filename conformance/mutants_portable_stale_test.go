package conformance

import (
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// staleStore is a store over a driver that is broken.
func staleStore(name, fails string, change func(*bent)) mutant {
	s := Store{Name: name, New: func(tb testing.TB) scs.Store {
		return referenceStore(tb, newBent(newReferenceDriver(new(backend)), change))
	}}
	return mutant{
		name: "stale/" + name, levels: []Level{LevelPortable}, fails: strings.Fields(fails), store: &s,
	}
}

func portableStaleMutants() []mutant {
	return []mutant{
		staleStore("touch-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{touchKeeps: true, trusts: true})
		}),
		staleStore("save-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{saveKeeps: true, trusts: true})
		}),
		staleStore("delete-keeps", `cleanup/moved`, func(b *bent) {
			b.indexed(&expiryIndex{deleteKeeps: true, trusts: true})
		}),
		staleStore("recycles-memory", `
			~concurrency/changed-and-removed ~concurrency/different-keys
			~concurrency/no-stranger-waits ~concurrency/overwritten
			~concurrency/removed-by-other concurrency/removed-by-us ~concurrency/same-key
			data/stays data/too-large-merged ~data/unknown-type ~data/unknown-type-legacy
			~renewal/merge-destroyed ~user/destroy-merging`, func(b *bent) { b.recycling() }),
	}
}
