package matrix_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/alexedwards/scs/v2"
	scsmemstore "github.com/alexedwards/scs/v2/memstore"

	scschi "github.com/scskit/scskit/adapters/chi"
	chiharness "github.com/scskit/scskit/adapters/chi/harness"
	scsecho "github.com/scskit/scskit/adapters/echo"
	echoharness "github.com/scskit/scskit/adapters/echo/harness"
	scsechov5 "github.com/scskit/scskit/adapters/echov5"
	echov5harness "github.com/scskit/scskit/adapters/echov5/harness"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	fiberharness "github.com/scskit/scskit/adapters/fiber/harness"
	scsfiberv3 "github.com/scskit/scskit/adapters/fiberv3"
	fiberv3harness "github.com/scskit/scskit/adapters/fiberv3/harness"
	scsgin "github.com/scskit/scskit/adapters/gin"
	ginharness "github.com/scskit/scskit/adapters/gin/harness"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	nethttpharness "github.com/scskit/scskit/adapters/nethttp/harness"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/leak"
	"github.com/scskit/scskit/internal/testenv"
)

// TestMain fails the run if anything that is printed holds a token that a check has used.
func TestMain(m *testing.M) {
	done, err := leak.Output()
	if err != nil {
		panic(err)
	}
	code := testenv.Main(m)
	if n := done(); n > 0 {
		fmt.Printf("FAIL: %d of %d tokens were printed\n", n, leak.Count())
		code = max(code, 1)
	}
	os.Exit(code)
}

// TestMatrix runs every check on every pair of this project's adapters and stores.
func TestMatrix(t *testing.T) {
	conformance.TestMatrix(t,
		[]conformance.Adapter{
			nethttpharness.New(scshttp.LoadAndSave),
			chiharness.New(scschi.LoadAndSave),
			ginharness.New(scsgin.LoadAndSave),
			echoharness.New(scsecho.LoadAndSave),
			echov5harness.New(scsechov5.LoadAndSave),
			fiberharness.New(scsfiber.LoadAndSave),
			fiberv3harness.New(scsfiberv3.LoadAndSave),
		},
		backends(t))
}

// TestPoolerPair runs the checks through a pooler in transaction mode, which may use a different
// connection for each transaction.
func TestPoolerPair(t *testing.T) {
	conformance.TestMatrix(t,
		[]conformance.Adapter{nethttpharness.New(scshttp.LoadAndSave)},
		[]conformance.Store{
			onPostgres(t, "pgbouncer", testenv.KindPgBouncer, "default_query_exec_mode=exec"),
			onPostgres(t, "pgbouncer-simple", testenv.KindPgBouncer,
				"default_query_exec_mode=simple_protocol"),
		})
}

// TestThirdPartyPair shows which promises scs's own store keeps with an adapter, and which need a
// *scskit.Store.
func TestThirdPartyPair(t *testing.T) {
	const (
		overwrites = "it overwrites any record: an scs.Store gets no version to compare"
		opaque     = "the kit cannot read its records"
	)
	conformance.TestMatrix(t,
		[]conformance.Adapter{nethttpharness.New(scshttp.LoadAndSave)},
		[]conformance.Store{{
			Name: "scs-memstore",
			New:  func(testing.TB) scs.Store { return scsmemstore.NewWithCleanupInterval(0) },
			Exempt: map[string]string{
				"contract/aliasing-input":   "it keeps the caller's slice; scs itself does not modify it",
				"contract/aliasing-output":  "it returns its own slice; scs itself only decodes it",
				"all/copies":                "it returns its own slices; scs itself only decodes them",
				"pair/parallel-keys":        overwrites,
				"pair/remember-merged":      overwrites,
				"pair/logout-beats-reader":  overwrites,
				"pair/logout-beats-writer":  overwrites,
				"pair/logout-beats-renewal": overwrites,
				"pair/logout-ends-renewed":  overwrites,
				"pair/renew-beats-old":      overwrites,
				"pair/corrupt-record": "it stores any bytes, and the manager returns an error " +
					"for bytes that it cannot decode",
				"pair/idle":         opaque,
				"pair/token-secret": opaque,
			},
		}})
}
