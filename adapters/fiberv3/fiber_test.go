package scsfiber_test

import (
	"testing"

	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.FiberV3(scsfiber.LoadAndSave))
}
