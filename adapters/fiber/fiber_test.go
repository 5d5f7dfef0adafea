package scsfiber_test

import (
	"testing"

	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.Fiber(scsfiber.LoadAndSave))
}
