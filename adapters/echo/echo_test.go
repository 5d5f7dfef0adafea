package scsecho_test

import (
	"testing"

	scsecho "github.com/scskit/scskit/adapters/echo"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.Echo(scsecho.LoadAndSave))
}
