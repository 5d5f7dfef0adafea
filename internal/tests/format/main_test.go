// Package format checks what docs/format.md says: its test vectors, the records in every backend,
// the rules for other programs that write, and that examples/node reads all of it.
package format_test

import (
	"os"
	"testing"

	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
