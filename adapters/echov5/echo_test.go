package scsecho_test

import (
	"testing"

	scsecho "github.com/scskit/scskit/adapters/echov5"
	"github.com/scskit/scskit/adapters/echov5/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scsecho.LoadAndSave))
}
