// Package docs_test runs the code in docs/backends.md on real servers.
package docs_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func openMemory() (*scskit.Store, error) {
	store, err := memstore.New(&memstore.Options{MaxSessions: 100_000})
	return store, err
}

func openSQLite(file string) (*scskit.Store, error) {
	db, err := sql.Open("sqlite",
		"file:"+file+"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.New(db, sqlstore.SQLite(), nil)
	return store, err
}

func openPostgres(dsn, table string) (*scskit.Store, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	store, err := sqlstore.New(db, sqlstore.PostgreSQL(), &sqlstore.Options{Table: table})
	return store, err
}

func openMySQL(dsn, table string) (*scskit.Store, error) {
	db, err := sql.Open("mysql", dsn+"?innodb_lock_wait_timeout=3")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	store, err := sqlstore.New(db, sqlstore.MySQL(), &sqlstore.Options{Table: table})
	return store, err
}

func openRedis(addr, prefix string) (*scskit.Store, error) {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{addr},
		DialTimeout: 2 * time.Second, ContextTimeoutEnabled: true})
	store, err := redisstore.New(rdb, &redisstore.Options{
		Options: scskit.Options{UserKey: "user"}, // as with any store
		Prefix:  prefix,                          // such as "myapp:"
	})
	return store, err
}

func openMongo(uri, database string) (*scskit.Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(
		5 * time.Second))
	if err != nil {
		return nil, err
	}
	majority := options.Collection().SetWriteConcern(writeconcern.Majority())
	store, err := mongostore.New(client.Database(database).Collection("sessions", majority), nil)
	return store, err
}

func openDynamo(ctx context.Context, table string) (*scskit.Store, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	store, err := dynamostore.New(dynamodb.NewFromConfig(cfg), &dynamostore.Options{Table: table})
	return store, err
}

func openCookie(newKey, oldKey []byte) (*scs.SessionManager, error) {
	store, err := cookiestore.New([][]byte{newKey, oldKey}, nil) // 32 random bytes each
	if err != nil {
		return nil, err
	}
	sessions := scskit.New(store)
	sessions.Lifetime = time.Hour // a copy of the cookie is good for as long
	return sessions, nil
}

// prepare is in backends.md for the backends that have a schema.
func prepare(ctx context.Context, store *scskit.Store) (stop func(), err error) {
	if err := store.CreateSchema(ctx); err != nil { // nil if everything is there
		return nil, err
	}
	stop = store.StartSweep(time.Hour) // not where the backend removes what has expired
	return stop, nil
}

func TestBackends(t *testing.T) {
	backends := map[string]func(t *testing.T) (*scskit.Store, error){
		"memory": func(*testing.T) (*scskit.Store, error) { return openMemory() },
		"sqlite": func(t *testing.T) (*scskit.Store, error) {
			return openSQLite(filepath.Join(t.TempDir(), "s.db"))
		},
		"postgres": func(t *testing.T) (*scskit.Store, error) {
			return openPostgres(testenv.Postgres(t), testenv.Name(t))
		},
		"mysql": func(t *testing.T) (*scskit.Store, error) {
			return openMySQL(testenv.MySQL(t), testenv.Name(t))
		},
		"redis": func(t *testing.T) (*scskit.Store, error) {
			return openRedis(testenv.Redis(t), testenv.Name(t)+":")
		},
		"mongodb": func(t *testing.T) (*scskit.Store, error) {
			return openMongo(testenv.Mongo(t), testenv.Name(t))
		},
		"dynamodb": func(t *testing.T) (*scskit.Store, error) {
			t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", testenv.DynamoDB(t))
			t.Setenv("AWS_REGION", "eu-central-1")
			t.Setenv("AWS_ACCESS_KEY_ID", "local")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
			return openDynamo(t.Context(), testenv.Name(t))
		},
	}
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			store, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			stop, err := prepare(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			defer func() {
				if err := store.DropSchema(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			signInAndOut(t, scskit.New(store))
		})
	}
}

func signInAndOut(t *testing.T, sessions *scs.SessionManager) {
	t.Helper()
	ctx, err := sessions.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	sessions.Put(ctx, "user", "ada")
	token, _, err := sessions.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ada", ""} {
		ctx, err := sessions.Load(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if got := sessions.GetString(ctx, "user"); got != want {
			t.Errorf("user %q, want %q", got, want)
		}
		if err := sessions.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCookie(t *testing.T) {
	keys := make([][]byte, 2)
	for i := range keys {
		keys[i] = make([]byte, 32)
		_, _ = rand.Read(keys[i])
	}
	sessions, err := openCookie(keys[0], keys[1])
	if err != nil || sessions.Lifetime != time.Hour {
		t.Errorf("%+v, %v", sessions, err)
	}
}

// TestSchemas checks that backends.md contains the DDL that CreateSchema executes.
func TestSchemas(t *testing.T) {
	text, err := os.ReadFile("../../../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		"sqlstore/testdata/postgresql.sql",
		"sqlstore/testdata/mysql.sql",
		"sqlstore/testdata/sqlite.sql",
		"mongostore/testdata/schema_users.js",
	} {
		ddl, err := os.ReadFile(filepath.Join("..", "..", "..", "stores", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), strings.TrimSpace(string(ddl))) {
			t.Errorf("backends.md does not contain %s", file)
		}
	}
}
