package matrix_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// patience is the timeout of clients. Package conformance says why it must be long.
const patience = time.Minute

// backends returns this project's stores on real servers.
func backends(t *testing.T) []conformance.Store {
	t.Helper()
	dir := t.TempDir()
	list := []conformance.Store{
		{Name: "memory", New: newMemory},
		backend(t, "sqlite", func(testing.TB) string { return dir }, openSQLite),
		{Name: "cookie", New: newCookie, Exempt: cookieExemptions},
	}
	for _, kind := range []testenv.Kind{
		testenv.KindRedis, testenv.KindRedisCluster, testenv.KindPostgres, testenv.KindPostgres18,
		testenv.KindMySQL, testenv.KindMongo, testenv.KindDynamoDB,
	} {
		if testenv.Skipped(kind.String()) {
			t.Logf("skipping %s: SCSKIT_SKIP_BACKENDS names it", kind)
			continue
		}
		list = append(list, onServer(t, kind))
	}
	return list
}

// onServer returns the store on the server of a kind.
func onServer(t *testing.T, kind testenv.Kind) conformance.Store {
	t.Helper()
	switch kind {
	case testenv.KindRedis:
		return backend(t, "redis", func(tb testing.TB) redis.UniversalClient {
			return closed(tb, redis.NewClient(&redis.Options{
				Addr: testenv.Redis(tb), ContextTimeoutEnabled: true,
				ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
			}))
		}, openRedis)
	case testenv.KindRedisCluster:
		return backend(t, "redis-cluster", func(tb testing.TB) redis.UniversalClient {
			return closed(tb, redis.NewClusterClient(&redis.ClusterOptions{
				Addrs:       testenv.RedisCluster(tb),
				ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
			}))
		}, openRedis)
	case testenv.KindPostgres:
		return onPostgres(t, "postgresql", kind, "")
	case testenv.KindPostgres18:
		return onPostgres(t, "postgresql-18", kind, "")
	case testenv.KindMySQL:
		name := "mysql"
		if server, err := testenv.Find(kind); err == nil && strings.Contains(server.Version, "MariaDB") {
			name = "mariadb"
		}
		return backend(t, name, func(tb testing.TB) *sql.DB {
			return connectSQL(tb, "mysql", testenv.MySQL(tb))
		}, openSQL(sqlstore.MySQL()))
	case testenv.KindMongo:
		return withTTL(backend(t, "mongodb", connectMongo, openMongo))
	case testenv.KindDynamoDB:
		return withTTL(backend(t, "dynamodb", connectDynamoDB, openDynamoDB))
	}
	t.Fatalf("no store for a server of kind %v", kind)
	return conformance.Store{}
}

// onPostgres returns the store on a PostgreSQL, with an additional parameter in the DSN.
func onPostgres(t *testing.T, name string, kind testenv.Kind, parameter string) conformance.Store {
	t.Helper()
	return backend(t, name, func(tb testing.TB) *sql.DB {
		dsn := testenv.URL(tb, kind)
		if parameter != "" {
			mark := "?"
			if strings.Contains(dsn, mark) {
				mark = "&"
			}
			dsn += mark + parameter
		}
		return connectSQL(tb, "pgx", dsn)
	}, openSQL(sqlstore.PostgreSQL()))
}

// backend returns a store whose instances share one client. Each instance has its own prefix,
// table, collection or file, named by testenv.Name. Reopen opens the same one with a second client,
// as a second process would.
func backend[C any](
	t *testing.T, name string, connect func(testing.TB) C,
	open func(tb testing.TB, client C, name string) (*scskit.Store, error),
) conformance.Store {
	t.Helper()
	shared := connect(t)
	var names sync.Map // by store
	openNamed := func(tb testing.TB, client C, name string) *scskit.Store {
		s, err := open(tb, client, name)
		if err != nil {
			tb.Fatal(err)
		}
		names.Store(s, name)
		tb.Cleanup(func() { names.Delete(s) })
		return s
	}
	return conformance.Store{
		Name: name,
		New: func(tb testing.TB) scs.Store {
			s := openNamed(tb, shared, testenv.Name(tb))
			if err := s.CreateSchema(tb.Context()); err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() {
				if err := s.DropSchema(context.Background()); err != nil {
					tb.Error(err)
				}
			})
			return s
		},
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			name, _ := names.Load(s)
			return openNamed(tb, connect(tb), name.(string))
		},
	}
}

// withTTL declares that the server removes expired records itself.
func withTTL(s conformance.Store) conformance.Store {
	s.RemovesExpired = true
	return s
}

// closed closes the client at the end of the test.
func closed[C io.Closer](tb testing.TB, client C) C {
	tb.Helper()
	tb.Cleanup(func() {
		if err := client.Close(); err != nil {
			tb.Error(err)
		}
	})
	return client
}

func newMemory(tb testing.TB) scs.Store {
	tb.Helper()
	s, err := memstore.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// cookieKey is the same in every run, since the stores of a pair may be opened again.
var cookieKey = sha256.Sum256([]byte("a key for tests"))

func newCookie(tb testing.TB) scs.Store {
	tb.Helper()
	s, err := cookiestore.New([][]byte{cookieKey[:]}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func openSQLite(tb testing.TB, dir, name string) (*scskit.Store, error) {
	tb.Helper()
	const pragmas = "?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	db := connectSQL(tb, "sqlite", "file:"+filepath.Join(dir, name)+pragmas)
	return sqlstore.New(db, sqlstore.SQLite(), nil)
}

func connectSQL(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(24)
	db.SetMaxIdleConns(24)
	return closed(tb, db)
}

func openSQL(dialect sqlstore.Dialect) func(testing.TB, *sql.DB, string) (*scskit.Store, error) {
	return func(_ testing.TB, db *sql.DB, name string) (*scskit.Store, error) {
		return sqlstore.New(db, dialect, &sqlstore.Options{Table: name})
	}
}

func openRedis(_ testing.TB, client redis.UniversalClient, name string) (*scskit.Store, error) {
	return redisstore.New(client, &redisstore.Options{Prefix: name + ":"})
}

func connectMongo(tb testing.TB) *mongo.Client {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(testenv.Mongo(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

func openMongo(_ testing.TB, client *mongo.Client, name string) (*scskit.Store, error) {
	return mongostore.New(client.Database("scskit_matrix").Collection(name), nil)
}

func connectDynamoDB(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	endpoint := testenv.DynamoDB(tb)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	tb.Cleanup(transport.CloseIdleConnections)
	login := credentials.NewStaticCredentialsProvider("local", "local", "")
	return dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials:  aws.NewCredentialsCache(login),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

func openDynamoDB(_ testing.TB, client *dynamodb.Client, name string) (*scskit.Store, error) {
	return dynamostore.New(client, &dynamostore.Options{Table: name})
}

// cookieExemptions are the promises that a session in the cookie cannot keep.
var cookieExemptions = func() map[string]string {
	const (
		revoked = "a valid cookie is a session until it expires: there is no record to delete, " +
			"and a copy of the cookie remains valid"
		merged = "each response contains the whole session: there is no record that a request " +
			"could compare before it overwrites the changes of others"
		answer = "the session is in the response: if the client does not get it, it is not saved"
	)
	return map[string]string{
		"pair/destroy":              revoked,
		"pair/destroy-then-put":     revoked,
		"pair/destroy-twice":        revoked,
		"pair/renew":                revoked,
		"pair/renew-beats-old":      revoked,
		"pair/renew-twice":          revoked,
		"pair/renewed-reader":       revoked,
		"pair/renewed-sign-in":      revoked,
		"pair/renewed-writer":       revoked,
		"pair/logout-beats-reader":  revoked,
		"pair/logout-beats-writer":  revoked,
		"pair/logout-beats-renewal": revoked,
		"pair/logout-ends-renewed":  revoked,
		"pair/stale-cookie":         revoked,
		"pair/parallel-keys":        merged,
		"pair/remember-merged":      merged,
		"pair/shared":               merged,
		"pair/client-gone":          answer,
	}
}()
