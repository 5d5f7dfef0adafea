package scskit_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

type keyedCart struct{ Items map[string]int }

type keyedRole string

type keyedUser struct{ Name string }

type named struct{ N int }

func init() { gob.RegisterName("a name of its own", named{}) }

var (
	cartKey    = scskit.NewKey[keyedCart]("cart")
	pointerKey = scskit.NewKey[*keyedUser]("pointer")
	roleKey    = scskit.NewKey[keyedRole]("role")
	namedKey   = scskit.Key[named]("named")
	countKey   = scskit.NewKey[int]("count")
	anyKey     = scskit.NewKey[any]("any")
)

// saveAndLoad saves the session and loads it as the next request does.
//
//nolint:revive // t comes first
func saveAndLoad(t *testing.T, ctx context.Context, sm *scs.SessionManager) context.Context {
	t.Helper()
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next, err := sm.Load(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestKey(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	ctx, err := sm.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := cartKey.Get(ctx, sm); ok {
		t.Error("an empty session has a cart")
	}
	if _, err := cartKey.Lookup(ctx, sm); !errors.Is(err, scskit.ErrNoValue) {
		t.Errorf("Lookup in an empty session: got error %v, want ErrNoValue", err)
	}
	cart := keyedCart{map[string]int{"tea": 2}}
	cartKey.Put(ctx, sm, cart)
	roleKey.Put(ctx, sm, "admin")
	namedKey.Put(ctx, sm, named{7})
	countKey.Put(ctx, sm, 3)
	anyKey.Put(ctx, sm, "whatever")
	ctx = saveAndLoad(t, ctx, sm)
	if got, ok := cartKey.Get(ctx, sm); !ok || !reflect.DeepEqual(got, cart) {
		t.Errorf("the cart: %v, %v", got, ok)
	}
	if got, err := roleKey.Lookup(ctx, sm); got != "admin" || err != nil {
		t.Errorf("the role: %v, %v", got, err)
	}
	if got, ok := namedKey.Get(ctx, sm); got.N != 7 || !ok {
		t.Errorf("a type registered by name: %v, %v", got, ok)
	}
	if got, ok := anyKey.Get(ctx, sm); got != "whatever" || !ok {
		t.Errorf("an interface: %v, %v", got, ok)
	}
	wrong := scskit.Key[string](countKey)
	if _, ok := wrong.Get(ctx, sm); ok {
		t.Error("Get returned an int as a string")
	}
	want := `scskit: session key "count" holds a int, not a string`
	if _, err := wrong.Lookup(ctx, sm); err == nil || err.Error() != want ||
		errors.Is(err, scskit.ErrNoValue) {
		t.Errorf("got error %v, want %s", err, want)
	}
	if _, ok := wrong.Pop(ctx, sm); ok || !sm.Exists(ctx, "count") {
		t.Error("Pop removed a value of another type")
	}
	if got, ok := countKey.Pop(ctx, sm); got != 3 || !ok || sm.Exists(ctx, "count") {
		t.Errorf("Pop returned %v, %v", got, ok)
	}
	roleKey.Remove(ctx, sm)
	ctx = saveAndLoad(t, ctx, sm)
	if sm.Exists(ctx, "role") || sm.Exists(ctx, "count") {
		t.Error("a removed value is still there")
	}
	pointerKey.Put(ctx, sm, &keyedUser{"ada"})
	ctx = saveAndLoad(t, ctx, sm)
	if got, ok := pointerKey.Get(ctx, sm); !ok || got.Name != "ada" {
		t.Errorf("a pointer: %v, %v", got, ok)
	}
}

// TestKeyUnknown looks up a value of a type that this process does not know.
func TestKeyUnknown(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "role"}})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	deadline := time.Now().Add(time.Hour)
	record, err := scskit.Codec{}.Encode(deadline, map[string]any{"role": keyedRole("admin")})
	if err != nil {
		t.Fatal(err)
	}
	record = bytes.ReplaceAll(record, []byte("keyedRole"), []byte("otherRole"))
	want := `the user, under the key of Options.UserKey, is a value of type ` +
		`"github.com/scskit/scskit_test.otherRole" that this process cannot decode: it must be ` +
		`a string or an integer`
	if err := store.Commit("token", record, deadline); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("as the user: got error %v, want %s", err, want)
	}
	other, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm.Store = other
	if err := other.Commit("token", record, deadline); err != nil {
		t.Fatal(err)
	}
	ctx, err := sm.Load(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	want = `scskit: session key "role" holds a value of type ` +
		`"github.com/scskit/scskit_test.otherRole" that this process cannot decode: register its ` +
		`type, with NewKey or gob.Register`
	if _, err := roleKey.Lookup(ctx, sm); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
