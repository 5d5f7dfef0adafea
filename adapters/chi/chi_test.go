package scschi_test

import (
	"testing"

	scschi "github.com/scskit/scskit/adapters/chi"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.Chi(scschi.LoadAndSave))
}
