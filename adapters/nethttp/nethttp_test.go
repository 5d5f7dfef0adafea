package scshttp_test

import (
	"testing"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scshttp.LoadAndSave))
}
