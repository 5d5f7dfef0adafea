package legacy_test

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/migrate/legacy"
)

// FuzzCookie reads hostile cookies. None is a session, an error or a panic.
func FuzzCookie(f *testing.F) {
	sm := scs.New()
	sm.Store = memstore.NewWithCleanupInterval(0)
	cookies := sessions.NewCookieStore(hashKey, []byte("0123456789abcdef"))
	files := sessions.NewFilesystemStore(f.TempDir(), hashKey)
	readers := []adapters.LegacyReader{
		legacy.SCS(sm),
		legacy.Gorilla("app", cookies, legacy.GorillaOptions{}),
		legacy.Gorilla("app", files, legacy.GorillaOptions{}),
		legacy.Fiber(storage{}, legacy.FiberOptions{}),
	}
	for _, seed := range []string{"", "id", "MTJ8eHx5", "MTc5NTc1MTI1NHxhYWFhfGJiYmI=", "../../x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, r := range readers {
			if s, err := read(t, r, value); s != nil || err != nil {
				t.Errorf("%v: session %v, %v, want none", r.CookieNames(), s, err)
			}
		}
	})
}

// FuzzFiberRecord decodes damaged records of Fiber.
func FuzzFiberRecord(f *testing.F) {
	f.Add(gobOf(f, map[string]any{"user": "ada"}))
	f.Add(gobOf(f, map[any]any{"user": "ada", key(2): []byte{1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = read(t, legacy.Fiber(storage{"id": data}, legacy.FiberOptions{}), "id")
	})
}
