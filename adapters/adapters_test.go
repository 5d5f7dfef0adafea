package adapters

import (
	"context"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// TestVerifyKey tests that the error names the scs version if the session is not under the key.
func TestVerifyKey(t *testing.T) {
	t.Parallel()
	sm := scs.New()
	loaded, err := sm.Load(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := verifyKey(loaded, contextKey(sm)); err != nil {
		t.Error(err)
	}
	type other struct{}
	for _, key := range []any{nil, other{}, "session"} {
		err := verifyKey(loaded, key)
		if err == nil || !strings.Contains(err.Error(), "the contexts of scs ") {
			t.Errorf("key %#v: got error %v", key, err)
		}
	}
}
