package adapters

import (
	"context"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// TestVerifyKey: should scs keep its session in another place, the error says which scs that is.
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
			t.Errorf("under %#v: got error %v", key, err)
		}
	}
}
