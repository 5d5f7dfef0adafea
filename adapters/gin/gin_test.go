package scsgin_test

import (
	"testing"

	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.Gin(scsgin.LoadAndSave))
}
