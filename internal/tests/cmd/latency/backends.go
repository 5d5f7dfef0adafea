package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

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
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// backend is one place to keep sessions in.
type backend struct {
	name    string
	kind    testenv.Kind
	local   string // what it is, if it needs no server
	durable string // what a private server does before it answers
	open    func(ctx context.Context, url, place string) (*scskit.Store, func(), error)
}

func backends(dir string) []backend {
	return []backend{
		{name: "memory", local: "in the process", durable: "keeps nothing", open: openMemory},
		{name: "SQLite", local: "modernc.org/sqlite", durable: "WAL, synchronous=FULL",
			open: func(_ context.Context, _, place string) (*scskit.Store, func(), error) {
				file := filepath.Join(dir, place)
				return openSQL("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", sqlstore.SQLite(), place)
			}},
		{name: "Redis", kind: testenv.KindRedis, durable: "appendfsync always", open: openRedis},
		{name: "Redis Cluster", kind: testenv.KindRedisCluster, durable: "appendfsync always",
			open: openRedisCluster},
		{name: "PostgreSQL", kind: testenv.KindPostgres, durable: "fsync, synchronous_commit on",
			open: func(_ context.Context, url, place string) (*scskit.Store, func(), error) {
				return openSQL("pgx", url, sqlstore.PostgreSQL(), place)
			}},
		{name: "MariaDB", kind: testenv.KindMySQL, durable: "innodb_flush_log_at_trx_commit=1",
			open: func(_ context.Context, url, place string) (*scskit.Store, func(), error) {
				return openSQL("mysql", url, sqlstore.MySQL(), place)
			}},
		{name: "MongoDB protocol", kind: testenv.KindMongo, durable: "with its own defaults",
			open: openMongo},
		{name: "DynamoDB protocol", kind: testenv.KindDynamoDB, durable: "with its own defaults, on disk",
			open: openDynamoDB},
	}
}

func (b *backend) skipped() bool { return b.local == "" && testenv.Skipped(b.kind.String()) }

// measure measures reads and then writes.
func (b *backend) measure(ctx context.Context, turn time.Duration) (result, error) {
	r := result{name: b.name, server: b.local + ", " + b.durable}
	var url string
	if b.local == "" {
		server, err := testenv.Find(b.kind)
		if err != nil {
			return r, err
		}
		url, r.server = server.URL, server.Version
		if server.Private {
			r.server += ", " + b.durable
		}
	}
	store, closeClient, err := b.open(ctx, url, fmt.Sprintf("latency_%x", time.Now().UnixNano()))
	if err != nil {
		return r, err
	}
	defer closeClient()
	if err := store.CreateSchema(ctx); err != nil {
		return r, err
	}
	defer func() { _ = store.DropSchema(ctx) }()
	r.read, r.write, err = measure(store, turn)
	return r, err
}

func openMemory(context.Context, string, string) (*scskit.Store, func(), error) {
	s, err := memstore.New(nil)
	return s, func() {}, err
}

func openSQL(driver, dsn string, dialect sqlstore.Dialect,
	table string) (*scskit.Store, func(), error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s, err := sqlstore.New(db, dialect, &sqlstore.Options{Table: table})
	return s, func() { _ = db.Close() }, err
}

func openRedis(_ context.Context, addr, place string) (*scskit.Store, func(), error) {
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	s, err := redisstore.New(c, &redisstore.Options{Prefix: place + ":"})
	return s, func() { _ = c.Close() }, err
}

func openRedisCluster(_ context.Context, addrs, place string) (*scskit.Store, func(), error) {
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(addrs, ","),
		ContextTimeoutEnabled: true})
	s, err := redisstore.New(c, &redisstore.Options{Prefix: place + ":"})
	return s, func() { _ = c.Close() }, err
}

func openMongo(ctx context.Context, uri, place string) (*scskit.Store, func(), error) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, nil, err
	}
	s, err := mongostore.New(c.Database("latency").Collection(place), nil)
	return s, func() { _ = c.Disconnect(ctx) }, err
}

func openDynamoDB(_ context.Context, endpoint, place string) (*scskit.Store, func(), error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	c := dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("local",
			"local", "")),
		HTTPClient: &http.Client{Transport: transport},
	})
	s, err := dynamostore.New(c, &dynamostore.Options{Table: place})
	return s, transport.CloseIdleConnections, err
}
