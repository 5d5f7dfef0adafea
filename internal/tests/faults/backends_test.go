package faults_test

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// backend is a kind of server, and a client with its default settings, except for the dialer and
// for timeouts that are shorter than the store's.
type backend struct {
	kind   testenv.Kind
	client string // tells several clients for the same kind apart
	open   opener
	// lingers reports whether the client may retry an operation after the store has timed out.
	lingers bool
}

// opener returns a store whose client opens its connections with dial. name is the table,
// collection or prefix.
type opener func(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error)

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

// The servers with the slowest start are first.
var backends = []backend{
	{kind: testenv.KindDynamoDB, open: openDynamo},
	{kind: testenv.KindMongo, open: openMongo},
	{kind: testenv.KindRedis, open: openRedis(false), lingers: true},
	{kind: testenv.KindRedis, client: ", ContextTimeoutEnabled", open: openRedis(true)},
	{kind: testenv.KindRedisCluster, open: openCluster, lingers: true},
	{kind: testenv.KindPostgres, open: openPostgres},
	{kind: testenv.KindMySQL, open: openMySQL},
}

// openRedis sets ContextTimeoutEnabled to deadlines. Without it, only the store enforces deadlines.
func openRedis(deadlines bool) opener {
	return func(
		tb testing.TB, url, name string, dial dialer, opts scskit.Options,
	) (*scskit.Store, error) {
		client := redis.NewClient(&redis.Options{
			Addr: url, Dialer: dial,
			ContextTimeoutEnabled: deadlines, ReadTimeout: redisTimeout(opts),
		})
		tb.Cleanup(func() { _ = client.Close() })
		return redisstore.New(client, &redisstore.Options{Options: opts, Prefix: name + ":"})
	}
}

// redisTimeout returns the ReadTimeout for the client: at least the store's timeout, so that the
// store notices a fault first. If the store's timeout is a minute or more, it returns the client's
// default, which ends operations that hang.
func redisTimeout(opts scskit.Options) time.Duration {
	const byDefault = 3 * time.Second
	if opts.Timeout >= time.Minute {
		return byDefault
	}
	return max(byDefault, opts.Timeout)
}

// The client of a cluster dials the addresses that the nodes announce. Only its dialer can redirect
// it to a proxy.
func openCluster(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(url, ","), Dialer: dial, ReadTimeout: redisTimeout(opts),
	})
	tb.Cleanup(func() { _ = client.Close() })
	return redisstore.New(client, &redisstore.Options{Options: opts, Prefix: name + ":"})
}

func openPostgres(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DialFunc = dial.DialContext
	return openSQL(tb, stdlib.OpenDB(*config), sqlstore.PostgreSQL(), name, opts)
}

func openMySQL(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error) {
	config, err := mysql.ParseDSN(url)
	if err != nil {
		return nil, err
	}
	config.DialFunc = dial
	config.Logger = &mysql.NopLogger{} // it logs each connection that fails
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return openSQL(tb, sql.OpenDB(connector), sqlstore.MySQL(), name, opts)
}

func openSQL(
	tb testing.TB, db *sql.DB, dialect sqlstore.Dialect, name string, opts scskit.Options,
) (*scskit.Store, error) {
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	tb.Cleanup(func() { _ = db.Close() })
	return sqlstore.New(db, dialect, &sqlstore.Options{Options: opts, Table: name})
}

func openMongo(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(url).SetDialer(dial))
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	collection := client.Database("scskit_faults").Collection(name)
	return mongostore.New(collection, &mongostore.Options{Options: opts})
}

func openDynamo(
	tb testing.TB, url, name string, dial dialer, opts scskit.Options,
) (*scskit.Store, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = dial
	tb.Cleanup(transport.CloseIdleConnections)
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	return dynamostore.New(client, &dynamostore.Options{Options: opts, Table: name})
}

// shared returns the URL and the nodes' addresses of the server that all tests of the package
// share.
func (b backend) shared(tb testing.TB) (url string, addrs []string) {
	tb.Helper()
	if testenv.Skipped(b.kind.String()) {
		tb.Skipf("%s is named in SCSKIT_SKIP_BACKENDS", b.kind)
	}
	found, err := testenv.Find(b.kind)
	if err != nil {
		tb.Fatal(err)
	}
	return found.URL, strings.Split(found.Addr, ",")
}

// direct dials without a proxy.
func direct(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// schema creates the schema over a direct connection, and drops it when the test ends.
func (b backend) schema(tb testing.TB, url, name string) {
	tb.Helper()
	store, err := b.open(tb, url, name, direct, scskit.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := store.CreateSchema(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.DropSchema(context.Background()); err != nil {
			tb.Error(err)
		}
	})
}
