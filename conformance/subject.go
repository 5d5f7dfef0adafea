package conformance

import (
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// Store is a store under test. The checks of LevelPortable apply too if New returns a
// *scskit.Store.
type Store struct {
	// Name identifies the store in the names of subtests and in reports. It must not have a slash.
	Name string

	// New returns an empty store that shares nothing with any other that New has returned. It may use
	// tb.TempDir, cleans up with tb.Cleanup, and calls tb.Fatal if it cannot create the store. It is
	// called at least once for each check, from concurrent goroutines.
	New func(tb testing.TB) scs.Store

	// Reopen returns another instance over the backend of s, as a second process would. It is nil if
	// there can be none.
	Reopen func(tb testing.TB, s scs.Store) scs.Store

	// Exempt has the ids of the checks that the store fails, each with the reason. These checks run
	// all the same: one that passes fails the suite until you remove the exemption. Nil means that the
	// store passes every check.
	Exempt map[string]string

	// RemovesExpired says that the backend itself removes expired sessions, by TTL, at any time. A
	// sweep may then find fewer, so a check that counts them starts again, up to four times.
	RemovesExpired bool

	// build creates the stores of LevelPortable checks, for the kit's own mutants. Nil means
	// scskit.NewStore.
	build func(driver.Driver, *scskit.Options) (portable, error)
}

// Driver is a driver under test. Its fields correspond to those of Store.
type Driver struct {
	Name   string
	New    func(tb testing.TB) driver.Driver
	Reopen func(tb testing.TB, d driver.Driver) driver.Driver
	Exempt map[string]string

	RemovesExpired bool
}

// Adapter is an adapter under test.
type Adapter struct {
	// Name identifies the adapter in the names of subtests and in reports. It must not have a slash.
	Name string

	// Serve runs app with the adapter and its framework on a listener of its own, and returns the base
	// URL, such as "http://127.0.0.1:4321". It stops the server in a cleanup of tb. Listen and
	// ListenWith do both; HTTP returns a complete Adapter for net/http. Serve is called from
	// concurrent goroutines. It must accept request headers of 16 KiB, because sessions may travel in
	// them.
	Serve func(tb testing.TB, app App) (baseURL string)

	// Neighbours are the kinds of middleware that the harness can put beside the session middleware.
	// The checks of other kinds do not apply.
	Neighbours []Neighbour

	// Recovers are those of the Neighbours that turn a panic into an error, as recovery middleware
	// does. If such a neighbour is inside the session middleware, the handler's changes are stored.
	Recovers []Neighbour

	// Exempt is like Store.Exempt. A pair is exempt from the checks that its adapter or its store is
	// exempt from.
	Exempt map[string]string
}
