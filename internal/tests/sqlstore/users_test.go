package sqlstore

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// ofUser returns the sessions of a user.
func ofUser(tb testing.TB, s *table, user string) (all []driver.Record) {
	tb.Helper()
	for rec, err := range s.RangeUser(background, user) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, rec)
	}
	return all
}

// TestRangeUserWhileTheBodyWrites reads three pages. The body deletes the user's sessions, saves
// others for the same user before them, and gives every fifth one to another user.
func TestRangeUserWhileTheBodyWrites(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		s.db.SetMaxOpenConns(1) // so that the body blocks if RangeUser holds a connection
		now := c.now().UnixMicro()
		bulk(t, s, 900, func(i int, v *values) {
			*v = values{id: fmt.Appendf(nil, "id%07d", i), version: 1, expiry: now + 3600e6,
				data: []byte("x"), user: []string{"", "alice", "bob", "alice2"}[i%4]}
		})
		expired := record(c, "id1", 1, 0)
		expired.User = "alice"
		save(t, s, expired)
		ctx, cancel := context.WithTimeout(background, time.Hour)
		defer cancel()
		seen := map[string]int{}
		for rec, err := range s.RangeUser(ctx, "alice") {
			if err != nil {
				t.Fatal(err)
			}
			if rec.User != "alice" || string(rec.Data) != "x" || rec.Version != 1 {
				t.Fatalf("got %+v", rec)
			}
			seen[rec.ID]++
			if len(seen)%5 != 0 {
				want(t, "delete", s.Delete(ctx, rec.ID, driver.Always()), nil)
				continue
			}
			rec.User = "carol"
			want(t, "save", s.Save(ctx, rec, driver.IfVersion(1)), nil)
			added := record(c, "a"+rec.ID, 1, time.Hour)
			added.User = "alice"
			want(t, "save", s.Save(ctx, added, driver.IfAbsent()), nil)
		}
		for i := range 900 {
			if id := fmt.Sprintf("id%07d", i); seen[id] != 1 && i%4 == 1 || seen[id] != 0 && i%4 != 1 {
				t.Fatalf("RangeUser yielded %s %d times", id, seen[id])
			}
		}
		for user, n := range map[string]int{
			"alice": 45, "bob": 225, "alice2": 225, "carol": 45, "nobody": 0,
		} {
			if got := ofUser(t, s, user); len(got) != n {
				t.Errorf("%s has %d sessions, want %d", user, len(got), n)
			}
		}
	})
}

var userRows = flag.Int("userrows", 1,
	"hundreds of thousands of sessions in TestUserIndexIsUsed, which logs its plans with -v")

// many fills a table with n*100,000 live sessions, five for each user.
func many(t *testing.T, s *table, c *clock, n int) {
	t.Helper()
	id := map[string]string{
		"sqlite":     `CAST(hex(randomblob(16)) || %s AS BLOB)`,
		"postgresql": `md5(%s::text)::bytea`,
		"mysql":      `MD5(%s)`,
	}[s.dialect.name]
	user := map[string]string{
		"sqlite":     `CAST('user' || (%s / 5) AS BLOB)`,
		"postgresql": `('user' || (%s / 5))::bytea`,
		"mysql":      `CONCAT('user', %s DIV 5)`,
	}[s.dialect.name]
	data := map[string]string{
		"sqlite": `zeroblob(300)`, "postgresql": `repeat('x', 300)::bytea`, "mysql": `REPEAT('x', 300)`,
	}[s.dialect.name]
	digits := `(SELECT 0 AS d` + strings.Repeat(` UNION ALL SELECT %d`, 9) + `)`
	digits = fmt.Sprintf(digits, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	now := c.now().UnixMicro()
	for part := range n {
		i := fmt.Sprintf(`(%d + a.d*10000 + b.d*1000 + c.d*100 + d.d*10 + e.d)`, part*100_000)
		execAll(t, s.db, fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s, 1, %d + %s, %d, %[6]d, %[6]d, %s, %s
			FROM %s AS a, %[9]s AS b, %[9]s AS c, %[9]s AS d, %[9]s AS e`,
			s.dialect.quoteName(s.name), rowColumns, fmt.Sprintf(id, i), now+3600e6, i, now,
			fmt.Sprintf(user, i), data, digits))
	}
}

// TestUserIndexIsUsed asks each database for its plan, with and without statistics of the table.
func TestUserIndexIsUsed(t *testing.T) {
	t.Parallel()
	n, c := *userRows, newClock()
	for name, tc := range map[string]struct {
		open    func() (*sql.DB, Dialect)
		analyze string
	}{
		"sqlite": {func() (*sql.DB, Dialect) {
			return openFile(t, filepath.Join(t.TempDir(), "test.db")), SQLite()
		}, "ANALYZE "},
		"postgresql": {func() (*sql.DB, Dialect) {
			return openPostgres(t, nil), PostgreSQL()
		}, "ANALYZE "},
		"mysql": {func() (*sql.DB, Dialect) {
			return openMySQL(t, nil), MySQL()
		}, "ANALYZE TABLE "},
	} {
		t.Run(name, func(t *testing.T) {
			db, dialect := tc.open()
			db.SetMaxOpenConns(1)
			s := newServerTable(t, db, dialect, testenv.Name(t), c)
			many(t, s, c, n)
			for range 2 {
				for _, plan := range userPlans(t, s) {
					t.Log(plan)
					index := s.name.table + "_user"
					if !strings.Contains(plan, index) || strings.Contains(strings.ToLower(plan), "sort") ||
						strings.Contains(plan, "TEMP B-TREE") {
						t.Errorf("the plan does not read %s in its order:\n%s", index, plan)
					}
				}
				for _, user := range []string{"user0", fmt.Sprint("user", n*20_000-1)} {
					begin := time.Now()
					if got := ofUser(t, s, user); len(got) != 5 {
						t.Errorf("%s has %d sessions, want 5", user, len(got))
					}
					t.Logf("%s: read in %v", user, time.Since(begin))
				}
				execAll(t, db, tc.analyze+s.dialect.quoteName(s.name))
			}
		})
	}
}

// userPlans returns how the database runs the statement of RangeUser. PostgreSQL has one plan for
// given parameters and one for any; MySQL lists the index and "Using filesort" among others.
func userPlans(t *testing.T, s *table) (plans []string) {
	t.Helper()
	v := values{id: []byte{}, user: "user7", now: s.micros(), limit: pageRecords}
	switch args := s.userPage.args(&v); s.dialect.name {
	case "sqlite":
		return []string{rowsText(t, s.db, "EXPLAIN QUERY PLAN "+s.userPage.text, args...)}
	case "mysql":
		return []string{rowsText(t, s.db, "EXPLAIN "+s.userPage.text, args...)}
	}
	execAll(t, s.db, "PREPARE of_user AS "+s.userPage.text)
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		execAll(t, s.db, "SET plan_cache_mode = "+mode)
		plans = append(plans, rowsText(t, s.db, fmt.Sprintf(
			`EXPLAIN (ANALYZE, BUFFERS) EXECUTE of_user ('%s', '', %d, %d)`, v.user, v.now, v.limit)))
	}
	execAll(t, s.db, "RESET plan_cache_mode", "DEALLOCATE of_user")
	return plans
}

// rowsText returns all columns of all rows.
func rowsText(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for rows.Next() {
		fields, pointers := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range fields {
			pointers[i] = &fields[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			text.WriteString(f.String + " ")
		}
		text.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
