package conformance

import (
	"regexp"
	"slices"
	"testing"
)

func TestChecksAreWellFormed(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)
	levels := []Level{LevelStore, LevelPortable, LevelDriver, LevelAdapter, LevelPair}
	seen := make(map[string]bool)
	for _, c := range Checks() {
		if !id.MatchString(c.ID) {
			t.Errorf("id %q is not group/condition in lower case", c.ID)
		}
		if seen[c.ID] {
			t.Errorf("id %q is there twice", c.ID)
		}
		seen[c.ID] = true
		if len(c.Why) < 20 {
			t.Errorf("%s: why is %q", c.ID, c.Why)
		}
		if !slices.Contains(levels, c.Level) {
			t.Errorf("%s: level %q", c.ID, c.Level)
		}
	}
}
