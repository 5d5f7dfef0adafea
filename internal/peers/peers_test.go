// Package peers runs the conformance kit on stores that others have published, in a module of its
// own: users of scskit need none of them. docs/peers.md holds the results.
package peers

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// peer is a store that somebody else has published.
type peer struct {
	module  string // that holds it
	backend string // that it is run on
	needs   []testenv.Kind
	conformance.Store
}

var peers = []peer{memstorePeer, sqlite3storePeer, pgxstorePeer, mysqlstorePeer, mysqlstoreWidePeer,
	goredisstorePeer}

// TestPeers runs every check of a store on every peer, and every check of a pair on each behind the
// adapter for net/http. The document must tell what came of it.
func TestPeers(t *testing.T) {
	var stores []conformance.Store
	for _, p := range peers {
		if slices.ContainsFunc(p.needs,
			func(k testenv.Kind) bool { return testenv.Skipped(k.String()) }) {
			t.Logf("%s is left out: SCSKIT_SKIP_BACKENDS names what it needs", p.Name)
			continue
		}
		stores = append(stores, p.Store)
	}
	report := matrix(t, []conformance.Adapter{harness.New(scshttp.LoadAndSave)}, stores)
	if len(stores) == len(peers) && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		checkDocument(t, report)
	}
}

// matrix is conformance.TestMatrix that returns the report, which it also writes to where the
// caller of the tests wants reports.
func matrix(t *testing.T, adapters []conformance.Adapter,
	stores []conformance.Store) conformance.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	wanted := flag.Lookup("scskit.report").Value
	name := wanted.String()
	if err := wanted.Set(file); err != nil {
		t.Fatal(err)
	}
	conformance.TestMatrix(t, adapters, stores)
	if err := wanted.Set(name); err != nil {
		t.Fatal(err)
	}
	report, err := conformance.ReadReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if name == "" {
		name = os.Getenv("SCSKIT_REPORT")
	}
	if name != "" {
		if err := report.WriteFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return report
}

const (
	overwrites = "a commit overwrites whatever is stored: scs gives a store nothing to compare it with"
	revives    = "a commit makes the record again after Delete has removed it: scs gives a store " +
		"nothing to tell the two apart"
	corrupt = "it stores any bytes, as it should, and the manager takes what it cannot decode " +
		"for a failure"

	nullData = "nil data becomes SQL NULL, which the column refuses; scs's own codec never gives nil"

	// unseen begins the reasons of the checks that need to look into a *scskit.Store.
	unseen = "not to be seen: "
	idle   = unseen + "the check reads the driver's records"
	secret = unseen + "the check reads what a *scskit.Store keeps and tells"
)

// failing adds to what a store fails what all stores do that implement scs.Store and no more.
func failing(own map[string]string) map[string]string {
	all := map[string]string{
		"pair/parallel-keys":        overwrites,
		"pair/logout-beats-reader":  revives,
		"pair/logout-beats-writer":  revives,
		"pair/renew-beats-old":      revives,
		"pair/logout-beats-renewal": revives,
		"pair/remember-merged":      overwrites,
		"pair/corrupt-record":       corrupt,
		"pair/idle":                 idle,
		"pair/token-secret":         secret,
	}
	maps.Copy(all, own)
	return all
}

// again remembers how to open another instance over the backend of a store.
var again sync.Map // of func(testing.TB) scs.Store, by scs.Store

func reopenable(tb testing.TB, s scs.Store, open func(testing.TB) scs.Store) scs.Store {
	tb.Helper()
	again.Store(s, open)
	tb.Cleanup(func() { again.Delete(s) })
	return s
}

// reopen opens the backend of s again, as a second process would.
func reopen(tb testing.TB, s scs.Store) scs.Store {
	tb.Helper()
	open, ok := again.Load(s)
	if !ok {
		tb.Fatal("not a store of reopenable")
	}
	return open.(func(testing.TB) scs.Store)(tb)
}
