package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// named opens a pool to PostgreSQL with an application name and other settings.
func named(t *testing.T, name string, settings map[string]string) *sql.DB {
	t.Helper()
	return openPostgres(t, func(c *pgx.ConnConfig) {
		c.RuntimeParams["application_name"] = name
		for k, v := range settings {
			c.RuntimeParams[k] = v
		}
	})
}

// terminate makes the server close the connections of an application, and returns their number.
func terminate(t *testing.T, db *sql.DB, name string) (n int) {
	t.Helper()
	err := db.QueryRow(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = $1 AND backend_type = 'client backend'`, name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gone waits until the server has no more connections of an application.
func gone(t *testing.T, db *sql.DB, name string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; {
		var n int
		const query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
		if err := db.QueryRow(query, name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server still has %d connections", n)
		}
	}
}

// keepIdle opens n connections in the pool of s and leaves them idle.
func keepIdle(t *testing.T, s *table, n int) {
	t.Helper()
	s.db.SetMaxIdleConns(n)
	var conns []*sql.Conn
	for range n {
		conn, err := s.db.Conn(background)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// TestTerminatedConnections has the server close the idle connections of a pool, as after a
// failover or a timeout for idle sessions. No operation may fail.
func TestTerminatedConnections(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings map[string]string
		end      func(t *testing.T, other *sql.DB, name string)
	}{
		"administrator": {nil, func(t *testing.T, other *sql.DB, name string) {
			if terminate(t, other, name) == 0 {
				t.Fatal("no connection to close")
			}
		}},
		"idle session": {map[string]string{"idle_session_timeout": "50"},
			func(*testing.T, *sql.DB, string) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, c := testenv.Name(t), newClock()
			other := openPostgres(t, nil)
			newServerTable(t, other, PostgreSQL(), name, c)
			open := func(testing.TB) *sql.DB { return named(t, name, tc.settings) }
			s := another(t, newServerDriver(t, other, PostgreSQL(), name, c), open)
			saving := func(id string, cond driver.Condition) error {
				return s.Save(background, record(c, id, 2, time.Minute), cond)
			}
			for op, do := range map[string]func(id string) error{
				"load":      func(id string) error { _, err := s.Load(background, id); return err },
				"create":    func(id string) error { return saving(id+"2", driver.IfAbsent()) },
				"replace":   func(id string) error { return saving(id, driver.IfVersion(1)) },
				"overwrite": func(id string) error { return saving(id, driver.Always()) },
				"touch": func(id string) error {
					return s.Touch(background, touchTo(id, 1, c.now().Add(time.Hour)))
				},
				"delete": func(id string) error { return s.Delete(background, id, driver.Always()) },
				"sweep":  func(string) error { _, err := s.Sweep(background, 10); return err },
				"range": func(string) (err error) {
					for _, e := range s.Range(background) {
						err = errors.Join(err, e)
					}
					return err
				},
				"range user": func(id string) (err error) {
					for _, e := range s.RangeUser(background, record(c, id, 1, 0).User) {
						err = errors.Join(err, e)
					}
					return err
				},
			} {
				save(t, s, record(c, op, 1, time.Minute))
				keepIdle(t, s, 8)
				tc.end(t, other, name)
				gone(t, other, name)
				if err := do(op); err != nil {
					t.Errorf("%s: %v", op, err)
				}
			}
		})
	}
}

// TestTerminatedAtWork has the server close busy connections. The store must not repeat a statement
// that took effect.
func TestTerminatedAtWork(t *testing.T) {
	t.Parallel()
	name, c := testenv.Name(t), newClock()
	other := openPostgres(t, nil)
	newServerTable(t, other, PostgreSQL(), name, c)
	open := func(testing.TB) *sql.DB { return named(t, name, nil) }
	s := another(t, newServerDriver(t, other, PostgreSQL(), name, c), open)
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for client := range 4 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", client, i)
				err := s.Save(background, record(c, id, 1, time.Minute), driver.IfAbsent())
				if errors.Is(err, driver.ErrConflict) {
					t.Errorf("create: conflict with the same save")
				}
				if err != nil {
					continue // the outcome is unknown
				}
				if err := s.Delete(background, id, driver.Always()); errors.Is(err, driver.ErrNotFound) {
					t.Errorf("delete: repeated after it took effect")
				}
			}
		})
	}
	ended := 0
	for range 300 {
		ended += terminate(t, other, name)
	}
	close(stop)
	clients.Wait()
	if ended == 0 {
		t.Error("no connection was closed")
	}
}
