package testenv_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // the default logger logs every refused connection to a killed server
	os.Exit(testenv.Main(m))
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// client writes a value to a server and reads it back, over different connections.
type client struct {
	write func(ctx context.Context, url, name, value string) error
	read  func(ctx context.Context, url, name string) (string, error)
}

var clients = map[testenv.Kind]client{
	testenv.KindRedis: {
		write: func(ctx context.Context, url, name, value string) error {
			rdb := redis.NewClient(&redis.Options{Addr: url})
			defer rdb.Close()
			return rdb.Set(ctx, name, value, time.Hour).Err()
		},
		read: func(ctx context.Context, url, name string) (string, error) {
			rdb := redis.NewClient(&redis.Options{Addr: url})
			defer rdb.Close()
			return rdb.Get(ctx, name).Result()
		},
	},
	testenv.KindRedisCluster: {
		write: func(ctx context.Context, url, name, value string) error {
			rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(url, ",")})
			defer rdb.Close()
			// The keys belong to several nodes.
			for _, suffix := range []string{"", "-a", "-b", "-c", "-d", "-e", "-f"} {
				if err := rdb.Set(ctx, name+suffix, value, time.Hour).Err(); err != nil {
					return err
				}
			}
			return nil
		},
		read: func(ctx context.Context, url, name string) (string, error) {
			rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(url, ",")})
			defer rdb.Close()
			return rdb.Get(ctx, name+"-e").Result()
		},
	},
	testenv.KindPostgres:   postgresClient,
	testenv.KindMySQL:      sqlClient("mysql", "INSERT INTO %t (v) VALUES (?)"),
	testenv.KindPostgres18: postgresClient,
	testenv.KindPgBouncer: postgresClient.through(func(url string) string {
		return url + "&default_query_exec_mode=exec"
	}),
	testenv.KindRedisTLS:    storeClient,
	testenv.KindPostgresTLS: storeClient,
	testenv.KindMySQLTLS:    storeClient,
	testenv.KindMongo: {
		write: func(ctx context.Context, url, name, value string) error {
			return withMongo(ctx, url, func(c *mongo.Client) error {
				doc := bson.M{"_id": "k", "v": value}
				_, err := c.Database("scskit").Collection(name).InsertOne(ctx, doc)
				return err
			})
		},
		read: func(ctx context.Context, url, name string) (string, error) {
			var doc struct{ V string }
			err := withMongo(ctx, url, func(c *mongo.Client) error {
				return c.Database("scskit").Collection(name).FindOne(ctx, bson.M{"_id": "k"}).Decode(&doc)
			})
			return doc.V, err
		},
	},
	testenv.KindDynamoDB: {
		write: func(ctx context.Context, url, name, value string) error {
			db := dynamo(url)
			_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
				TableName:   &name,
				BillingMode: types.BillingModePayPerRequest,
				AttributeDefinitions: []types.AttributeDefinition{
					{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS},
				},
				KeySchema: []types.KeySchemaElement{
					{AttributeName: aws.String("k"), KeyType: types.KeyTypeHash},
				},
			})
			if err != nil {
				return err
			}
			ready := dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) {
				o.MinDelay = 10 * time.Millisecond
			})
			in := &dynamodb.DescribeTableInput{TableName: &name}
			if err := ready.Wait(ctx, in, time.Minute); err != nil {
				return err
			}
			item := map[string]types.AttributeValue{
				"k": &types.AttributeValueMemberS{Value: "k"},
				"v": &types.AttributeValueMemberS{Value: value},
			}
			_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &name, Item: item})
			return err
		},
		read: func(ctx context.Context, url, name string) (string, error) {
			key := map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "k"}}
			out, err := dynamo(url).GetItem(ctx, &dynamodb.GetItemInput{
				TableName: &name, ConsistentRead: aws.Bool(true), Key: key,
			})
			if err != nil {
				return "", err
			}
			v, ok := out.Item["v"].(*types.AttributeValueMemberS)
			if !ok {
				return "", errors.New("no such item")
			}
			return v.Value, nil
		},
	},
}

var postgresClient = sqlClient("pgx", "INSERT INTO %t (v) VALUES ($1)")

// storeClient uses stores.Open.
var storeClient = client{
	write: func(ctx context.Context, url, name, value string) error {
		return withStore(ctx, url, func(s *scskit.Store) error {
			if err := s.CreateSchema(ctx); err != nil {
				return err
			}
			return s.CommitCtx(ctx, name, []byte(value), time.Now().Add(time.Hour))
		})
	},
	read: func(ctx context.Context, url, name string) (value string, err error) {
		err = withStore(ctx, url, func(s *scskit.Store) error {
			data, _, err := s.FindCtx(ctx, name)
			value = string(data)
			return err
		})
		return value, err
	},
}

func withStore(ctx context.Context, url string, do func(*scskit.Store) error) error {
	s, closeStore, err := stores.Open(ctx, url, nil)
	if err != nil {
		return err
	}
	return errors.Join(do(s), closeStore())
}

// through returns a client that changes the URL.
func (c client) through(change func(url string) string) client {
	return client{
		write: func(ctx context.Context, url, name, value string) error {
			return c.write(ctx, change(url), name, value)
		},
		read: func(ctx context.Context, url, name string) (string, error) {
			return c.read(ctx, change(url), name)
		},
	}
}

func sqlClient(driver, insert string) client {
	return client{
		write: func(ctx context.Context, dsn, name, value string) error {
			db, err := sql.Open(driver, dsn)
			if err != nil {
				return err
			}
			defer db.Close()
			if _, err := db.ExecContext(ctx, "CREATE TABLE "+name+" (v VARCHAR(100))"); err != nil {
				return err
			}
			_, err = db.ExecContext(ctx, strings.ReplaceAll(insert, "%t", name), value)
			return err
		},
		read: func(ctx context.Context, dsn, name string) (value string, err error) {
			db, err := sql.Open(driver, dsn)
			if err != nil {
				return "", err
			}
			defer db.Close()
			err = db.QueryRowContext(ctx, "SELECT v FROM "+name).Scan(&value)
			return value, err
		},
	}
}

func withMongo(ctx context.Context, uri string, do func(*mongo.Client) error) error {
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Minute))
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Disconnect(ctx))
}

func dynamo(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &url, Region: "local", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

func TestShared(t *testing.T) {
	urls := map[testenv.Kind]func(testing.TB) string{
		testenv.KindRedis: testenv.Redis,
		testenv.KindRedisCluster: func(tb testing.TB) string {
			return strings.Join(testenv.RedisCluster(tb), ",")
		},
		testenv.KindPostgres: testenv.Postgres,
		testenv.KindMySQL:    testenv.MySQL,
		testenv.KindMongo:    testenv.Mongo,
		testenv.KindDynamoDB: testenv.DynamoDB,
	}
	for _, kind := range testenv.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			find := urls[kind]
			if find == nil {
				find = func(tb testing.TB) string { return testenv.URL(tb, kind) }
			}
			url := find(t)
			if again := find(t); again != url {
				t.Errorf("the second call returns another server: %s, then %s", url, again)
			}
			name := testenv.Name(t)
			if err := clients[kind].write(t.Context(), url, name, "value"); err != nil {
				t.Fatal(err)
			}
			value, err := clients[kind].read(t.Context(), url, name)
			if value != "value" || err != nil {
				t.Errorf("read %q, %v; want the value written", value, err)
			}
			b, err := testenv.Find(kind)
			if err != nil || b.URL != url || b.Private && b.Version == "" {
				t.Errorf("Find: %+v, %v", b, err)
			}
		})
	}
}

func TestKillAndRestart(t *testing.T) {
	for _, kind := range testenv.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := testenv.Start(t, kind)
			url, name := s.URL(), testenv.Name(t)
			if err := clients[kind].write(t.Context(), url, name, "value"); err != nil {
				t.Fatal(err)
			}
			pids := s.PIDs()
			s.Kill()
			for _, pid := range pids {
				if alive(pid) {
					t.Errorf("process %d runs after Kill", pid)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if value, err := clients[kind].read(ctx, url, name); err == nil {
				t.Errorf("read %q from the killed server", value)
			}
			s.Restart()
			if s.URL() != url {
				t.Errorf("restarted at %s, was at %s", s.URL(), url)
			}
			value, err := clients[kind].read(t.Context(), url, name)
			if value != "value" || err != nil {
				t.Errorf("after a kill: read %q, %v; want the acknowledged value", value, err)
			}
			s.Stop()
			s.Restart()
			value, err = clients[kind].read(t.Context(), url, name)
			if value != "value" || err != nil {
				t.Errorf("after a stop: read %q, %v; want the acknowledged value", value, err)
			}
		})
	}
}

// alive reports whether a process exists.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

func TestName(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	seen := map[string]bool{}
	t.Run("A long name/with slashes, Ümlauts and more than enough characters", func(t *testing.T) {
		for range 100 {
			name := testenv.Name(t)
			if !valid.MatchString(name) || seen[name] {
				t.Fatalf("name %q", name)
			}
			seen[name] = true
		}
	})
}
