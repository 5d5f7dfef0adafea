package scshttp_test

import (
	"testing"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.NetHTTP(scshttp.LoadAndSave))
}
