package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate"
	"github.com/scskit/scskit/stores/memstore"
)

// TestMigrate copies the sessions at rest in the peers, which are found under their tokens
// afterwards.
func TestMigrate(t *testing.T) {
	for _, p := range peers {
		for _, hashed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,hashed=%v", p.Name, hashed), func(t *testing.T) {
				for _, kind := range p.needs {
					if testenv.Skipped(kind.String()) {
						t.Skipf("%s is named in SCSKIT_SKIP_BACKENDS", kind)
					}
				}
				old := scs.New()
				old.Store, old.HashTokenInStore = p.New(t), hashed
				old.Lifetime, old.IdleTimeout = 12*time.Hour, time.Hour
				tokens := make([]string, 20)
				for i := range tokens {
					ctx, err := old.Load(t.Context(), "")
					if err != nil {
						t.Fatal(err)
					}
					old.Put(ctx, "user", fmt.Sprint("user", i))
					old.Put(ctx, "n", i)
					if tokens[i], _, err = old.Commit(ctx); err != nil {
						t.Fatal(err)
					}
				}

				from, err := migrate.FromSCS(old.Store, &migrate.SCSOptions{
					Hashed: hashed, Lifetime: old.Lifetime, IdleTimeout: old.IdleTimeout,
				})
				if err != nil {
					t.Fatal(err)
				}
				to, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
				if err != nil {
					t.Fatal(err)
				}
				r, err := migrate.Copy(t.Context(), from, to, nil)
				if err != nil || r.Copied != len(tokens) {
					t.Fatalf("%v: %v", r, err)
				}
				if c, err := migrate.Compare(t.Context(), from, to); err != nil || !c.Equal() {
					t.Errorf("%+v: %v", c, err)
				}
				sm := scskit.New(to)
				for i, token := range tokens {
					ctx, err := sm.Load(t.Context(), token)
					if err != nil {
						t.Fatal(err)
					}
					if got := sm.GetInt(ctx, "n"); got != i || !sm.Exists(ctx, "n") {
						t.Errorf("session %d has %d", i, got)
					}
				}
			})
		}
	}
}
