package stores_test

import (
	"strings"
	"testing"

	"github.com/scskit/scskit/stores"
)

// TestNotLinked: the error for a backend that the program has not imported names the import.
func TestNotLinked(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://:canary@localhost": "stores: the program links nothing that opens redis: " +
			"import _ \"github.com/scskit/scskit/stores/redis\", or _ " +
			"\"github.com/scskit/scskit/stores/all\" for all backends",
		"Rediss+Sentinel://:canary@h/master": "stores: the program links nothing that opens " +
			"rediss+sentinel: import _ \"github.com/scskit/scskit/stores/redis\", or _ " +
			"\"github.com/scskit/scskit/stores/all\" for all backends",
		"postgresql://u:canary@h/db": "stores: the program links nothing that opens " +
			"postgresql: import _ \"github.com/scskit/scskit/stores/postgres\", or _ " +
			"\"github.com/scskit/scskit/stores/all\" for all backends",
	} {
		_, closeStore, err := stores.Open(t.Context(), url, nil)
		if err == nil || err.Error() != want || closeStore != nil {
			t.Errorf("%s: got error %v", url, err)
		}
		if place := stores.Describe(url); place != "" {
			t.Errorf("%s: Place gives %q", url, place)
		}
	}
	if usage := stores.Usage(); !strings.Contains(usage, "memory:") ||
		strings.Contains(usage, "redis") {
		t.Errorf("Usage tells of backends that are not linked, or not of memory:\n%s", usage)
	}
}
