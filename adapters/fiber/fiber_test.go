package scsfiber_test

import (
	"testing"

	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/adapters/fiber/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scsfiber.LoadAndSave))
}
