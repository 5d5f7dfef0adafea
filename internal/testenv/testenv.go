// Package testenv finds or starts the real servers that the tests use.
//
// The environment can name servers to use:
//
//	SCSKIT_TEST_REDIS          host:port
//	SCSKIT_TEST_REDIS_CLUSTER  host:port,host:port,…
//	SCSKIT_TEST_POSTGRES       a DSN for pgx, e.g. postgres://user:pw@host:5432/db
//	SCSKIT_TEST_MYSQL          a DSN for go-sql-driver/mysql, e.g. root:pw@tcp(host:3306)/db
//	SCSKIT_TEST_MONGODB        a mongodb:// URI
//	SCSKIT_TEST_DYNAMODB       an endpoint, e.g. http://host:8000 of DynamoDB Local
//	SCSKIT_TEST_POSTGRES18     a DSN of a PostgreSQL of another version
//	SCSKIT_TEST_PGBOUNCER      a DSN of a PostgreSQL behind a pooler in transaction mode
//	SCSKIT_TEST_REDIS_TLS      a URL for stores.Open, of a server that requires TLS and a password,
//	SCSKIT_TEST_POSTGRES_TLS   with the parameter that names the file of the certificate authority
//	SCSKIT_TEST_MYSQL_TLS
//
// For all other kinds, the first call in a process starts a private server from the programs on
// this machine, which scripts/install-backends installs. It listens on a free port of 127.0.0.1 and
// has its own data directory. [Main] stops it at the end of the tests. On Linux the kernel ends it
// if the process dies earlier. The package never touches any other server.
//
// A missing program fails the test, and the error says how to install it. SCSKIT_SKIP_BACKENDS
// skips the tests of some servers instead. It is a comma-separated list of these names: redis,
// redis-cluster, postgres, mysql, mongodb, dynamodb, postgres18, pgbouncer, redis-tls,
// postgres-tls, mysql-tls, toxiproxy.
//
// All tests of a package share the servers. Under make test, all packages of a module share them
// and run at the same time. So every test must use its own prefixes, tables and collections, named
// by [Name], and must not flush, drop or count anything else. A test that stops or kills its server
// must take a private one from [Start]. A test that needs network faults uses [NewProxy].
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

// Main runs a package's tests, stops the servers that they started, and returns the exit code. An
// interrupt or SIGTERM also stops the servers before it ends the process. Use it like this:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
func Main(m *testing.M) int {
	closeOnSignal()
	defer Close()
	return m.Run()
}

// Redis returns the address of a Redis server, host:port. The private one syncs every write to disk
// before it acknowledges it.
func Redis(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindRedis).URL
}

// RedisCluster returns the addresses of the nodes of a Redis Cluster. The private one has three
// masters and no replicas.
func RedisCluster(tb testing.TB) []string {
	tb.Helper()
	return strings.Split(need(tb, KindRedisCluster).URL, ",")
}

// Postgres returns a DSN for pgx and its database/sql driver.
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
// SQLite, which answers NotImplemented to TTL indexes and transactions.
func Mongo(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindMongo).URL
}

// DynamoDB returns an endpoint URL. Clients may use any region and any credentials, and all see the
// same tables. The private server is dynalite. It cannot add an index to an existing table, and its
// responses to BatchGetItem hold about 1 MB.
func DynamoDB(tb testing.TB) string {
	tb.Helper()
	return need(tb, KindDynamoDB).URL
}

// URL returns the [Backend.URL] of the shared server of a kind.
func URL(tb testing.TB, kind Kind) string {
	tb.Helper()
	return need(tb, kind).URL
}

// Name returns a unique name for a table, a collection, a database or a key prefix. It starts with
// a lower-case letter, contains only lower-case letters, digits and underscores, and has at most 32
// characters.
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
	_, _ = rand.Read(random[:]) // never returns an error
	return b.String() + "_" + hex.EncodeToString(random[:])
}

// need returns the shared server of a kind. It skips or fails the test if there is none.
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

// reports makes need print each server once.
var reports [numKinds]sync.Once

// skip skips the test if SCSKIT_SKIP_BACKENDS names the server.
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
