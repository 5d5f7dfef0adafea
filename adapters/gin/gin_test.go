package scsgin_test

import (
	"testing"

	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/adapters/gin/harness"
	"github.com/scskit/scskit/conformance"
)

func TestAdapter(t *testing.T) {
	conformance.TestAdapter(t, harness.New(scsgin.LoadAndSave))
}
