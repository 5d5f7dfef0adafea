package matrix_test

import (
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	nethttpharness "github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate"
)

// TestBetweenPair runs the checks on stores over two backends. Package migrate runs them while
// sessions move.
func TestBetweenPair(t *testing.T) {
	var stores, list []conformance.Store
	for _, kind := range []testenv.Kind{
		testenv.KindRedis, testenv.KindPostgres, testenv.KindDynamoDB,
	} {
		if testenv.Skipped(kind.String()) {
			t.Logf("skipping %s: SCSKIT_SKIP_BACKENDS names it", kind)
			continue
		}
		stores = append(stores, onServer(t, kind))
	}
	for _, fresh := range stores {
		for _, old := range stores {
			if fresh.Name != old.Name {
				list = append(list, between(fresh, old, nil))
			}
		}
	}
	if len(stores) > 1 {
		list = append(list, between(stores[1], stores[0], &migrate.BetweenOptions{Rollback: true}))
	}
	conformance.TestMatrix(t,
		[]conformance.Adapter{nethttpharness.New(scshttp.LoadAndSave)}, list)
}

// between returns the store over two backends.
func between(fresh, old conformance.Store, opts *migrate.BetweenOptions) conformance.Store {
	name := old.Name + "-to-" + fresh.Name
	if opts != nil {
		name += "-with-rollback"
	}
	type sides struct{ fresh, old scs.Store }
	var opened sync.Map // sides by store
	open := func(tb testing.TB, s sides) scs.Store {
		tb.Helper()
		pair, err := migrate.Between(s.fresh.(*scskit.Store), s.old.(*scskit.Store), opts)
		if err != nil {
			tb.Fatal(err)
		}
		opened.Store(pair.Store(), s)
		tb.Cleanup(func() { opened.Delete(pair.Store()) })
		return pair.Store()
	}
	return conformance.Store{
		Name: name,
		New: func(tb testing.TB) scs.Store {
			tb.Helper()
			return open(tb, sides{fresh.New(tb), old.New(tb)})
		},
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			tb.Helper()
			first, _ := opened.Load(s)
			return open(tb, sides{
				fresh.Reopen(tb, first.(sides).fresh), old.Reopen(tb, first.(sides).old),
			})
		},
		RemovesExpired: fresh.RemovesExpired && old.RemovesExpired,
	}
}
