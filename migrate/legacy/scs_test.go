package legacy_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/migrate/legacy"
)

// read reads the session that comes with a cookie.
func read(
	t *testing.T, r adapters.LegacyReader, value string,
) (*adapters.LegacySession, error) {
	t.Helper()
	cookies := []*http.Cookie{{Name: r.CookieNames()[0], Value: value}}
	id := r.SessionID(cookies)
	if id == "" {
		return nil, nil
	}
	return r.ReadSession(t.Context(), id, cookies)
}

// broken is a store that fails.
type broken struct{ scs.Store }

var errDown = errors.New("the store is down")

func (broken) Find(string) ([]byte, bool, error) { return nil, false, errDown }

func TestSCS(t *testing.T) {
	t.Parallel()
	for _, hashed := range []bool{false, true} {
		sm := scs.New()
		store := memstore.NewWithCleanupInterval(0)
		sm.Store, sm.HashTokenInStore = store, hashed
		sm.Cookie.Name, sm.Cookie.Path, sm.Cookie.Domain = "sid", "/app", "example.com"
		ctx, err := sm.Load(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(ctx, "user", "ada")
		token, _, err := sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		r := legacy.SCS(sm)
		s, err := read(t, r, token)
		if err != nil || s == nil {
			t.Fatalf("session %v, %v", s, err)
		}
		if s.Values["user"] != "ada" || !s.Deadline.Equal(sm.Deadline(ctx)) {
			t.Errorf("values %v until %v, want ada until %v", s.Values, s.Deadline, sm.Deadline(ctx))
		}
		if c := s.Expire[0]; len(s.Expire) != 1 || c.Name != "sid" || c.Path != "/app" ||
			c.Domain != "example.com" {
			t.Errorf("expires the cookies %v", s.Expire)
		}
		if err := s.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		if all, _ := store.All(); len(all) != 0 {
			t.Error("the record is still there")
		}
		if s, err := read(t, r, token); s != nil || err != nil {
			t.Errorf("session %v, %v, want none", s, err)
		}
	}
}

// TestSCSToken reads a session with a token that no manager makes.
func TestSCSToken(t *testing.T) {
	t.Parallel()
	sm := scs.New()
	sm.Store = memstore.NewWithCleanupInterval(0)
	token, deadline := strings.Repeat("t", 700), time.Now().Add(time.Hour)
	data, err := sm.Codec.Encode(deadline, map[string]any{"n": 1})
	if err == nil {
		err = sm.Store.Commit(token, data, deadline)
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, err := read(t, legacy.SCS(sm), token); err != nil || s == nil || s.Values["n"] != 1 {
		t.Errorf("session %v, %v", s, err)
	}
}

func TestSCSFailure(t *testing.T) {
	t.Parallel()
	sm := scs.New()
	sm.Store = broken{}
	if s, err := read(t, legacy.SCS(sm), "token"); s != nil || !errors.Is(err, errDown) {
		t.Errorf("session %v, %v, want %v", s, err, errDown)
	}
	sm.Store = memstore.NewWithCleanupInterval(0)
	_ = sm.Store.Commit("token", []byte("damaged"), time.Now().Add(time.Hour))
	if s, err := read(t, legacy.SCS(sm), "token"); s != nil || err == nil {
		t.Errorf("a damaged record: session %v, %v, want an error", s, err)
	}
	sm.Store = nil
	if s, err := read(t, legacy.SCS(sm), "token"); s != nil || err == nil {
		t.Errorf("no store: session %v, %v, want an error", s, err)
	}
}
