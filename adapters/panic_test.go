package adapters_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/stores/memstore"
)

// panics is a LegacyReader that does not work.
type panics struct{}

func (panics) CookieNames() []string { return []string{"old"} }

func (panics) SessionID([]*http.Cookie) string { panic("in SessionID") }

func (panics) ReadSession(
	context.Context, string, []*http.Cookie,
) (*adapters.LegacySession, error) {
	panic("in ReadSession")
}

// TestFunctionsThatPanic tests that a panic in a function of the application refuses the request.
// On some frameworks it would end the process.
func TestFunctionsThatPanic(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	for name, option := range map[string]adapters.Option{
		"hook of Limits": adapters.Limit(adapters.Limits{
			Load: func(context.Context) error { panic("in Load") },
		}),
		"CookiePerRequest": adapters.CookiePerRequest(func(context.Context, adapters.Connection,
			adapters.CookieAttributes) adapters.CookieAttributes {
			panic("in CookiePerRequest")
		}),
		"LegacyReader": adapters.Adopt(panics{}, adapters.AdoptOptions{FailClosed: true}),
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", "session=token; old=id")
		_, err := adapters.NewLifecycle(sm, option, adapters.Logger(nil)).BeginHTTP(r)
		if err == nil || !strings.Contains(err.Error(), name+" panicked with a string") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
