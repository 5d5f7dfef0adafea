package scsecho_test

import (
	"testing"

	scsecho "github.com/scskit/scskit/adapters/echov5"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.EchoV5(scsecho.LoadAndSave))
}
