package stores_test

import (
	"strings"
	"testing"

	"github.com/scskit/scskit/stores"
)

// TestNotLinked opens URLs of backends that the program does not import.
func TestNotLinked(t *testing.T) {
	t.Parallel()
	missing := func(scheme, name string) string {
		return "stores: the program does not link the package that opens " + scheme +
			": import _ \"github.com/scskit/scskit/stores/" + name +
			"\", or _ \"github.com/scskit/scskit/stores/all\" for all backends"
	}
	for url, want := range map[string]string{
		"redis://:canary@localhost":          missing("redis", "redis"),
		"Rediss+Sentinel://:canary@h/master": missing("rediss+sentinel", "redis"),
		"postgresql://u:canary@h/db":         missing("postgresql", "postgres"),
	} {
		_, closeStore, err := stores.Open(t.Context(), url, nil)
		if err == nil || err.Error() != want || closeStore != nil {
			t.Errorf("%s: got error %v, want %s", url, err, want)
		}
		if place := stores.Describe(url); place != "" {
			t.Errorf("%s: Describe returns %q", url, place)
		}
	}
	usage := stores.Usage()
	if !strings.Contains(usage, "memory:") || strings.Contains(usage, "redis") {
		t.Errorf("Usage lists backends that are not imported, or does not list memory:\n%s", usage)
	}
}
