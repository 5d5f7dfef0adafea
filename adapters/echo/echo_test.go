package scsecho_test

import (
	"testing"

	scsecho "github.com/scskit/scskit/adapters/echo"
	"github.com/scskit/scskit/adapters/echo/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scsecho.LoadAndSave))
}
