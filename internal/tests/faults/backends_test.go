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

// backend is a kind of server and how to keep sessions there, with the client's own settings but
// for the dialer, and for time-outs that are shorter than the store's.
type backend struct {
	kind   testenv.Kind
	client string // which client, where there are several
	open   opener
	// lingers says that the client may try an operation again that the store has given up.
	lingers bool
}

// opener returns a store whose client takes its connections from dial. name is its table, or
// whatever it has.
type opener func(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error)

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

// The slowest to start come first.
var backends = []backend{
	{kind: testenv.KindDynamoDB, open: openDynamo},
	{kind: testenv.KindMongo, open: openMongo},
	{kind: testenv.KindRedis, open: openRedis(false), lingers: true},
	{kind: testenv.KindRedis, client: ", a client that keeps deadlines", open: openRedis(true)},
	{kind: testenv.KindRedisCluster, open: openCluster, lingers: true},
	{kind: testenv.KindPostgres, open: openPostgres},
	{kind: testenv.KindMySQL, open: openMySQL},
}

// openRedis has the client keep the deadlines of contexts, or leave that to the store.
func openRedis(deadlines bool) opener {
	return func(tb testing.TB, url, name string, dial dialer,
		opts scskit.Options) (*scskit.Store, error) {
		client := redis.NewClient(&redis.Options{
			Addr: url, Dialer: dial, ContextTimeoutEnabled: deadlines, ReadTimeout: redisTimeout(opts),
		})
		tb.Cleanup(func() { _ = client.Close() })
		return redisstore.New(client, &redisstore.Options{Options: opts, Prefix: name + ":"})
	}
}

// redisTimeout is the client's own, unless the store is to meet a fault and waits longer. With a
// store that waits for good it has to stay: a client that keeps deadlines hears of no other end.
func redisTimeout(opts scskit.Options) time.Duration {
	const own = 3 * time.Second
	if opts.Timeout >= time.Minute {
		return own
	}
	return max(own, opts.Timeout)
}

// openCluster: the client dials the addresses that the nodes announce, so that only its dialer can
// lead it elsewhere.
func openCluster(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(url, ","), Dialer: dial, ReadTimeout: redisTimeout(opts),
	})
	tb.Cleanup(func() { _ = client.Close() })
	return redisstore.New(client, &redisstore.Options{Options: opts, Prefix: name + ":"})
}

func openPostgres(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DialFunc = dial.DialContext
	return openSQL(tb, stdlib.OpenDB(*config), sqlstore.PostgreSQL(), name, opts)
}

func openMySQL(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error) {
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

func openSQL(tb testing.TB, db *sql.DB, dialect sqlstore.Dialect, name string,
	opts scskit.Options) (*scskit.Store, error) {
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	tb.Cleanup(func() { _ = db.Close() })
	return sqlstore.New(db, dialect, &sqlstore.Options{Options: opts, Table: name})
}

func openMongo(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(url).SetDialer(dial))
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return mongostore.New(client.Database("scskit_faults").Collection(name),
		&mongostore.Options{Options: opts})
}

func openDynamo(tb testing.TB, url, name string, dial dialer,
	opts scskit.Options) (*scskit.Store, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = dial
	tb.Cleanup(transport.CloseIdleConnections)
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	return dynamostore.New(client, &dynamostore.Options{Options: opts, Table: name})
}

// shared returns the server that the tests of this process share, and the addresses of its nodes.
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

// direct is the dialer without anything in between.
func direct(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// schema makes what the backend needs, without any fault, and removes it at the end.
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
