package conformance

import "testing"

func TestReference(t *testing.T) { TestStore(t, reference()) }
