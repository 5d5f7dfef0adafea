package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// TestNoConnectionFree holds every connection of the pool. The error must say so and what to do.
func TestNoConnectionFree(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() (*sql.DB, Dialect){
		"sqlite": func() (*sql.DB, Dialect) {
			return openFile(t, filepath.Join(t.TempDir(), "test.db")), SQLite()
		},
		"postgresql": func() (*sql.DB, Dialect) { return openPostgres(t, nil), PostgreSQL() },
		"mysql":      func() (*sql.DB, Dialect) { return openMySQL(t, nil), MySQL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, dialect := open()
			c := newClock()
			s := newServerTable(t, db, dialect, testenv.Name(t), c)
			save(t, s, record(c, "a", 1, time.Minute))
			db.SetMaxOpenConns(1)
			held, err := db.Conn(background)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			for op, do := range map[string]func(ctx context.Context) error{
				"load": func(ctx context.Context) error { _, err := s.Load(ctx, "a"); return err },
				"save": func(ctx context.Context) error {
					return s.Save(ctx, record(c, "a", 2, time.Minute), driver.Always())
				},
			} {
				ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
				err := do(ctx)
				cancel()
				const want = "all connections of the pool are in use (limit 1): raise SetMaxOpenConns"
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got error %v", op, err)
				}
				ctx, cancel = context.WithCancel(background)
				cancel()
				err = do(ctx)
				if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "pool") {
					t.Errorf("%s with a cancelled context: got error %v", op, err)
				}
			}
			_ = held.Close()
			ctx, cancel := context.WithTimeout(background, time.Nanosecond)
			defer cancel()
			_, err = s.Load(ctx, "a")
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "pool") {
				t.Errorf("with a free connection: got error %v", err)
			}
		})
	}
}
