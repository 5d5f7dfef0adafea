package sqlstore

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// firstVersion returns the dialect of the first version of this package, which did not know the
// columns seen and user_hash, to stand for its programs.
func firstVersion(tb testing.TB, d Dialect) Dialect {
	tb.Helper()
	replacer := strings.NewReplacer(
		fields, "data, expiry, created, updated, version, updated, NULL",
		rowColumns, "id, version, expiry, created, updated, data",
		rowValues, "{id}, {version}, {expiry}, {created}, {updated}, {data}",
		" seen = excluded.seen,", "", " user_hash = excluded.user_hash,", "",
		" seen = VALUES(seen),", "", " user_hash = VALUES(user_hash),", "",
		" seen = IF(expiry <= {now}, VALUES(seen), seen),", "",
		" user_hash = IF(expiry <= {now}, VALUES(user_hash), user_hash),", "",
		", seen = {seen}, user_hash = {user}", "", ", seen = {seen}", "",
		"seen = IF(LAST_INSERT_ID(IF(expiry <= {now}, 2, 1)) = 1, {seen}, seen), expiry = {expiry}",
		"expiry = IF(LAST_INSERT_ID(IF(expiry <= {now}, 2, 1)) = 1, {expiry}, expiry)",
		"user_hash = {user} AND", "",
	)
	s := &d.statements
	for _, text := range []*string{
		&s.load, &s.overwrite, &s.create, &s.replace, &s.touch, &s.remove, &s.page, &s.userPage, &s.sweep,
	} {
		*text = replacer.Replace(space.ReplaceAllString(*text, " "))
		if strings.Contains(*text, "seen") || strings.Contains(*text, "user") {
			tb.Fatalf("this is not a statement of the first version: %s", *text)
		}
	}
	return d
}

// firstTable returns the DDL of the first version.
func firstTable(d Dialect, n tableName) []string {
	ddl := `CREATE TABLE {table} (id BYTEA NOT NULL PRIMARY KEY, version BIGINT NOT NULL,
		expiry BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, data BYTEA NOT NULL)`
	switch d.name {
	case "sqlite":
		ddl = strings.NewReplacer("BYTEA", "BLOB", "BIGINT", "INTEGER").Replace(ddl)
	case "mysql":
		ddl = strings.NewReplacer("data BYTEA", "data LONGBLOB", "BYTEA", "VARBINARY(512)").Replace(ddl) +
			" ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
	}
	return []string{strings.ReplaceAll(ddl, "{table}", d.quoteName(n)), d.expiryIndex(n)}
}

// upgrades runs a test on each database with a table of the first version, an old program that uses
// it, and a new one with a pool of its own.
func upgrades(t *testing.T, test func(t *testing.T, before, after *table, c *clock)) {
	t.Parallel()
	run := func(t *testing.T, open func(testing.TB) *sql.DB, dialect Dialect) {
		t.Parallel()
		c := newClock()
		before := newServerDriver(t, open(t), firstVersion(t, dialect), testenv.Name(t), c)
		execAll(t, before.db, firstTable(dialect, before.name)...)
		opts := &Options{Options: scskit.Options{Now: c.now}, Table: before.name.String()}
		after, err := newDriver(open(t), dialect, opts)
		if err != nil {
			t.Fatal(err)
		}
		test(t, before, after.(*table), c)
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		run(t, func(tb testing.TB) *sql.DB { return openFile(tb, path) }, SQLite())
	})
	for _, p := range servers {
		if !p.ownDatabase {
			t.Run(p.name, func(t *testing.T) { run(t, p.open, p.dialect) })
		}
	}
}

// asOld returns a record as the first version stores it.
func asOld(rec driver.Record) driver.Record {
	rec.User, rec.Seen = "", rec.Updated
	return rec
}

func TestUpgrade(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, c *clock) {
		ids := []string{"a", "b", "c", "d"}
		for _, id := range ids {
			save(t, before, record(c, id, 1, time.Hour))
		}
		save(t, before, record(c, "expired", 1, 0))

		// Before the upgrade, the new version says what to do and changes nothing.
		_, loadErr := after.Load(background, "a")
		for op, err := range map[string]error{
			"load":  loadErr,
			"save":  after.Save(background, record(c, "a", 2, time.Hour), driver.Always()),
			"touch": after.Touch(background, touchTo("a", 1, c.now())),
			"check": after.CheckSchema(background),
		} {
			want(t, op, err, driver.ErrNoSchema)
			if err != nil && !strings.Contains(err.Error(), schemaFix) {
				t.Errorf("%s: error %v lacks the advice %q", op, err, schemaFix)
			}
		}
		for range 2 {
			want(t, "create schema", after.CreateSchema(background), nil)
		}
		want(t, "check schema", after.CheckSchema(background), nil)

		// Every old session is readable, and has no user until it is saved.
		n := 0
		for rec, err := range after.Range(background) {
			if n++; err != nil || !equal(rec, asOld(record(c, rec.ID, 1, time.Hour))) {
				t.Errorf("range: got %+v, %v", rec, err)
			}
		}
		if n != len(ids) {
			t.Errorf("range yielded %d records, want %d", n, len(ids))
		}
		user := record(c, "a", 1, 0).User
		touch := touchTo("a", 1, c.now().Add(2*time.Hour))
		want(t, "touch", after.Touch(background, touch), nil)
		if got := load(t, after, "a"); !got.Seen.Equal(touch.Seen) || got.User != "" {
			t.Errorf("after a touch: got %+v", got)
		}
		if got := ofUser(t, after, user); len(got) != 0 {
			t.Errorf("the user has %+v before the first save", got)
		}
		rec := record(c, "a", 2, time.Hour)
		want(t, "save", after.Save(background, rec, driver.IfVersion(1)), nil)
		if got := ofUser(t, after, user); len(got) != 1 || !equal(got[0], rec) {
			t.Errorf("the user has %+v, want %+v", got, rec)
		}
		if n, err := after.Sweep(background, 10); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		want(t, "drop schema", after.DropSchema(background), nil)
	})
}

// TestOldProgramOnNewTable runs the old version on an upgraded table, as between the first and the
// last restart of a deployment. Its saves keep the column of the user, which the new version
// corrects when it saves the session.
func TestOldProgramOnNewTable(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, c *clock) {
		want(t, "create schema", after.CreateSchema(background), nil)
		for _, op := range operations(before, record(c, "a", 1, time.Hour)) {
			if op.name != "range user" {
				want(t, op.name, op.run(), op.want)
			}
		}
		rec := record(c, "b", 1, time.Hour)
		want(t, "create", before.Save(background, rec, driver.IfAbsent()), nil)
		if got := load(t, after, "b"); !equal(got, asOld(rec)) {
			t.Errorf("got %+v, want %+v", got, asOld(rec))
		}
		save(t, after, rec)
		rec.Version, rec.Data = 2, []byte("by the old version")
		want(t, "replace", before.Save(background, rec, driver.IfVersion(1)), nil)
		if got := ofUser(t, after, rec.User); len(got) != 1 || !equal(got[0], rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
		rec.User = "another"
		save(t, after, rec)
		if got := ofUser(t, after, "another"); len(got) != 1 || !equal(got[0], rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
	})
}

// TestUpgradeAtOnce upgrades a table from eight programs at once, while an old one uses it.
func TestUpgradeAtOnce(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, c *clock) {
		for range 3 {
			var done atomic.Bool
			var old, all sync.WaitGroup
			for _, id := range []string{"a", "b", "c"} {
				save(t, before, record(c, id, 1, time.Hour))
				old.Go(func() {
					for version := int64(1); !done.Load() && !t.Failed(); version++ {
						rec := record(c, id, version+1, time.Hour)
						if got := load(t, before, id); got.Version != version {
							t.Errorf("got version %d, want %d", got.Version, version)
						}
						want(t, "save", before.Save(background, rec, driver.IfVersion(version)), nil)
						want(t, "touch", before.Touch(background, touchTo(id, version+1, rec.Expiry)), nil)
					}
				})
			}
			for range 8 {
				all.Go(func() { want(t, "create schema", after.CreateSchema(background), nil) })
			}
			all.Wait()
			done.Store(true)
			old.Wait()
			want(t, "check schema", after.CheckSchema(background), nil)
			want(t, "drop schema", after.DropSchema(background), nil)
			execAll(t, before.db, firstTable(after.dialect, after.name)...)
		}
	})
}

// TestUpgradeAfterFailure has an upgrade stop after the first of its statements.
func TestUpgradeAfterFailure(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, c *clock) {
		execAll(t, before.db, after.dialect.addColumn(after.name, "seen"))
		err := after.CheckSchema(background)
		want(t, "check schema", err, driver.ErrNoSchema)
		if err != nil && !strings.HasSuffix(err.Error(), "lacks user_hash: "+schemaFix) {
			t.Errorf("got %v", err)
		}
		want(t, "create schema", after.CreateSchema(background), nil)
		rec := record(c, "a", 1, time.Hour)
		save(t, after, rec)
		if got := ofUser(t, after, rec.User); len(got) != 1 || !equal(got[0], rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
	})
}

// TestUpgradeByHand applies the comments of Schema to an old table.
func TestUpgradeByHand(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, _ *clock) {
		for line := range strings.Lines(after.Schema()) {
			if text, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(text, ";\n") {
				execAll(t, before.db, text)
			}
		}
		execAll(t, before.db, after.Schema())
		want(t, "check schema", after.CheckSchema(background), nil)
	})
}

// TestUpgradeLetsReadersPass upgrades a table that a transaction reads for a long time, as a dump
// does. The upgrade waits for it, and requests must not wait for the upgrade.
func TestUpgradeLetsReadersPass(t *testing.T) {
	upgrades(t, func(t *testing.T, before, after *table, c *clock) {
		waiting := map[string]string{
			"postgresql": `SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass
				AND NOT granted AND mode = 'AccessExclusiveLock'`,
			"mysql": `SELECT COUNT(*) FROM information_schema.processlist
				WHERE state LIKE 'Waiting for table metadata lock%' AND info LIKE 'ALTER TABLE%{table}%'`,
		}[after.dialect.name]
		if waiting == "" {
			t.Skip("readers do not queue")
		}
		waiting = strings.ReplaceAll(waiting, "{table}", after.name.table)
		save(t, before, record(c, "a", 1, time.Hour))
		dump, err := before.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer dump.Rollback()
		if _, err := dump.Exec("SELECT id FROM " + after.name.table); err != nil {
			t.Fatal(err)
		}
		upgraded := make(chan error)
		go func() { upgraded <- after.CreateSchema(background) }()
		for waits := 0; waits < 3; {
			var n int
			if err := before.db.QueryRow(waiting).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				load(t, before, "a")
				waits++
			}
		}
		select {
		case err := <-upgraded:
			t.Fatal("the upgrade did not wait", err)
		default:
		}
		want(t, "rollback", dump.Rollback(), nil)
		want(t, "create schema", <-upgraded, nil)
		if got := load(t, after, "a"); !equal(got, asOld(record(c, "a", 1, time.Hour))) {
			t.Errorf("got %+v", got)
		}
		setting := "SHOW lock_timeout"
		if after.dialect.name == "mysql" {
			setting = "SELECT @@lock_wait_timeout"
		}
		got, want := rowsText(t, after.db, setting), rowsText(t, before.db, setting)
		if got != want {
			t.Errorf("%s: the connection has kept %s, want %s", setting, got, want)
		}
	})
}

// TestInvalidIndex has an index of the right name that does not serve, as a failed CREATE INDEX
// CONCURRENTLY leaves it.
func TestInvalidIndex(t *testing.T) {
	t.Parallel()
	s := newServerTable(t, openPostgres(t, nil), PostgreSQL(), testenv.Name(t), newClock())
	index := doubleQuote(s.name.table + "_user")
	execAll(t, s.db, "DROP INDEX "+index,
		"CREATE INDEX "+index+" ON "+s.dialect.quoteName(s.name)+" (user_hash) WHERE expiry > 5")
	err := s.CreateSchema(background)
	want(t, "create schema", err, driver.ErrNoSchema)
	if err == nil || !strings.Contains(err.Error(), "drop that") {
		t.Error(err)
	}
	execAll(t, s.db, "DROP INDEX "+index)
	if err := errors.Join(s.CreateSchema(background), s.CheckSchema(background)); err != nil {
		t.Error(err)
	}
}
