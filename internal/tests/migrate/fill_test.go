package migrate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// fillAccounts signs users in, and renews some. It returns their accounts and the old tokens. The
// sessions of some end within the span.
func fillAccounts(t *testing.T, store *scskit.Store, n int,
	span time.Duration) (accounts []*account, dead []string) {
	t.Helper()
	accounts = make([]*account, n)
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan int)
	sm := scskit.New(store)
	for range 32 {
		wg.Go(func() {
			for i := range work {
				a := &account{
					user: fmt.Sprint("user", i), life: 24 * time.Hour, counts: map[string]count{"n": {i, i}},
				}
				switch i % 20 {
				case 0:
					a.life = 3*time.Second + rand.N(span)
				case 1:
					a.idle = time.Minute
				case 2, 3, 4:
					a.idle, a.life = 30*time.Minute, 10*time.Hour
				case 5, 6, 7:
					a.idle, a.life = 45*24*time.Hour, 90*24*time.Hour
				}
				old, err := a.create(sm, i, i%16 == 9)
				if err != nil {
					t.Error(err)
				}
				if accounts[i] = a; old != "" {
					mu.Lock()
					dead = append(dead, old)
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	records, err := list(t.Context(), store)
	must(t, err)
	for _, a := range accounts {
		rec, ok := records[scskit.HashToken(a.token)]
		if !ok && a.life > time.Minute {
			t.Fatalf("%s has no session after the fill", a.user)
		}
		if ok {
			rec.Data = nil
			a.created, a.minExpiry, a.maxExpiry = rec, rec.Expiry, rec.Expiry
		}
	}
	return accounts, dead
}

// create signs the user of the account in, and, if renewed is true, a second time. It returns the
// token that has ended.
func (a *account) create(sm *scs.SessionManager, n int, renewed bool) (dead string, err error) {
	for {
		ctx, err := sm.Load(scskit.WithTracker(context.Background()), dead)
		if err != nil {
			return "", err
		}
		if err := scskit.SignIn(ctx, sm, a.user,
			&scskit.SignInOptions{Lifetime: a.life, IdleTimeout: a.idle}); err != nil {
			return "", err
		}
		sm.Put(ctx, "n", n)
		a.deadline = sm.Deadline(ctx)
		a.minExpiry, a.maxExpiry = a.deadline, a.deadline
		if a.token, _, err = sm.Commit(ctx); err != nil || !renewed || dead != "" {
			return dead, err
		}
		dead = a.token
	}
}

// list returns the live sessions of a store by id.
func list(ctx context.Context, store *scskit.Store) (map[string]driver.Record, error) {
	records := map[string]driver.Record{}
	for rec, err := range store.Range(ctx) {
		if err != nil {
			return nil, err
		}
		records[rec.ID] = rec
	}
	return records, nil
}
