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
	mongooptions "go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// connections is how many connections fill a backend, and redisConnections how many fill Redis,
// which writes what it gets from all of them to disk at once.
const (
	connections      = 32
	redisConnections = 128
)

// backend is one way to store sessions.
type backend struct {
	name  string
	kind  testenv.Kind
	local string // the description of a backend without a server
	open  func(ctx context.Context, url, name string) (*opened, error)

	// settings are statements for a private server, whose default is too small for many rows.
	settings []string
}

// opened is a store and what belongs to it.
type opened struct {
	store *scskit.Store
	close func()
	fill  filler
	db    *sql.DB // of a SQL database
}

// filler stores the sessions with the numbers from to to-1.
type filler func(ctx context.Context, from, to int) error

// options are those of every store.
var options = scskit.Options{UserKey: "user", Timeout: time.Minute}

func backends(dir string) []backend {
	return []backend{
		{name: "memory", local: "in the process", open: openMemory},
		{name: "SQLite", local: "modernc.org/sqlite", open: openSQLite(dir)},
		{name: "PostgreSQL", kind: testenv.KindPostgres, open: openSQL("pgx", sqlstore.PostgreSQL())},
		{name: "MariaDB", kind: testenv.KindMySQL, open: openSQL("mysql", sqlstore.MySQL()),
			settings: []string{
				"SET GLOBAL innodb_log_file_size = 1 << 30",
				"SET GLOBAL innodb_buffer_pool_size = 1 << 30",
			}},
		{name: "Redis", kind: testenv.KindRedis, open: openRedis},
		{name: "MongoDB", kind: testenv.KindMongo, open: openMongo},
		{name: "DynamoDB", kind: testenv.KindDynamoDB, open: openDynamoDB},
	}
}

func (b *backend) skipped() bool { return b.local == "" && testenv.Skipped(b.kind.String()) }

// filled returns a store that is filled by saves on n connections.
func filled(store *scskit.Store, err error, n int, closeClient func()) (*opened, error) {
	if err != nil {
		return nil, err
	}
	return &opened{store: store, close: closeClient, fill: saves(store.Driver(), n)}, nil
}

func openMemory(context.Context, string, string) (*opened, error) {
	s, err := memstore.New(&memstore.Options{Options: options})
	return filled(s, err, connections, func() {})
}

func openSQLite(dir string) func(context.Context, string, string) (*opened, error) {
	const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	open := openSQL("sqlite", sqlstore.SQLite())
	return func(ctx context.Context, _, name string) (*opened, error) {
		return open(ctx, "file:"+filepath.Join(dir, name)+pragmas, name)
	}
}

func openSQL(driver string, dialect sqlstore.Dialect,
) func(context.Context, string, string) (*opened, error) {
	return func(_ context.Context, dsn, table string) (*opened, error) {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return nil, err
		}
		s, err := sqlstore.New(db, dialect, &sqlstore.Options{Options: options, Table: table})
		if err != nil {
			return nil, err
		}
		return &opened{
			store: s, close: func() { _ = db.Close() }, fill: inserts(db, driver, table), db: db,
		}, nil
	}
}

// inserts returns a filler that inserts many rows at a time, in one transaction.
func inserts(db *sql.DB, driver, table string) filler {
	const rowsPerStatement = 250
	return func(ctx context.Context, from, to int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		for from < to {
			var places []string
			var args []any
			for end := min(to, from+rowsPerStatement); from < end; from++ {
				rec, err := record(from)
				if err != nil {
					return err
				}
				row := []any{[]byte(rec.ID), rec.Version, rec.Expiry.UnixMicro(), rec.Created.UnixMicro(),
					rec.Updated.UnixMicro(), rec.Seen.UnixMicro(), []byte(rec.User), rec.Data}
				place := strings.Repeat(", ?", len(row))
				if driver == "pgx" {
					place = ""
					for i := range row {
						place += fmt.Sprintf(", $%d", len(args)+i+1)
					}
				}
				places = append(places, "("+place[2:]+")")
				args = append(args, row...)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO "+table+
				" (id, version, expiry, created, updated, seen, user_hash, data) VALUES "+
				strings.Join(places, ", "), args...); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
}

func openRedis(_ context.Context, addr, name string) (*opened, error) {
	c := redis.NewClient(&redis.Options{
		Addr: addr, ContextTimeoutEnabled: true, PoolSize: redisConnections,
	})
	s, err := redisstore.New(c, &redisstore.Options{Options: options, Prefix: name + ":"})
	return filled(s, err, redisConnections, func() { _ = c.Close() })
}

func openMongo(ctx context.Context, uri, name string) (*opened, error) {
	c, err := mongo.Connect(mongooptions.Client().ApplyURI(uri))
	if err != nil {
		return nil, err
	}
	s, err := mongostore.New(c.Database("users").Collection(name),
		&mongostore.Options{Options: options})
	return filled(s, err, connections, func() { _ = c.Disconnect(ctx) })
}

func openDynamoDB(_ context.Context, endpoint, name string) (*opened, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	login := credentials.NewStaticCredentialsProvider("local", "local", "")
	c := dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials:  aws.NewCredentialsCache(login),
		HTTPClient:   &http.Client{Transport: transport},
	})
	s, err := dynamostore.New(c, &dynamostore.Options{Options: options, Table: name})
	return filled(s, err, connections, transport.CloseIdleConnections)
}
