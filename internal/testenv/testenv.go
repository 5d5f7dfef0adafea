// Package testenv finds or starts the real servers that the tests use.
//
// A server named in the environment is used as it is:
//
//	SCSKIT_TEST_REDIS          host:port
//	SCSKIT_TEST_REDIS_CLUSTER  host:port,host:port,…
//	SCSKIT_TEST_POSTGRES       a DSN for pgx, e.g. postgres://user:pw@host:5432/db
//	SCSKIT_TEST_MYSQL          a DSN for go-sql-driver/mysql, e.g. root:pw@tcp(host:3306)/db
//	SCSKIT_TEST_MONGODB        a mongodb:// URI
//	SCSKIT_TEST_DYNAMODB       an endpoint, e.g. http://host:8000 of DynamoDB Local
//	SCSKIT_TEST_POSTGRES18     a DSN of a PostgreSQL of another version
//	SCSKIT_TEST_PGBOUNCER      a DSN of a PostgreSQL behind a pooler in transaction mode
//	SCSKIT_TEST_REDIS_TLS      a URL as stores.Open takes it, of a server that wants TLS and a
//	SCSKIT_TEST_POSTGRES_TLS   password; it names the file of the authority
//	SCSKIT_TEST_MYSQL_TLS
//
// Otherwise a private server is started from the programs on this machine (scripts/install-backends
// installs them), on a free port of 127.0.0.1 with a data directory of its own: once per process,
// at the first call. It is stopped at the end of [Main], and does not outlive the process on Linux,
// whatever ends it. No other server is ever touched.
//
// A server that is missing fails the test with an error that names the fix, unless
// SCSKIT_SKIP_BACKENDS, a comma separated list of names (redis, redis-cluster, postgres, mysql,
// mongodb, dynamodb, postgres18, pgbouncer, redis-tls, postgres-tls, mysql-tls, toxiproxy), names
// it: then the test is skipped.
//
// Servers are shared by all tests of a package and, under make test, by the packages of the module,
// which run at the same time: every test must keep to prefixes, tables and collections of its own,
// named by [Name], and must never flush, drop or count what is not its own. A test that wants to
// stop or kill its server takes a private one with [Start]; one that wants a bad network puts a
// [Proxy] in front ([NewProxy]).
package testenv

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Main runs a package's tests and then stops every server that they started; it also does so before
// an interrupt or SIGTERM ends the process. It returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
func Main(m *testing.M) int {
	closeOnSignal()
	defer Close()
	return m.Run()
}

// Redis returns the address of a Redis server, host:port. The private one appends every write to
// its file and syncs it before it answers.
func Redis(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindRedis).URL
}

// RedisCluster returns the addresses of the nodes of a Redis Cluster; the private one has three
// masters and no replicas.
func RedisCluster(tb testing.TB) []string {
	tb.Helper()
	return strings.Split(need(tb, KindRedisCluster).URL, ",")
}

// Postgres returns a DSN that pgx and its database/sql driver take.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindPostgres).URL
}

// MySQL returns a DSN for go-sql-driver/mysql, without parameters. The private server is a MariaDB.
func MySQL(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindMySQL).URL
}

// Mongo returns a mongodb:// URI without a database. The private server is a FerretDB 1.24 on
// SQLite: it answers NotImplemented to TTL indexes and transactions.
func Mongo(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindMongo).URL
}

// DynamoDB returns an endpoint URL. Any region and any credentials will do; all see the same
// tables. The private server is dynalite: it adds no index to a table that exists, and its answers
// to BatchGetItem hold about 1 MB.
func DynamoDB(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindDynamoDB).URL
}

// URL returns what clients of a kind of server take, see the package documentation.
func URL(tb testing.TB, kind Kind) string {
	tb.Helper()
	return need(tb, kind).URL
}

// Name returns an identifier that no other test or run uses, fit for a table, a collection, a
// database or a key prefix: a lower-case letter, then lower-case letters, digits and underscores,
// 32 characters at most.
func Name(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("t_")
	for _, r := range strings.ToLower(strings.TrimPrefix(tb.Name(), "Test")) {
		switch {
		case b.Len() == 19:
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '/', r == '_':
			b.WriteByte('_')
		}
	}
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails, by its contract
	return b.String() + "_" + hex.EncodeToString(random[:])
}

// need returns the shared server of a kind, and ends the test without one.
func need(tb testing.TB, kind Kind) Backend {
	tb.Helper()
	skip(tb, kind.String())
	backend, err := Find(kind)
	if err != nil {
		tb.Fatal(err)
	}
	reports[kind].Do(func() { fmt.Fprintln(os.Stderr, "testenv:", backend) })
	return backend
}

// reports has each server that the tests use told once.
var reports [numKinds]sync.Once

// skip skips the test if SCSKIT_SKIP_BACKENDS names what it needs.
func skip(tb testing.TB, name string) {
	tb.Helper()
	if Skipped(name) {
		tb.Skipf("testenv: %s is named in SCSKIT_SKIP_BACKENDS", name)
	}
}

// Skipped reports whether SCSKIT_SKIP_BACKENDS names the server.
func Skipped(name string) bool {
	names := strings.Split(os.Getenv("SCSKIT_SKIP_BACKENDS"), ",")
	return slices.ContainsFunc(names, func(s string) bool { return strings.TrimSpace(s) == name })
}
