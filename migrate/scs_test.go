package migrate_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/migrate"
)

type cart struct{ Items map[string]int }

func TestFromSCS(t *testing.T) {
	gob.Register(cart{})
	for _, hashed := range []bool{false, true} {
		for name, codec := range map[string]scs.Codec{
			"gob": scs.GobCodec{}, "messagepack": scskit.Codec{},
		} {
			t.Run(name, func(t *testing.T) {
				legacy := scs.New()
				store := scsmem.NewWithCleanupInterval(0)
				legacy.Store, legacy.Codec, legacy.HashTokenInStore = store, codec, hashed
				put := func(token string, n int) string {
					ctx, err := legacy.Load(t.Context(), token)
					must(t, err)
					legacy.Put(ctx, "n", n)
					legacy.Put(ctx, "user", "ada")
					legacy.Put(ctx, "cart", cart{map[string]int{"apple": n}})
					token, _, err = legacy.Commit(ctx)
					must(t, err)
					return token
				}
				var tokens []string
				for i := range 20 {
					tokens = append(tokens, put("", i))
				}
				source, err := migrate.FromSCS(store, &migrate.SCSOptions{
					Hashed: hashed, Lifetime: legacy.Lifetime, IdleTimeout: time.Hour,
				})
				must(t, err)
				c := newClock()
				s := &scene{
					t, c, &side{Store: source, t: t}, newSide(t, c, scskit.Options{UserKey: "user"}),
				}
				want(t, s.copy(nil), "20 listed, 20 copied")
				s.equal()
				for i, token := range tokens {
					if v := s.to.value(token, "n"); v != i {
						t.Errorf("session %d has %v", i, v)
					}
					if c, _ := s.to.value(token, "cart").(cart); c.Items["apple"] != i {
						t.Errorf("session %d has the cart %v", i, c)
					}
				}
				for id, rec := range s.to.records() {
					left, age := time.Until(rec.Expiry), time.Since(rec.Created)
					if left > time.Hour || left < time.Hour-time.Minute || age < 0 || age > time.Minute {
						t.Errorf("%s expires in %v and was created %v ago", id, left, age)
					}
				}
				n := 0
				for range s.to.SessionsOf(t.Context(), "ada") {
					n++
				}
				if n != 20 {
					t.Errorf("%d sessions of the user", n)
				}

				s.advance(time.Minute)
				s.to.save(tokens[0], "n", "target")
				put(tokens[0], -1)
				put(tokens[1], -1)
				want(t, s.copy(nil), "20 listed, 1 replaced, 18 unchanged, 1 newer in the target")
				for i, want := range []any{"target", -1} {
					if got := s.to.value(tokens[i], "n"); got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				}
				if err := source.Delete(tokens[0]); err == nil {
					t.Error("the source was changed")
				}
			})
		}
	}
}

// Values of types that the process does not know survive, and no session is lost for them.
func TestFromSCSUnknownType(t *testing.T) {
	store := scsmem.NewWithCleanupInterval(0)
	var b bytes.Buffer
	must(t, gob.NewEncoder(&b).Encode(struct {
		Deadline time.Time
		Values   map[string]any
	}{time.Now().Add(time.Hour), map[string]any{"n": 1, "cart": cart{map[string]int{"a": 1}}}}))
	data := bytes.ReplaceAll(b.Bytes(), []byte("migrate_test.cart"), []byte("migrate_test.carx"))
	must(t, store.Commit("token", data, time.Now().Add(time.Hour)))
	source, err := migrate.FromSCS(store, nil)
	must(t, err)
	to := newSide(t, newClock(), scskit.Options{})
	r, err := migrate.Copy(t.Context(), source, to.Store, nil)
	must(t, err)
	want(t, r, "1 listed, 1 copied")
	if v := to.value("token", "n"); v != 1 {
		t.Errorf("got %v", v)
	}
	if _, ok := to.value("token", "cart").(scskit.Unknown); !ok {
		t.Errorf("the cart is %T", to.value("token", "cart"))
	}
}

func TestFromSCSUnusable(t *testing.T) {
	to := newSide(t, newClock(), scskit.Options{})
	if _, err := migrate.FromSCS(nil, nil); err == nil {
		t.Error("nil: no error")
	}
	if _, err := migrate.FromSCS(to.Store, nil); err == nil {
		t.Error("a store of scskit: no error")
	}
	if _, err := migrate.FromSCS(struct{ scs.Store }{}, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
