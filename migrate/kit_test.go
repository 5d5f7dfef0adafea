package migrate_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	nethttpharness "github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
	"github.com/scskit/scskit/stores/memstore"
)

func newMemory(tb testing.TB, opts scskit.Options) *scskit.Store {
	tb.Helper()
	store, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func between(tb testing.TB, fresh, old *scskit.Store, rollback bool) *migrate.Pair {
	tb.Helper()
	p, err := migrate.Between(fresh, old, &migrate.BetweenOptions{Rollback: rollback})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// A pair passes the kit like any store.
func TestPairConformance(t *testing.T) {
	t.Parallel()
	store := func(name string, rollback bool) conformance.Store {
		return conformance.Store{Name: name, New: func(tb testing.TB) scs.Store {
			return between(tb, newMemory(tb, scskit.Options{}), newMemory(tb, scskit.Options{}),
				rollback).Store()
		}}
	}
	conformance.TestMatrix(t,
		[]conformance.Adapter{nethttpharness.New(scshttp.LoadAndSave)},
		[]conformance.Store{store("pair", false), store("mirrored", true)})
}

func TestPairDriver(t *testing.T) {
	t.Parallel()
	conformance.TestDriver(t, conformance.Driver{
		Name: "pair",
		New: func(tb testing.TB) driver.Driver {
			return between(tb, newMemory(tb, scskit.Options{}), newMemory(tb, scskit.Options{}),
				false).Store().Driver()
		},
		Exempt: map[string]string{
			"driver/versions": "records at negative versions are those of its moves",
		},
	})
}

// TestBothWaysConformance runs the kit while each operation goes through the pair in one direction
// or the other, so that sessions move to and fro all the time.
func TestBothWaysConformance(t *testing.T) {
	t.Parallel()
	store := func(name string, rollback bool) conformance.Store {
		return conformance.Store{Name: name, New: func(tb testing.TB) scs.Store {
			one, two := newMemory(tb, scskit.Options{}), newMemory(tb, scskit.Options{})
			if countsWrites(tb.Name()) {
				return between(tb, one, two, rollback).Store()
			}
			s, err := scskit.NewStore(&bothWays{
				between(tb, one, two, rollback).Store().Driver(),
				between(tb, two, one, rollback).Store().Driver(),
			}, nil)
			if err != nil {
				tb.Fatal(err)
			}
			return s
		}}
	}
	conformance.TestMatrix(t,
		[]conformance.Adapter{nethttpharness.New(scshttp.LoadAndSave)},
		[]conformance.Store{store("both-ways", false), store("both-ways-mirrored", true)})
}

// countsWrites reports whether a check counts writes, compares versions, or counts the records that
// a sweep removes. Each move is a write, and leaves a record behind.
func countsWrites(check string) bool {
	return slices.ContainsFunc([]string{
		"cleanup/", "data/stays", "expiry/idle-shortened", "expiry/touch-throttled", "faults/",
		"pair/idle", "pair/own-idle", "sealed/", "signin/idle",
	}, func(part string) bool { return strings.Contains(check, "/"+part) })
}

// bothWays is a driver over the pair in both directions.
type bothWays struct{ one, two driver.Driver }

func (b *bothWays) either() driver.Driver {
	if rand.IntN(2) == 0 {
		return b.one
	}
	return b.two
}

// as returns the pair in either direction as an optional interface.
func as[T any](b *bothWays) T {
	t, _ := driver.As[T](b.either())
	return t
}

func (b *bothWays) Load(ctx context.Context, id string) (driver.Record, error) {
	return b.either().Load(ctx, id)
}

func (b *bothWays) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if cond.Absent() { // see Between
		return b.one.Save(ctx, rec, cond)
	}
	return b.either().Save(ctx, rec, cond)
}

func (b *bothWays) Touch(ctx context.Context, rec driver.Record) error {
	return b.either().Touch(ctx, rec)
}

func (b *bothWays) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return b.either().Delete(ctx, id, cond)
}

func (b *bothWays) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return as[driver.Ranger](b).Range(ctx)
}

func (b *bothWays) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return as[driver.UserIndex](b).RangeUser(ctx, user)
}

func (b *bothWays) Sweep(ctx context.Context, limit int) (int, error) {
	return as[driver.Sweeper](b).Sweep(ctx, limit)
}
