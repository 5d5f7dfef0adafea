package scsfiber_test

import (
	"testing"

	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/adapters/fiberv3/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scsfiber.LoadAndSave))
}
