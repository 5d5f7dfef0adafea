package harness_test

import (
	"testing"

	scschi "github.com/scskit/scskit/adapters/chi"
	"github.com/scskit/scskit/adapters/chi/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scschi.LoadAndSave))
}
