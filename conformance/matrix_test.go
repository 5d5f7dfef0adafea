package conformance_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"
	scsmemstore "github.com/alexedwards/scs/v2/memstore"
	_ "modernc.org/sqlite"

	scschi "github.com/scskit/scskit/adapters/chi"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	scsgin "github.com/scskit/scskit/adapters/gin"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/harness"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// TestMatrix runs every check on every pair of this project's adapters and stores.
func TestMatrix(t *testing.T) {
	conformance.TestMatrix(t,
		[]conformance.Adapter{
			harness.NetHTTP(scshttp.LoadAndSave),
			harness.Chi(scschi.LoadAndSave),
			harness.Gin(scsgin.LoadAndSave),
			harness.Echo(scsecho.LoadAndSave),
			harness.Fiber(scsfiber.LoadAndSave),
		},
		[]conformance.Store{
			{Name: "memstore", New: newMemstore},
			{Name: "sqlite", New: newSQLite, Reopen: reopenSQLite},
		})
}

// TestThirdPartyPair shows what scs's own store keeps of the promises under an adapter, and what it
// takes a *scskit.Store for.
func TestThirdPartyPair(t *testing.T) {
	const (
		overwrites = "it overwrites: scs stores have no version to compare"
		opaque     = "its records cannot be looked at"
	)
	conformance.TestMatrix(t,
		[]conformance.Adapter{harness.NetHTTP(scshttp.LoadAndSave)},
		[]conformance.Store{{
			Name: "scs-memstore",
			New:  func(testing.TB) scs.Store { return scsmemstore.NewWithCleanupInterval(0) },
			Exempt: map[string]string{
				"contract/aliasing-input":  "it keeps the caller's slice: scs itself never writes to it again",
				"contract/aliasing-output": "it returns the slice that it keeps: scs itself only decodes it",
				"all/copies":               "it returns the slices that it keeps: scs itself only decodes them",
				"pair/parallel-keys":       overwrites,
				"pair/logout-beats-reader": overwrites,
				"pair/logout-beats-writer": overwrites,
				"pair/renew-beats-old":     overwrites,
				"pair/renew-twice":         overwrites,
				"pair/corrupt-record":      "it does not know the codec, and the manager takes what it cannot decode for a failure",
				"pair/idle":                opaque,
				"pair/token-secret":        opaque,
			},
		}})
}

func newMemstore(tb testing.TB) scs.Store {
	tb.Helper()
	s, err := memstore.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// sqliteFiles remembers which file a store is in.
var sqliteFiles sync.Map

func newSQLite(tb testing.TB) scs.Store {
	tb.Helper()
	return openSQLite(tb, filepath.Join(tb.TempDir(), "sessions.db"))
}

// reopenSQLite opens the file of s again, as a second process would.
func reopenSQLite(tb testing.TB, s scs.Store) scs.Store {
	tb.Helper()
	path, ok := sqliteFiles.Load(s)
	if !ok {
		tb.Fatal("not a store of newSQLite")
	}
	return openSQLite(tb, path.(string))
}

func openSQLite(tb testing.TB, path string) scs.Store {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := sqlstore.New(db, sqlstore.SQLite(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.CreateSchema(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	sqliteFiles.Store(scs.Store(s), path)
	tb.Cleanup(func() {
		sqliteFiles.Delete(scs.Store(s))
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
