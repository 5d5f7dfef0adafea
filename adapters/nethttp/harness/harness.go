// Package harness serves the conformance kit's applications under each framework. It is for tests.
// The middleware is an argument: the adapter of this project, or a broken one that the kit must
// catch. Package harness runs the applications of the conformance kit on net/http, for those who
// want to hold a store of their own, or an adapter of their own, to the checks of pairs:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(LoadAndSave)}, stores)
//
// It changes with the kit, and is not part of what the module promises to keep.
package harness

import "github.com/scskit/scskit/conformance"

// New returns the harness, which serves applications behind an adapter of this kind.
func New(middleware conformance.Middleware) conformance.Adapter {
	return conformance.HTTP("nethttp", middleware)
}
