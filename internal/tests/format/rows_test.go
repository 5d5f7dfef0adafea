package format_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/mongostore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// These tests read what the stores write with the client of each backend.

var withUserKey = scskit.Options{UserKey: "user"}

// newStore creates the schema of a store, and drops it at the end of the test.
func newStore(t *testing.T, store *scskit.Store, err error) *scskit.Store {
	t.Helper()
	if err == nil {
		err = store.WithTimeout(time.Minute).CreateSchema(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.WithTimeout(time.Minute).DropSchema(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return store
}

// rows are two records, with a user and without. Their times are more precise than every backend.
func rows() []driver.Record {
	rec := driver.Record{
		ID: hashOf(token), Data: []byte{0xc1, 0, 0xff}, Version: 1<<62 + 1, User: hashOf("ada"),
		Expiry: deadline, Created: time.Unix(1798761600, 1_999_999),
		Updated: time.Unix(1798761600, 2_999_999), Seen: time.Unix(1798761600, 3_999_999),
	}
	other := rec
	other.ID, other.User = hashOf("another"), ""
	return []driver.Record{rec, other}
}

func saveRow(t *testing.T, store *scskit.Store, rec driver.Record) {
	t.Helper()
	if err := store.Driver().Save(t.Context(), rec, driver.IfAbsent()); err != nil {
		t.Fatal(err)
	}
}

func openSQL(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	return openSQL(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "sessions.db"))
}

func TestSQLRows(t *testing.T) {
	for name, tc := range map[string]struct {
		open    func(t *testing.T) *sql.DB
		dialect sqlstore.Dialect
		param   string
	}{
		"SQLite": {openSQLite, sqlstore.SQLite(), "?"},
		"PostgreSQL": {func(t *testing.T) *sql.DB {
			return openSQL(t, "pgx", testenv.Postgres(t))
		}, sqlstore.PostgreSQL(), "$1"},
		"MySQL": {func(t *testing.T) *sql.DB {
			return openSQL(t, "mysql", testenv.MySQL(t))
		}, sqlstore.MySQL(), "?"},
	} {
		t.Run(name, func(t *testing.T) {
			db, table := tc.open(t), testenv.Name(t)
			opts := &sqlstore.Options{Options: withUserKey, Table: table}
			made, err := sqlstore.New(db, tc.dialect, opts)
			store := newStore(t, made, err)
			for _, rec := range rows() {
				saveRow(t, store, rec)
				var id, user, data []byte
				var version, expiry, created, updated, seen int64
				err := db.QueryRowContext(t.Context(), "SELECT id, version, expiry, created, updated, "+
					"seen, user_hash, data FROM "+table+" WHERE id = "+tc.param, []byte(rec.ID),
				).Scan(&id, &version, &expiry, &created, &updated, &seen, &user, &data)
				if err != nil || string(id) != rec.ID || version != rec.Version ||
					expiry != 4113270489123456 || created != 1798761600001999 ||
					updated != 1798761600002999 || seen != 1798761600003999 ||
					string(user) != rec.User || user == nil != (rec.User == "") ||
					string(data) != string(rec.Data) {
					t.Errorf("got %s, %d, %d, %d, %d, %d, %s, %x, error %v", id, version, expiry, created,
						updated, seen, user, data, err)
				}
				if name == "SQLite" { // an id that is text is another
					row := db.QueryRowContext(t.Context(), "SELECT id FROM "+table+" WHERE id = ?", rec.ID)
					if err := row.Scan(&id); !errors.Is(err, sql.ErrNoRows) {
						t.Errorf("got error %v", err)
					}
				}
			}
		})
	}
}

func TestMongoDocument(t *testing.T) {
	client, err := mongo.Connect(options.Client().ApplyURI(testenv.Mongo(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	coll := client.Database(testenv.Name(t)).Collection("sessions")
	made, err := mongostore.New(coll, &mongostore.Options{Options: withUserKey})
	store := newStore(t, made, err)
	for _, rec := range rows() {
		saveRow(t, store, rec)
		want := bson.M{
			"_id": bson.Binary{Data: []byte(rec.ID)}, "data": bson.Binary{Data: rec.Data},
			"version": rec.Version, "expiry": bson.DateTime(4113270489123),
			"created": bson.DateTime(1798761600001), "updated": bson.DateTime(1798761600002),
			"seen": bson.DateTime(1798761600003),
		}
		if rec.User != "" {
			want["user"] = bson.Binary{Data: []byte(rec.User)}
		}
		var got bson.M
		err := coll.FindOne(t.Context(), bson.M{"_id": want["_id"]}).Decode(&got)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, error %v, want %v", got, err, want)
		}
	}
}

func TestDynamoItem(t *testing.T) {
	login := credentials.NewStaticCredentialsProvider("local", "local", "")
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(testenv.DynamoDB(t)),
		Credentials: aws.NewCredentialsCache(login),
	})
	table := testenv.Name(t)
	made, err := dynamostore.New(client, &dynamostore.Options{Options: withUserKey, Table: table})
	store := newStore(t, made, err)
	number := func(n int64) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
	}
	binary := func(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
	for _, rec := range rows() {
		saveRow(t, store, rec)
		want := map[string]types.AttributeValue{
			"id": binary([]byte(rec.ID)), "data": binary(rec.Data), "version": number(rec.Version),
			"expiry_ms": number(4113270489123), "created": number(1798761600001),
			"updated": number(1798761600002), "seen": number(1798761600003),
			"expire_at": number(4113270490), // rounded up
		}
		if rec.User != "" {
			want["user"] = binary([]byte(rec.User))
		}
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &table, Key: map[string]types.AttributeValue{"id": want["id"]},
		})
		if err != nil || !reflect.DeepEqual(out.Item, want) {
			t.Errorf("got %v, error %v, want %v", out, err, want)
		}
	}
}
