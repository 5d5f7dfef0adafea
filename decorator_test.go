package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

// meter is a driver that counts loads.
type meter struct {
	driver.Driver
	loads atomic.Int64
}

func (m *meter) Load(ctx context.Context, id string) (driver.Record, error) {
	m.loads.Add(1)
	return m.Driver.Load(ctx, id)
}

// Unwrap lets the store use the inner driver's optional methods, such as Sweep and Range.
func (m *meter) Unwrap() driver.Driver { return m.Driver }

// Use a driver.Decorator to measure or change what goes to a backend.
func ExampleNewStore_decorator() {
	inside, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	m := &meter{Driver: inside.Driver()}
	store, err := scskit.NewStore(m, nil)
	if err != nil {
		log.Fatal(err)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	session, err := scskit.Codec{}.Encode(tomorrow, map[string]any{"user": "ada"})
	err = errors.Join(
		err,
		store.Commit("a token", session, tomorrow),
		store.Commit("another", session, tomorrow),
	)
	if err != nil {
		log.Fatal(err)
	}
	if _, _, err := store.Find("a token"); err != nil {
		log.Fatal(err)
	}
	all, err := store.All()
	fmt.Println(m.loads.Load(), "load,", len(all), "sessions,", err)
	// Output: 1 load, 2 sessions, <nil>
}

// everything is a driver that implements every optional interface.
type everything struct{ driver.Driver }

func (everything) Range(context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) { yield(driver.Record{ID: "ranged"}, nil) }
}
func (everything) Sweep(context.Context, int) (int, error)     { return 7, nil }
func (everything) CreateSchema(context.Context) error          { return errors.New("created") }
func (everything) CheckSchema(context.Context) error           { return errors.New("checked") }
func (everything) DropSchema(context.Context) error            { return errors.New("dropped") }
func (everything) Schema() string                              { return "schema" }
func (everything) MaxData() int                                { return 10 }
func (everything) Open(string) (_ driver.Record, _ error)      { return }
func (everything) CookieName() string                          { return "carried" }
func (everything) Carry(driver.Record) (value string, _ error) { return "value", nil }

// own is a decorator with a Sweep of its own.
type own struct{ meter }

func (*own) Sweep(context.Context, int) (int, error) { return 9, nil }

func TestDecoratedDriver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, err := scskit.NewStore(&meter{Driver: &meter{Driver: everything{}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := store.Sweep(ctx); n != 7 || err != nil {
		t.Errorf("Sweep returned %d, %v, want 7", n, err)
	}
	for rec, err := range store.Range(ctx) {
		if rec.ID != "ranged" || err != nil {
			t.Errorf("Range yielded %v, %v", rec, err)
		}
	}
	err = errors.Join(store.CreateSchema(ctx), store.CheckSchema(ctx), store.DropSchema(ctx))
	if fmt.Sprint(err) != "created\nchecked\ndropped" {
		t.Errorf("the schema methods returned %v", err)
	}
	if s := store.Schema(); s != "schema" {
		t.Errorf("Schema returned %q", s)
	}
	if name, ok := store.CookieName(); name != "carried" || !ok {
		t.Errorf("CookieName returned %q, %v", name, ok)
	}
	err = store.Commit("t", make([]byte, 11), time.Now().Add(time.Hour))
	if !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("a commit over the inner driver's limit: got error %v, want ErrTooLarge", err)
	}
	o := &own{}
	o.Driver = everything{}
	if store, err = scskit.NewStore(o, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := store.Sweep(ctx); n != 9 || err != nil {
		t.Errorf("Sweep of the outer driver returned %d, %v, want 9", n, err)
	}
	if _, ok := driver.As[driver.Sweeper](&meter{Driver: quoting{}}); ok {
		t.Error("As found a Sweeper where no driver is one")
	}
	if _, ok := driver.As[driver.Sweeper](&meter{}); ok {
		t.Error("As found a Sweeper in a decorator without an inner driver")
	}
}

// ciphered is a codec that embeds scskit.Codec and changes its bytes.
type ciphered struct{ scskit.Codec }

func invert(b []byte) []byte {
	b = append([]byte(nil), b...)
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func (c ciphered) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	b, err := c.Codec.Encode(deadline, values)
	return invert(b), err
}

func (c ciphered) Decode(b []byte) (time.Time, map[string]any, error) {
	return c.Codec.Decode(invert(b))
}

// embedding is a store as a program writes one to count or log calls.
type embedding struct{ *scskit.Store }

// wrapping is a store that wraps another without embedding it.
type wrapping struct {
	scs.CtxStore
	inner scs.Store
}

func (w wrapping) Unwrap() scs.Store { return w.inner }

func TestDecoratedStore(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{Codec: ciphered{}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, decorated := range map[string]scs.Store{
		"itself": store, "embedded": embedding{store}, "embedded by pointer": &embedding{store},
		"wrapped":       wrapping{store, store},
		"wrapped twice": wrapping{store, wrapping{store, embedding{store}}},
	} {
		if s, ok := scskit.StoreOf(decorated); s != store || !ok {
			t.Errorf("%s: StoreOf returned %v, %v", name, s, ok)
		}
		sm := scskit.New(decorated)
		if _, ok := sm.Codec.(ciphered); !ok {
			t.Errorf("%s: New set the codec %T", name, sm.Codec)
		}
	}
	for name, other := range map[string]scs.Store{
		"nil": nil, "nil *Store": (*scskit.Store)(nil), "nil embedded": embedding{},
		"another": scs.New().Store, "wrapping nothing": wrapping{},
	} {
		if s, ok := scskit.StoreOf(other); ok {
			t.Errorf("%s: StoreOf returned %v, want nothing", name, s)
		}
	}
	scshttp.LoadAndSave(scskit.New(embedding{store})) // must not panic
}

// TestDecoratedCodec loads, saves and merges a session.
func TestDecoratedCodec(t *testing.T) {
	t.Parallel()
	var corrupt atomic.Int64
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		Codec: ciphered{},
		Observer: func(_ context.Context, e scskit.Event) {
			if e.Kind == scskit.KindCorrupt {
				corrupt.Add(1)
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.IdleTimeout = time.Hour
	load := func(token string) context.Context {
		ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
		if err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	commit := func(ctx context.Context) (token string) {
		token, _, err := sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ctx := load("")
	sm.Put(ctx, "k", 1)
	token := commit(ctx)
	one, two := load(token), load(token)
	sm.Put(one, "one", 1)
	sm.Put(two, "two", 2)
	commit(one)
	commit(two)
	if keys := strings.Join(sm.Keys(load(token)), " "); keys != "k one two" || corrupt.Load() != 0 {
		t.Errorf("got keys %q and %d KindCorrupt events", keys, corrupt.Load())
	}
}

// locked is a codec that cannot decode a record, but does not report it as damaged.
type locked struct{ scskit.Codec }

var errLocked = errors.New("no decryption key")

func (locked) Decode([]byte) (time.Time, map[string]any, error) {
	return time.Time{}, nil, errLocked
}

func TestUnreadableIsKept(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{Codec: locked{}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, _, err = store.FindCtx(scskit.WithTracker(t.Context()), "token")
	if !errors.Is(err, errLocked) {
		t.Errorf("FindCtx: got error %v, want the codec's", err)
	}
	if data, found, err := store.Find("token"); string(data) != "data" || !found || err != nil {
		t.Errorf("the record holds %q, found %v, error %v", data, found, err)
	}
}

// A codec that embeds Codec does not have the shortcuts that a Store uses for Codec itself.
func TestUserWithDecoratedCodec(t *testing.T) {
	t.Parallel()
	opts := scskit.Options{Codec: ciphered{}, UserKey: "user"}
	store, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	data, err := ciphered{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit("token", data, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	n, err := store.DestroySessionsOf(t.Context(), "ada")
	if n != 1 || err != nil {
		t.Errorf("destroyed %d, %v, want 1", n, err)
	}
}
