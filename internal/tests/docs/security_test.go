package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// docs/security.md contains this code.

func openSealed(file string) (*scskit.Store, error) {
	keys, err := keyring.ReadFile(file) // one key in each line; the first one seals
	if err != nil {
		return nil, err
	}
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{Keys: keys}})
	return store, err
}

func reseal(ctx context.Context, store *scskit.Store) error {
	result, err := store.Reseal(ctx)
	if err != nil {
		return err // run it again: records that are done cost only the read
	}
	if result.Unreadable > 0 {
		return fmt.Errorf("%d of %d records cannot be read", result.Unreadable, result.Records)
	}
	return nil
}

func withoutKey(keys [][]byte) scskit.Options {
	options := scskit.Options{
		Keys: keys, // without the key that was lost or stolen
		OnUnreadable: func(ctx context.Context, u scskit.Unreadable) scskit.UnreadableAction {
			if errors.Is(u.Err, scskit.ErrUnknownKey) {
				return scskit.KeepUnreadable
			}
			return scskit.KeepCorrupt(ctx, u)
		},
	}
	return options
}

func renewing(sessions *scs.SessionManager, mux http.Handler) http.Handler {
	handler := scshttp.LoadAndSave(sessions, adapters.RenewEvery(15*time.Minute))(mux)
	return handler
}

func TestSealed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(keyring.New()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := openSealed(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*sessiontest.Session
	for range 20 {
		all = append(all, sessiontest.New(t, scskit.New(store), map[string]any{"user": "ada"}))
	}
	if err := reseal(t.Context(), store); err != nil {
		t.Error(err)
	}
	testWithoutKey(t, store.Driver(), all)
}

// testWithoutKey serves the sessions from a process that has another key only. Every user must be
// able to sign in again, however many records in a row cannot be read.
func testWithoutKey(t *testing.T, d driver.Driver, all []*sessiontest.Session) {
	key, err := keyring.Parse(keyring.New())
	if err != nil {
		t.Fatal(err)
	}
	options := withoutKey(key)
	store, err := scskit.NewStore(d, &options)
	if err != nil {
		t.Fatal(err)
	}
	sessions := scskit.New(store)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if sessions.Exists(r.Context(), "user") {
			t.Error("a session under the key that is gone is alive")
		}
		sessions.Put(r.Context(), "user", "bob")
	})
	app := renewing(sessions, mux)
	for i, s := range all {
		recorder := httptest.NewRecorder()
		app.ServeHTTP(recorder, s.Request(http.MethodGet, "/", nil))
		response := recorder.Result()
		if response.StatusCode != http.StatusOK || len(response.Cookies()) != 1 {
			t.Fatalf("session %d: status %d, cookies %q", i+1, response.StatusCode, response.Cookies())
		}
	}
	if err := reseal(t.Context(), store); err == nil {
		t.Error("reseal finds nothing unreadable")
	}
}
