package sqlstore

import (
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// TestServerSchemaByHand applies the text of Schema, after which CheckSchema must pass.
func TestServerSchemaByHand(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *table, _ *clock) {
		if err := s.DropSchema(background); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			execAll(t, s.db, s.Schema())
			if err := s.CheckSchema(background); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestServerSchemaIsChecked(t *testing.T) {
	t.Parallel()
	const (
		notUnique = "column id alone must be unique: recreate the table with the store's Schema"
		earlier   = "is of an earlier version, it lacks seen: " + schemaFix
		noIndex   = "has no index on expiry: " + schemaFix
		noUser    = "has no index on user_hash: " + schemaFix
		more      = "version BIGINT, expiry BIGINT, created BIGINT, updated BIGINT"
	)
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			id, data, user := "BYTEA", "BYTEA", "BYTEA"
			// Indexes that serve, and that do not. MySQL has no partial indexes.
			userIndex := "CREATE INDEX {index}_u ON {table} (user_hash, id) WHERE user_hash IS NOT NULL"
			partIndex := "CREATE INDEX {index}_u ON {table} (user_hash) WHERE expiry > 5"
			if p.dialect.name == "mysql" {
				id, data, user = "VARBINARY(512)", "LONGBLOB", "VARBINARY(64)"
				userIndex = "CREATE INDEX {index}_u ON {table} (user_hash)"
				partIndex = "CREATE INDEX {index}_u ON {table} (user_hash(8))"
			}
			for _, tc := range []struct {
				table, index, want string
			}{
				{"(id {id}, {more}, data {data})", "", notUnique},
				{"(id {id}, {more}, data {data}, PRIMARY KEY (id, version))", "", notUnique},
				{"(id {id} PRIMARY KEY, {more}, data {data}, user_hash {user})", "", earlier},
				{"(id {id} PRIMARY KEY, {more}, data {data}, {later})", "", noIndex},
				{
					"(id {id} PRIMARY KEY, {more}, data {data}, {later})",
					"CREATE INDEX {index} ON {table} (version, expiry); " + userIndex,
					noIndex,
				},
				{
					"(id {id} PRIMARY KEY, {more}, data {data}, {later})",
					"CREATE INDEX {index} ON {table} (expiry); " + partIndex,
					noUser,
				},
				{
					"(id {id} UNIQUE, {more}, data {data}, {later}, more INT)",
					"CREATE INDEX {index} ON {table} (expiry, version); " + userIndex,
					"",
				},
			} {
				s := newServerDriver(t, p.open(t), p.dialect, testenv.Name(t), newClock())
				ddl := strings.NewReplacer(
					"{table}", s.dialect.quoteName(s.name),
					"{index}", s.name.table+"_i",
					"{id}", id,
					"{more}", more,
					"{later}", "seen BIGINT, user_hash "+user,
					"{user}", user,
					"{data}", data,
				)
				execAll(t, s.db, ddl.Replace("CREATE TABLE {table} "+tc.table))
				for _, index := range strings.Split(tc.index, "; ") {
					if index != "" {
						execAll(t, s.db, ddl.Replace(index))
					}
				}
				err := s.CheckSchema(background)
				if tc.want == "" {
					if err != nil {
						t.Errorf("%s: %v", tc.table, err)
					}
					continue
				}
				want(t, tc.table, err, driver.ErrNoSchema)
				if err != nil && !strings.HasSuffix(err.Error(), tc.want) {
					t.Errorf("%s: got %v, want … %s", tc.table, err, tc.want)
				}
				switch tc.want {
				case earlier, noIndex, noUser: // CreateSchema adds what is missing
					if err := s.CreateSchema(background); err != nil {
						t.Error(err)
					}
					if err := s.CheckSchema(background); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// TestCreateServerSchemaAtOnce creates the same table concurrently, like programs that start
// together.
func TestCreateServerSchemaAtOnce(t *testing.T) {
	t.Parallel()
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for range 10 {
				s := newServerDriver(t, p.open(t), p.dialect, testenv.Name(t), newClock())
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						if err := s.CreateSchema(background); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// TestAcceptedServerTableNames uses valid names, including reserved words and schemas.
func TestAcceptedServerTableNames(t *testing.T) {
	t.Parallel()
	for _, p := range servers {
		if !p.ownDatabase { // fixed names would collide in a shared database
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			db := p.open(t)
			schema := testenv.Name(t)
			switch p.dialect.name {
			case "postgresql":
				execAll(t, db, "CREATE SCHEMA "+schema)
			default:
				schema = newDatabase(t, db, backquote, "", "")
			}
			for _, name := range []string{
				"select", "Order", "_S9", schema + ".sessions", "sessions", schema + ".select",
				strings.Repeat("x", 50),
			} {
				s := newServerDriver(t, db, p.dialect, name, newClock())
				want(t, name, s.CheckSchema(background), driver.ErrNoSchema)
				if err := s.CreateSchema(background); err != nil {
					t.Fatalf("%q: %v", name, err)
				}
				expiry := newClock().now().Add(time.Hour)
				rec := driver.Record{ID: "a", Data: []byte(name), Expiry: expiry, Version: 1}
				save(t, s, rec)
				if got := load(t, s, "a"); !equal(got, rec) {
					t.Errorf("%q: got %+v", name, got)
				}
			}
			s := newServerDriver(t, db, p.dialect, "nosuchschema.sessions", newClock())
			want(t, "create", s.CreateSchema(background), driver.ErrNoSchema)
			_, err := s.Load(background, "a")
			want(t, "load", err, driver.ErrNoSchema)
		})
	}
}

// TestPrivileges uses a role that may only read and write the table. Everything must work except
// DropSchema.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			admin := newServerTable(t, p.open(t), p.dialect, testenv.Name(t), c)
			user, on := testenv.Name(t), p.dialect.quoteName(admin.name)
			var open func(testing.TB) *sql.DB
			switch p.dialect.name {
			case "postgresql":
				execAll(t, admin.db, "CREATE ROLE "+user,
					"GRANT SELECT, INSERT, UPDATE, DELETE ON "+on+" TO "+user)
				t.Cleanup(func() { execAll(t, admin.db, "DROP OWNED BY "+user, "DROP ROLE "+user) })
				open = func(tb testing.TB) *sql.DB {
					return openPostgres(tb, func(config *pgx.ConnConfig) {
						config.RuntimeParams["role"] = user
					})
				}
			default:
				execAll(t, admin.db, "CREATE USER "+user+" IDENTIFIED BY 'pw'",
					"GRANT SELECT, INSERT, UPDATE, DELETE ON "+on+" TO "+user)
				t.Cleanup(func() { execAll(t, admin.db, "DROP USER "+user) })
				open = func(tb testing.TB) *sql.DB {
					return openMySQL(tb, func(config *mysql.Config) {
						config.User, config.Passwd = user, "pw"
					})
				}
			}
			s := another(t, admin, open)
			for range 2 {
				if err := s.CreateSchema(background); err != nil {
					t.Error(err)
				}
			}
			for _, cond := range []driver.Condition{
				driver.IfAbsent(), driver.Always(), driver.IfVersion(1),
			} {
				if err := s.Save(background, record(c, "a", 1, time.Minute), cond); err != nil {
					t.Error(err)
				}
			}
			if err := s.Touch(background, touchTo("a", 1, c.now().Add(time.Minute))); err != nil {
				t.Error(err)
			}
			load(t, s, "a")
			for _, err := range s.Range(background) {
				if err != nil {
					t.Error(err)
				}
			}
			if n := len(ofUser(t, s, record(c, "a", 1, 0).User)); n != 1 {
				t.Errorf("the user has %d sessions, want 1", n)
			}
			c.advance(time.Minute)
			if n, err := s.Sweep(background, 10); n != 1 || err != nil {
				t.Errorf("swept %d, %v", n, err)
			}
			if err := s.DropSchema(background); err == nil {
				t.Error("DropSchema succeeds without the privilege")
			}
		})
	}
}
