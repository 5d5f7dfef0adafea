package conformance

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// Store is a store to be checked: any scs.Store. If what New returns is a *scskit.Store,
// the checks of LevelPortable apply to it as well.
type Store struct {
	// Name tells the store from others, in the names of subtests and in reports. It has no slash.
	Name string

	// New returns a store that is empty and shares nothing with any other that New
	// has returned, and cleans up with tb.Cleanup. tb.TempDir is at its disposal; tb.Fatal reports
	// that the store cannot be had. It is called from many goroutines at a
	// time, one or more times for each check.
	New func(tb testing.TB) scs.Store

	// Reopen returns another instance over the backend of s, as a second process would
	// have it. It may be nil where there cannot be one.
	Reopen func(tb testing.TB, s scs.Store) scs.Store

	// Exempt names the checks that the store fails, each with the reason. They run all
	// the same: one that passes fails the suite until the exemption is removed. The zero value
	// claims everything.
	Exempt map[string]string

	// RemovesExpired says that the backend also removes what has expired by itself, by TTL, at any
	// time. A sweep may then find less than had expired, and a check that counts begins again, at
	// most four times.
	RemovesExpired bool

	// build makes the stores of LevelPortable checks. It is for the kit's own mutants;
	// nil means scskit.NewStore.
	build func(driver.Driver, *scskit.Options) (portable, error)
}

// Driver is a driver to be checked. Its fields mean what those of Store do.
type Driver struct {
	Name   string
	New    func(tb testing.TB) driver.Driver
	Reopen func(tb testing.TB, d driver.Driver) driver.Driver
	Exempt map[string]string

	RemovesExpired bool
}

// Adapter is an adapter to be checked.
type Adapter struct {
	// Name tells the adapter from others, in the names of subtests and in reports.
	Name string

	// Serve runs app under the adapter and its framework, on a listener of its own until
	// the cleanup of tb, and returns the base URL, such as "http://127.0.0.1:4321". Listen and
	// ListenWith do that; HTTP is the whole Adapter for net/http. Serve is called from many
	// goroutines at a time. Request headers of 16 KiB must get through, since sessions may
	// travel in them.
	Serve func(tb testing.TB, app App) (baseURL string)

	// Neighbours are the kinds of middleware that the harness can put beside that of the session.
	// The checks of others do not apply.
	Neighbours []Neighbour

	// Recovers are those of the Neighbours that make an error of a panic, as recovery middleware
	// does. Inside the session what the handler had changed is then stored.
	Recovers []Neighbour

	// Exempt is as for Store. A pair of an adapter and a store is exempt from what either
	// of them is exempt from.
	Exempt map[string]string
}
