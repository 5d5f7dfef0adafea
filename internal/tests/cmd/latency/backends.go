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

// backend is one way to store sessions.
type backend struct {
	name    string
	kind    testenv.Kind
	local   string // the description of a backend without a server
	durable string // the durability of a private server
	open    opener
}

// opener opens a store, and returns a function that closes its client. name is unique, for a table,
// a prefix or a file.
type opener func(ctx context.Context, url, name string) (*scskit.Store, func(), error)

func backends(dir string) []backend {
	return []backend{
		{
			name: "memory", local: "in the process", durable: "keeps nothing",
			open: openMemory,
		}, {
			name: "SQLite", local: "modernc.org/sqlite", durable: "WAL, synchronous=FULL",
			open: openSQLite(dir),
		}, {
			name: "Redis", kind: testenv.KindRedis, durable: "appendfsync always",
			open: openRedis,
		}, {
			name: "Redis Cluster", kind: testenv.KindRedisCluster, durable: "appendfsync always",
			open: openRedisCluster,
		}, {
			name: "PostgreSQL", kind: testenv.KindPostgres, durable: "fsync, synchronous_commit on",
			open: openSQL("pgx", sqlstore.PostgreSQL()),
		}, {
			name: "MariaDB", kind: testenv.KindMySQL, durable: "innodb_flush_log_at_trx_commit=1",
			open: openSQL("mysql", sqlstore.MySQL()),
		}, {
			name: "MongoDB protocol", kind: testenv.KindMongo, durable: "with its own defaults",
			open: openMongo,
		}, {
			name: "DynamoDB protocol", kind: testenv.KindDynamoDB,
			durable: "with its own defaults, on disk",
			open:    openDynamoDB,
		},
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

func openSQLite(dir string) opener {
	const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	open := openSQL("sqlite", sqlstore.SQLite())
	return func(ctx context.Context, _, name string) (*scskit.Store, func(), error) {
		return open(ctx, "file:"+filepath.Join(dir, name)+pragmas, name)
	}
}

func openSQL(driver string, dialect sqlstore.Dialect) opener {
	return func(_ context.Context, dsn, table string) (*scskit.Store, func(), error) {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return nil, nil, err
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		s, err := sqlstore.New(db, dialect, &sqlstore.Options{Table: table})
		return s, func() { _ = db.Close() }, err
	}
}

func openRedis(_ context.Context, addr, name string) (*scskit.Store, func(), error) {
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	s, err := redisstore.New(c, &redisstore.Options{Prefix: name + ":"})
	return s, func() { _ = c.Close() }, err
}

func openRedisCluster(_ context.Context, addrs, name string) (*scskit.Store, func(), error) {
	c := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(addrs, ","), ContextTimeoutEnabled: true,
	})
	s, err := redisstore.New(c, &redisstore.Options{Prefix: name + ":"})
	return s, func() { _ = c.Close() }, err
}

func openMongo(ctx context.Context, uri, name string) (*scskit.Store, func(), error) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, nil, err
	}
	s, err := mongostore.New(c.Database("latency").Collection(name), nil)
	return s, func() { _ = c.Disconnect(ctx) }, err
}

func openDynamoDB(_ context.Context, endpoint, name string) (*scskit.Store, func(), error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	login := credentials.NewStaticCredentialsProvider("local", "local", "")
	c := dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials:  aws.NewCredentialsCache(login),
		HTTPClient:   &http.Client{Transport: transport},
	})
	s, err := dynamostore.New(c, &dynamostore.Options{Table: name})
	return s, transport.CloseIdleConnections, err
}
