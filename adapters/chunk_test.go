package adapters

import (
	"strings"
	"testing"
)

// FuzzChunks joins hostile parts of a value, and splits and joins any value.
func FuzzChunks(f *testing.F) {
	const long = 9000
	f.Add("2.abcdefgh", "session.1=abcdefghijk; session.1=x", "value")
	f.Add("16.", "session.15=; session.01=abcdefgh; session.-1=a", strings.Repeat("v", long))
	f.Add("3.aaaaaaaa", "session.2=aaaaaaaab; session.1=aaaaaaaac", strings.Repeat("ab.", long))
	f.Add("99999999999999999999.", "session.99999999999999999999=x", "")
	f.Fuzz(func(t *testing.T, first, line, value string) {
		parts := partsOf([]string{line}, "session")
		if len(parts) > maxParts {
			t.Errorf("%d parts, want at most %d", len(parts), maxParts)
		}
		if joined, ok := joinValue(first, parts); ok && len(joined) > len(first)+len(line) {
			t.Errorf("%d bytes, of %d bytes in cookies", len(joined), len(first)+len(line))
		}
		if value == "" || strings.Contains(value, ".") || len(value) > maxChunks*chunkSize("session") {
			return // no store makes such a value
		}
		split := splitValue(value, "session")
		parts = nil
		for i, p := range split[1:] {
			parts = append(parts, part{i + 1, p})
		}
		if joined, ok := joinValue(split[0], parts); !ok || joined != value {
			t.Errorf("a value of %d bytes in %d chunks is joined to %d bytes, %v", len(value), len(split),
				len(joined), ok)
		}
	})
}
