// Package peers runs the conformance kit on scs stores published by others. docs/peers.md contains
// the results. It is a separate module, so that programs that use scskit do not require these
// stores.
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

// peer is a store published by others.
type peer struct {
	module  string // the module of the store
	backend string // the database, for the table
	needs   []testenv.Kind
	conformance.Store
}

var peers = []peer{
	memstorePeer,
	sqlite3storePeer,
	pgxstorePeer,
	mysqlstorePeer,
	mysqlstoreWidePeer,
	goredisstorePeer,
}

// TestPeers runs the store checks on every peer, and the pair checks on every peer with the adapter
// for net/http. docs/peers.md must contain the results.
func TestPeers(t *testing.T) {
	skipped := func(k testenv.Kind) bool { return testenv.Skipped(k.String()) }
	var stores []conformance.Store
	for _, p := range peers {
		if slices.ContainsFunc(p.needs, skipped) {
			t.Logf("skipping %s: SCSKIT_SKIP_BACKENDS names its backend", p.Name)
			continue
		}
		stores = append(stores, p.Store)
	}
	report := matrix(t, []conformance.Adapter{harness.New(scshttp.LoadAndSave)}, stores)
	if len(stores) == len(peers) && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		checkDocument(t, report)
	}
}

// matrix runs conformance.TestMatrix and returns the report. It also writes the report to the file
// that -scskit.report or SCSKIT_REPORT names, as TestMatrix does.
func matrix(
	t *testing.T, adapters []conformance.Adapter, stores []conformance.Store,
) conformance.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	reportFlag := flag.Lookup("scskit.report").Value
	name := reportFlag.String()
	if err := reportFlag.Set(file); err != nil {
		t.Fatal(err)
	}
	conformance.TestMatrix(t, adapters, stores)
	if err := reportFlag.Set(name); err != nil {
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
	overwrites = "a commit overwrites any record: an scs.Store gets no version to compare"
	revives    = "a commit creates the record again after Delete has removed it: " +
		"an scs.Store cannot tell an update from a new session"
	corrupt = "it stores any bytes, as it should, and the manager returns an error " +
		"for bytes that it cannot decode"

	nullData = "nil data becomes SQL NULL, which the column refuses; scs's codec never returns nil"

	// unseen starts the reasons for the checks that need a *scskit.Store.
	unseen = "cannot be checked: "
	idle   = unseen + "the check reads the driver's records"
	secret = unseen + "the check reads the records and events of a *scskit.Store"
)

// failing adds the checks that every plain scs.Store fails to those that a store itself fails.
func failing(own map[string]string) map[string]string {
	all := map[string]string{
		"pair/parallel-keys":        overwrites,
		"pair/logout-beats-reader":  revives,
		"pair/logout-beats-writer":  revives,
		"pair/renew-beats-old":      revives,
		"pair/logout-beats-renewal": revives,
		"pair/logout-ends-renewed":  revives,
		"pair/remember-merged":      overwrites,
		"pair/corrupt-record":       corrupt,
		"pair/idle":                 idle,
		"pair/token-secret":         secret,
	}
	maps.Copy(all, own)
	return all
}

// again maps each scs.Store to a func(testing.TB) scs.Store that opens its backend once more.
var again sync.Map

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
		tb.Fatal("reopen: the store was not registered with reopenable")
	}
	return open.(func(testing.TB) scs.Store)(tb)
}
