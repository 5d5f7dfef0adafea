package legacy_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/scskit/scskit/migrate/legacy"
)

// storage is a storage of Fiber.
type storage map[string][]byte

func (s storage) Get(key string) ([]byte, error) {
	if s == nil {
		return nil, errDown
	}
	return s[key], nil
}

func (s storage) Delete(key string) error {
	delete(s, key)
	return nil
}

func gobOf(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFiber(t *testing.T) {
	t.Parallel()
	store := storage{
		"v2": gobOf(t, map[string]any{"user": "ada", "n": 1}),
		"v3": gobOf(t, map[any]any{"user": "ada", key(2): "two"}),
		"x":  []byte("damaged"),
	}
	r := legacy.Fiber(store, legacy.FiberOptions{CookiePath: "/app", CookieDomain: "example.com"})
	if names := r.CookieNames(); !reflect.DeepEqual(names, []string{"session_id"}) {
		t.Errorf("reads the cookies %v", names)
	}
	for id, want := range map[string]map[string]any{
		"v2": {"user": "ada", "n": 1}, "v3": {"user": "ada", "legacy_test.key:2": "two"},
	} {
		s, err := read(t, r, id)
		if err != nil || s == nil || !reflect.DeepEqual(s.Values, want) || !s.Deadline.IsZero() {
			t.Fatalf("session %v, %v, want %v without a deadline", s, err, want)
		}
		if c := s.Expire[0]; c.Name != "session_id" || c.Path != "/app" || c.Domain != "example.com" {
			t.Errorf("expires the cookies %v", s.Expire)
		}
		if err := s.Forget(t.Context()); err != nil || store[id] != nil {
			t.Errorf("the record is still there: %v", err)
		}
		if s, err := read(t, r, id); s != nil || err != nil {
			t.Errorf("session %v, %v, want none", s, err)
		}
	}
	if s, err := read(t, r, "x"); s != nil || err == nil {
		t.Errorf("a damaged record: session %v, %v, want an error", s, err)
	}
	down := legacy.Fiber(storage(nil), legacy.FiberOptions{})
	if s, err := read(t, down, "v2"); s != nil || !errors.Is(err, errDown) {
		t.Errorf("session %v, %v, want %v", s, err, errDown)
	}
}

// TestFiberAbsolute reads a record that Fiber v3 has stored, with a type that this process does not
// have.
func TestFiberAbsolute(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/fiberv3-absolute.gob")
	if err != nil {
		t.Fatal(err)
	}
	r := legacy.Fiber(storage{"id": data}, legacy.FiberOptions{CookieName: "sid"})
	s, err := read(t, r, "id")
	if err != nil || s == nil {
		t.Fatalf("session %v, %v", s, err)
	}
	if !reflect.DeepEqual(s.Values, map[string]any{"user": "ada"}) {
		t.Errorf("values %v, want the user", s.Values)
	}
	if s.Deadline.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the session ends at %v, want an hour after it was made", s.Deadline)
	}
}
