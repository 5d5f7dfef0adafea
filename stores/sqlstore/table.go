package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/scskit/scskit/driver"
)

// table implements driver.Driver.
//
// It does not implement driver.SizeLimiter, because the largest row depends on how the database was
// compiled and configured. The database itself rejects what is too large.
type table struct {
	db      *sql.DB
	dialect Dialect
	name    tableName
	now     func() time.Time

	// writer is a semaphore for the single writer, or nil if the database allows several.
	writer chan struct{}

	load, overwrite, create, replace, touch, remove, removeAt, page, userPage, sweep *statement
}

var (
	_ driver.Driver        = (*table)(nil)
	_ driver.Ranger        = (*table)(nil)
	_ driver.UserIndex     = (*table)(nil)
	_ driver.Sweeper       = (*table)(nil)
	_ driver.SchemaManager = (*table)(nil)
)

func newTable(db *sql.DB, d Dialect, n tableName, now func() time.Time) *table {
	t := &table{db: db, dialect: d, name: n, now: now}
	if d.oneWriter {
		t.writer = make(chan struct{}, 1)
	}
	t.load = d.compile(d.statements.load, n)
	t.overwrite = d.compile(d.statements.overwrite, n)
	t.create = d.compile(d.statements.create, n)
	t.replace = d.compile(d.statements.replace, n)
	t.touch = d.compile(d.statements.touch, n)
	t.remove = d.compile(d.statements.remove, n)
	t.removeAt = d.compile(d.statements.removeAt, n)
	t.page = d.compile(d.statements.page, n)
	t.userPage = d.compile(d.statements.userPage, n)
	t.sweep = d.compile(d.statements.sweep, n)
	return t
}

func (t *table) Load(ctx context.Context, id string) (driver.Record, error) {
	rec, found := driver.Record{ID: id}, false
	v := values{id: []byte(id), now: t.micros()}
	err := t.query(ctx, t.load, &v, func(rows *sql.Rows) error {
		if found = rows.Next(); !found {
			return nil
		}
		return scan(rows, &rec)
	})
	switch {
	case err != nil:
		return driver.Record{}, t.failure(ctx, "load", err)
	case !found:
		return driver.Record{}, driver.ErrNotFound
	}
	return rec, nil
}

func (t *table) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	v := values{
		id: []byte(rec.ID), data: rec.Data, version: rec.Version, now: t.micros(),
		expiry: rec.Expiry.UnixMicro(), created: rec.Created.UnixMicro(),
		updated: rec.Updated.UnixMicro(), seen: rec.Seen.UnixMicro(), user: rec.User,
	}
	if v.data == nil {
		v.data = []byte{} // nil is NULL
	}
	s := t.overwrite
	if held, ok := cond.Match(); ok {
		s, v.held = t.replace, held
	} else if cond.Absent() {
		s = t.create
	}
	n, err := t.exec(ctx, s, &v)
	switch {
	case err != nil && t.tooLarge(ctx, err, len(rec.Data)):
		// The actual limit is unknown if it is below maxData.
		limit := min(t.dialect.maxData, len(rec.Data)-1)
		return &driver.TooLargeError{Size: len(rec.Data), Limit: limit}
	case err != nil:
		return t.failure(ctx, "save", err)
	case n == 0 && s != t.overwrite: // on MySQL, an overwrite with equal values affects no row
		return driver.ErrConflict
	}
	return nil
}

// tooLarge reports whether a save failed because of the size of its data.
func (t *table) tooLarge(ctx context.Context, err error, size int) bool {
	f := t.dialect.classify(err)
	if f != faultOther || t.dialect.askMaxData == nil || size < 64<<10 {
		return f == faultTooLarge
	}
	var most int
	err = t.onConn(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
		most, err = t.dialect.askMaxData(ctx, conn)
		return err
	})
	return err == nil && size > most
}

func (t *table) Touch(ctx context.Context, rec driver.Record) error {
	v := values{
		id: []byte(rec.ID), held: rec.Version, now: t.micros(),
		expiry: rec.Expiry.UnixMicro(), seen: rec.Seen.UnixMicro(),
	}
	n, err := t.exec(ctx, t.touch, &v)
	if err != nil {
		return t.failure(ctx, "touch", err)
	}
	if n == 0 {
		return driver.ErrConflict
	}
	return nil
}

func (t *table) Delete(ctx context.Context, id string, cond driver.Condition) error {
	s, v, missing := t.remove, values{id: []byte(id)}, driver.ErrNotFound
	if held, ok := cond.Match(); ok {
		s, v.held, missing = t.removeAt, held, driver.ErrConflict
	}
	n, err := t.exec(ctx, s, &v)
	if err != nil {
		return t.failure(ctx, "delete", err)
	}
	if n == 0 {
		return missing
	}
	return nil
}

// A page ends at the first of these limits.
const (
	pageRecords = 100
	pageBytes   = 1 << 20
)

// Range reads one page of records at a time. It holds no connection and no transaction while the
// loop body runs, so the body can use a pool of one connection, and a slow body does not keep
// SQLite from resetting its WAL file.
func (t *table) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return t.pages(ctx, "range", t.page, "")
}

// RangeUser reads pages like Range. The index on user_hash and id has them in their order, so that
// each page reads only rows of the user that no other page reads.
func (t *table) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return t.pages(ctx, "range user", t.userPage, user)
}

func (t *table) pages(
	ctx context.Context, op string, s *statement, user string,
) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		v := values{id: []byte{}, user: user, limit: pageRecords}
		for more := true; more; {
			var page []driver.Record
			var err error
			v.now = t.micros()
			page, more, err = t.readPage(ctx, s, &v)
			for _, rec := range page {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(driver.Record{}, t.failure(ctx, op, err))
				return
			}
			if more {
				// The smallest id after the last one of this page.
				v.id = append([]byte(page[len(page)-1].ID), 0)
			}
		}
	}
}

// readPage returns live records in the order of their ids, starting at v.id, and whether there may
// be more.
func (t *table) readPage(ctx context.Context, s *statement, v *values) (
	page []driver.Record, more bool, err error,
) {
	err = t.query(ctx, s, v, func(rows *sql.Rows) error {
		page, more = nil, false
		for size := 0; rows.Next(); {
			var id []byte
			var rec driver.Record
			if err := scan(rows, &rec, &id); err != nil {
				return err
			}
			rec.ID = string(id)
			page = append(page, rec)
			size += len(rec.Data)
			if size >= pageBytes || len(page) == pageRecords {
				more = true
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return page, more, nil
}

// Sweep deletes at most dialect.sweepRows records per statement, so that other writers get their
// turn in between.
func (t *table) Sweep(ctx context.Context, limit int) (removed int, err error) {
	for removed < limit {
		part := limit - removed
		if t.dialect.sweepRows > 0 {
			part = min(part, t.dialect.sweepRows)
		}
		n, err := t.exec(ctx, t.sweep, &values{now: t.micros(), limit: part})
		removed += int(n)
		if err != nil {
			return removed, t.failure(ctx, "sweep", err)
		}
		if int(n) < part {
			break
		}
	}
	return removed, nil
}

// micros returns the current time. It and the times in the table are rounded down, so that no
// record outlives its expiry.
func (t *table) micros() int64 { return t.now().UnixMicro() }

// scan reads the columns of a record, after the columns for front.
func scan(rows *sql.Rows, rec *driver.Record, front ...any) error {
	var row struct { // one allocation
		expiry, created, updated, seen int64
		user                           sql.NullString
	}
	err := rows.Scan(append(front,
		&rec.Data, &row.expiry, &row.created, &row.updated, &rec.Version, &row.seen, &row.user)...)
	if err != nil {
		return err
	}
	rec.Expiry = time.UnixMicro(row.expiry).UTC()
	rec.Created = time.UnixMicro(row.created).UTC()
	rec.Updated = time.UnixMicro(row.updated).UTC()
	rec.Seen = time.UnixMicro(row.seen).UTC()
	rec.User = row.user.String
	return nil
}
