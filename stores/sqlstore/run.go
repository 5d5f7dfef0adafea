package sqlstore

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/internal/bound"
)

// statement is one of the store's statements. If the dialect prepares, it is prepared on first use.
type statement struct {
	text   string
	params []param
	stmt   atomic.Pointer[sql.Stmt]
}

// prepared returns the prepared statement. It retries after a failure, because the table may be
// created later. Concurrent first calls each prepare the statement and keep one of them: none waits
// for another, whose context may last longer.
func (s *statement) prepared(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	if p := s.stmt.Load(); p != nil {
		return p, nil
	}
	p, err := db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, p) {
		_ = p.Close()
		return s.stmt.Load(), nil
	}
	return p, nil
}

func (s *statement) args(v *values) []any {
	args := make([]any, len(s.params))
	for i, p := range s.params {
		args[i] = v.get(p)
	}
	return args
}

// exec runs a writing statement and returns the number of affected rows.
func (t *table) exec(ctx context.Context, s *statement, v *values) (n int64, err error) {
	args := s.args(v)
	err = t.write(ctx, func() error {
		return t.run(ctx, s, func(ctx context.Context, r runner) error {
			result, err := r.exec(ctx, args)
			if err != nil {
				return err
			}
			if t.dialect.affected != nil {
				n, err = t.dialect.affected(result)
			} else {
				n, err = result.RowsAffected()
			}
			return err
		})
	})
	return n, err
}

// query runs a reading statement and calls read with its rows. If the database was busy, it calls
// read again with all of the rows.
func (t *table) query(
	ctx context.Context, s *statement, v *values, read func(*sql.Rows) error,
) error {
	args := s.args(v)
	return t.retry(ctx, func() error {
		return t.run(ctx, s, func(ctx context.Context, r runner) error {
			rows, err := r.query(ctx, args)
			if err != nil {
				return err
			}
			defer rows.Close()
			if err := read(rows); err != nil {
				return err
			}
			return rows.Err()
		})
	})
}

// runner executes a statement.
type runner struct {
	stmt *sql.Stmt // if nil, text runs on db
	text string
	db   interface { // a *sql.DB or a *sql.Conn
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	}
}

func (r runner) exec(ctx context.Context, args []any) (sql.Result, error) {
	if r.stmt != nil {
		return r.stmt.ExecContext(ctx, args...)
	}
	return r.db.ExecContext(ctx, r.text, args...)
}

func (r runner) query(ctx context.Context, args []any) (*sql.Rows, error) {
	if r.stmt != nil {
		return r.stmt.QueryContext(ctx, args...)
	}
	return r.db.QueryContext(ctx, r.text, args...)
}

// run calls f with a runner for the statement, and with the context to pass to it.
func (t *table) run(
	ctx context.Context, s *statement, f func(context.Context, runner) error,
) error {
	if t.dialect.uninterrupted {
		return t.onConn(ctx, func(ctx context.Context, conn *sql.Conn) error {
			return f(ctx, runner{text: s.text, db: conn})
		})
	}
	if !t.dialect.prepares {
		return f(ctx, runner{text: s.text, db: t.db})
	}
	p, err := s.prepared(ctx, t.db)
	if err != nil {
		return err
	}
	return f(ctx, runner{stmt: p})
}

// onConn calls f with a connection, and with the context to use. That context does not end if the
// dialect is uninterrupted; the wait for a connection still ends with ctx.
func (t *table) onConn(ctx context.Context, f func(context.Context, *sql.Conn) error) error {
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if t.dialect.uninterrupted {
		ctx = context.WithoutCancel(ctx)
	}
	err = f(ctx, conn)
	if err != nil && t.dialect.classify(err) == faultStale {
		_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn }) // removes it from the pool
	}
	return err
}

// write calls f, and repeats it while the database is busy. If the dialect has one writer, it first
// waits for its turn. A call of f that fails must have no effect on the database.
func (t *table) write(ctx context.Context, f func() error) error {
	if t.writer != nil {
		select {
		case t.writer <- struct{}{}:
			defer func() { <-t.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return t.retry(ctx, f)
}

// retry calls f until the database is not busy or the context ends.
func (t *table) retry(ctx context.Context, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if fault := t.dialect.classify(err); fault != faultBusy && fault != faultStale {
			return err
		}
		if bound.Sleep(ctx, pause(attempt)) != nil {
			return err
		}
	}
}

// pause returns how long to wait before the next attempt. It doubles from about 1 ms to about 16
// ms, plus or minus a random half, so that two writers do not collide again.
func pause(attempt int) time.Duration {
	base := time.Millisecond << min(attempt, 4)
	return base/2 + rand.N(base)
}

// failure returns the error of a driver operation. If the context has ended, the result matches the
// context's error, even if the database reports something else.
func (t *table) failure(ctx context.Context, op string, err error) error {
	if ended := bound.Ended(ctx, err); ended != nil {
		if !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		if fix := t.poolFix(ended); fix != "" {
			err = fmt.Errorf("%w: %s", err, fix)
		}
		return fmt.Errorf("sqlstore: %s: %w", op, err)
	}
	switch t.dialect.classify(err) {
	case faultNoSchema:
		return t.noSchema(ctx, op, err)
	case faultPooler:
		return fmt.Errorf("sqlstore: %s: %w: %s", op, err, poolerFix)
	}
	return fmt.Errorf("sqlstore: %s: %w", op, err)
}

// poolFix returns advice if all connections of the pool were in use at the deadline, or "".
func (t *table) poolFix(ended error) string {
	s := t.db.Stats()
	if !errors.Is(ended, context.DeadlineExceeded) || s.MaxOpenConnections == 0 ||
		s.InUse < s.MaxOpenConnections {
		return ""
	}
	return fmt.Sprintf("all connections of the pool are in use (limit %d): raise SetMaxOpenConns "+
		"(pool_size in a URL), or do not hold a connection while you use the session",
		s.MaxOpenConnections)
}
