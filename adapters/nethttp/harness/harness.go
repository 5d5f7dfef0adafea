// Package harness runs the conformance kit's test applications on net/http. With it you can test
// your own store or adapter together with net/http:
//
//	conformance.TestMatrix(t, []conformance.Adapter{harness.New(scshttp.LoadAndSave)}, stores)
//
// The package is experimental, except New.
package harness

import "github.com/scskit/scskit/conformance"

// New returns a conformance.Adapter that serves applications on net/http behind the middleware.
func New(middleware conformance.Middleware) conformance.Adapter {
	return conformance.HTTP("nethttp", middleware)
}
