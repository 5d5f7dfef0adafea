package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate"
)

// The functions in this file are in docs/moving-backends.md.

func tryMove(ctx context.Context, from, to *scskit.Store) error {
	report, err := migrate.Copy(ctx, from, to, &migrate.Options{DryRun: true})
	log.Println(report)
	return err
}

func firstCopy(ctx context.Context, from, to *scskit.Store, file string) error {
	report, err := migrate.Copy(ctx, from, to, &migrate.Options{
		Checkpoint: migrate.File(file), // such as "move.json"
		Rate:       2000,               // sessions per second, so that users notice nothing
		Count:      true,
		Progress: func(p migrate.Progress) {
			log.Printf("%d of %d, %.0f/s, %v left", p.Report.Done(), p.Total, p.Rate, p.Remaining)
		},
	})
	log.Println(report)
	var partial *migrate.PartialError
	if errors.As(err, &partial) {
		for _, problem := range partial.Report.Problems {
			log.Println(problem.ID, problem.Err)
		}
		return nil
	}
	return err
}

func lastCopy(ctx context.Context, from, to *scskit.Store, file string) error {
	report, err := migrate.Copy(ctx, from, to, &migrate.Options{
		Checkpoint: migrate.File(file), // the same
		Prune:      true,
	})
	log.Println(report)
	if err != nil {
		return err
	}
	result, err := migrate.Compare(ctx, from, to)
	if err != nil {
		return err
	}
	if !result.Equal() {
		return fmt.Errorf("%d sessions are missing, %d differ, %d are too many: %v",
			result.Missing, result.Different, result.Extra, result.Differences)
	}
	return nil
}

func firstDeployment(old, fresh *scskit.Store) (*scskit.Store, error) {
	pair, err := migrate.Between(old, fresh, nil)
	if err != nil {
		return nil, err
	}
	return pair.Store(), nil
}

func secondDeployment(old, fresh *scskit.Store) (*scskit.Store, error) {
	pair, err := migrate.Between(fresh, old, nil)
	if err != nil {
		return nil, err
	}
	return pair.Store(), nil
}

func moveRest(ctx context.Context, pair *migrate.Pair, wait time.Duration) error {
	report, err := pair.Move(ctx, &migrate.Options{
		Rate:  2000, // sessions per second, so that users notice nothing
		Count: true,
		Progress: func(p migrate.Progress) {
			log.Printf("%d of %d, %.0f/s, %v left", p.Report.Done(), p.Total, p.Rate, p.Remaining)
		},
	})
	log.Println(report)
	if err != nil {
		return err
	}
	time.Sleep(wait) // such as a minute
	done, err := pair.Done(ctx)
	if err != nil {
		return err
	}
	if !done {
		return errors.New("a process without the pair still uses the old backend")
	}
	return nil
}

func withRollback(old, fresh *scskit.Store) (*migrate.Pair, error) {
	pair, err := migrate.Between(fresh, old, &migrate.BetweenOptions{Rollback: true})
	return pair, err
}

func fromSCS(ctx context.Context, old *scs.SessionManager, to *scskit.Store) error {
	from, err := migrate.FromSCS(old.Store, &migrate.SCSOptions{
		Hashed:      old.HashTokenInStore,
		Lifetime:    old.Lifetime,
		IdleTimeout: old.IdleTimeout,
	})
	if err != nil {
		return err
	}
	report, err := migrate.Copy(ctx, from, to, nil)
	log.Println(report)
	return err
}

func TestMoving(t *testing.T) {
	from, err := openRedis(testenv.Redis(t), testenv.Name(t)+":")
	if err != nil {
		t.Fatal(err)
	}
	to, err := openPostgres(testenv.Postgres(t), testenv.Name(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := to.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.DropSchema(context.Background()) })
	put := func(sm *scs.SessionManager, token string, n int) string {
		ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(ctx, "n", n)
		token, _, err = sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	get := func(token string) int {
		sm := scskit.New(to)
		ctx, err := sm.Load(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return sm.GetInt(ctx, "n")
	}
	token := put(scskit.New(from), "", 1)
	put(scskit.New(from), "", 2)
	file := filepath.Join(t.TempDir(), "move.json")
	if err := tryMove(t.Context(), from, to); err != nil {
		t.Error(err)
	}
	if err := firstCopy(t.Context(), from, to, file); err != nil {
		t.Error(err)
	}
	time.Sleep(5 * time.Millisecond)
	put(scskit.New(from), token, 3)
	if err := lastCopy(t.Context(), from, to, file); err != nil {
		t.Error(err)
	}
	if n := get(token); n != 3 {
		t.Errorf("got %d", n)
	}

	old := scs.New()
	old.Store = scsmem.NewWithCleanupInterval(0)
	token = put(old, "", 4)
	if err := fromSCS(t.Context(), old, to); err != nil {
		t.Error(err)
	}
	if n := get(token); n != 4 {
		t.Errorf("from scs: got %d", n)
	}
}

func TestMovingWithoutDowntime(t *testing.T) {
	old, err := openRedis(testenv.Redis(t), testenv.Name(t)+":")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := openPostgres(testenv.Postgres(t), testenv.Name(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fresh.DropSchema(context.Background()) })
	// count is a request with the store of a deployment.
	count := func(store *scskit.Store, token string) (string, int) {
		sm := scskit.New(store)
		ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
		if err != nil {
			t.Fatal(err)
		}
		n := sm.GetInt(ctx, "n") + 1
		sm.Put(ctx, "n", n)
		token, _, err = sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return token, n
	}
	first, err := firstDeployment(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	second, err := secondDeployment(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := withRollback(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := count(old, "")
	idle, _ := count(old, "")
	for i, store := range []*scskit.Store{old, first, old, second, first, second, pair.Store()} {
		if _, n := count(store, token); n != i+2 {
			t.Fatalf("deployment %d: got %d", i, n)
		}
	}
	if err := moveRest(t.Context(), pair, 0); err != nil {
		t.Error(err)
	}
	for _, store := range []*scskit.Store{fresh, old} {
		if _, n := count(store, idle); n != 2 {
			t.Errorf("got %d", n)
		}
		if _, n := count(store, token); n != 9 {
			t.Errorf("got %d", n)
		}
	}
}
