// Package harness serves the conformance kit's applications under each framework. It is for
// tests. The middleware is an argument: the adapter of this project, or a broken one that
// the kit must catch.
package harness

import "github.com/scskit/scskit/conformance"

// NetHTTP is the harness for net/http.
func NetHTTP(middleware conformance.Middleware) conformance.Adapter {
	return conformance.HTTP("nethttp", middleware)
}
