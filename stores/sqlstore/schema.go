package sqlstore

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// schemaFix is the advice in errors that match driver.ErrNoSchema.
const schemaFix = "call the store's CreateSchema, or apply its Schema by hand"

// columns are those of every version of the table.
var columns = []string{"id", "version", "expiry", "created", "updated", "data"}

// laterColumns are those that the first version of the table did not have. They have no default and
// are not NOT NULL, so that a program of the first version can use the table too.
var laterColumns = []string{"seen", "user_hash"}

// scsColumns are the columns of the tables of alexedwards/scs's own stores.
var scsColumns = []string{"token", "data", "expiry"}

// scsFix says what becomes of the sessions in such a table.
const scsFix = "read its sessions with adapters.Adopt and legacy.SCS (docs/moving.md), " +
	"or copy them with migrate.FromSCS (docs/moving-backends.md)"

// CreateSchema creates the table and its indexes. If all exist, it changes nothing and needs no
// privileges for DDL. To a table of an earlier version it adds what that lacks; the package
// documentation says what is locked meanwhile. If the table exists without the store's first
// columns, such as the table of one of scs's own stores, it changes nothing and returns an error.
// Several programs may call it at once.
func (t *table) CreateSchema(ctx context.Context) error {
	const op = "create schema"
	l, err := t.inspect(ctx)
	if err == nil && len(l.columns) == 0 {
		if err = t.ddl(ctx, t.dialect.createTable(t.name)); err == nil {
			l, err = t.inspect(ctx)
		}
	}
	if err != nil {
		return t.failure(ctx, op, err)
	}
	if l.isForeign() {
		return t.foreign(op, &l)
	}
	if !l.uniqueID {
		return t.check(ctx, op)
	}
	for _, column := range l.missing(laterColumns) {
		if err := t.change(ctx, t.dialect.addColumn(t.name, column)); err != nil {
			return t.failure(ctx, op, err)
		}
	}
	if !l.expiryIndex {
		err = t.change(ctx, t.dialect.expiryIndex(t.name))
	}
	if err == nil && !l.userIndex {
		err = t.change(ctx, t.dialect.userIndex(t.name))
	}
	if err != nil {
		return t.failure(ctx, op, err)
	}
	return t.check(ctx, op)
}

// CheckSchema checks that the table and its columns exist, that ids are unique, and that there are
// indexes on the expiry and the user.
func (t *table) CheckSchema(ctx context.Context) error {
	return t.check(ctx, "check schema")
}

func (t *table) check(ctx context.Context, op string) error {
	l, err := t.inspect(ctx)
	if err != nil {
		return t.failure(ctx, op, err)
	}
	lacks := func(format string, args ...any) error {
		return fmt.Errorf("sqlstore: %s: %w: table %s%s", op, driver.ErrNoSchema, t.name,
			fmt.Sprintf(format, args...))
	}
	if len(l.columns) == 0 {
		return lacks(" does not exist: %s", schemaFix)
	}
	if l.isForeign() {
		return t.foreign(op, &l)
	}
	if !l.uniqueID {
		return lacks(": column id alone must be unique: recreate the table with the store's Schema")
	}
	if missing := l.missing(laterColumns); len(missing) > 0 {
		return lacks(" is of an earlier version, it lacks %s: %s", strings.Join(missing, ", "), schemaFix)
	}
	for _, index := range []struct {
		column, suffix string
		exists         bool
	}{{"expiry", "_expiry", l.expiryIndex}, {"user_hash", "_user", l.userIndex}} {
		switch {
		case index.exists:
		case op == "create schema": // CREATE INDEX has done nothing, since the name was taken
			return lacks(" has no index on %s, but something else or an invalid index is named %s: "+
				"drop that, and call the store's CreateSchema again", index.column,
				t.name.table+index.suffix)
		default:
			return lacks(" has no index on %s: %s", index.column, schemaFix)
		}
	}
	return nil
}

// DropSchema drops the table with all sessions. If the table lacks one of the columns of
// every version, it is not the store's, and DropSchema returns an error.
func (t *table) DropSchema(ctx context.Context) error {
	const op = "drop schema"
	l, err := t.inspect(ctx)
	if err != nil {
		return t.failure(ctx, op, err)
	}
	if l.isForeign() {
		return t.foreign(op, &l)
	}
	if err := t.ddl(ctx, t.dialect.dropTable(t.name)); err != nil {
		return t.failure(ctx, op, err)
	}
	return nil
}

// Schema returns the DDL, each statement with a semicolon. What only an existing table of an
// earlier version needs is in comments.
func (t *table) Schema() string {
	d, n := &t.dialect, t.name
	var text strings.Builder
	text.WriteString("-- A table of an earlier version lacks columns. Add them first:\n")
	for _, column := range laterColumns {
		text.WriteString("-- " + d.addColumn(n, column) + ";\n")
	}
	all := []string{d.createTable(n), d.expiryIndex(n), d.userIndex(n)}
	if d.indexInTable {
		text.WriteString("-- " + d.userIndex(n) + ";\n")
		all = all[:1]
	}
	text.WriteString("\n" + strings.Join(all, ";\n\n") + ";\n")
	return text.String()
}

// change runs DDL on a table that may be in use. If it waits for a lock, it gives up soon, pauses
// for the others, and tries again, until the context ends. It returns nil if another program has
// made the change.
func (t *table) change(ctx context.Context, text string) error {
	if len(t.dialect.before) == 0 {
		return t.ddl(ctx, text)
	}
	for attempt := 0; ; attempt++ {
		err := t.onConn(ctx, func(ctx context.Context, conn *sql.Conn) error {
			return t.changeOn(ctx, conn, text)
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
		switch fault := t.dialect.classify(err); {
		case fault == faultExists:
			return nil
		case fault != faultBusy && fault != faultStale:
			return err
		case bound.Sleep(ctx, changePause<<min(attempt, 3)) != nil:
			return err
		}
	}
}

// changePause is the first pause between two attempts to change a table. It doubles three times.
const changePause = 125 * time.Millisecond

// changeOn runs DDL between the dialect's statements before and after it.
func (t *table) changeOn(ctx context.Context, conn *sql.Conn, text string) (err error) {
	for _, s := range append(slices.Clone(t.dialect.before), text) {
		if _, err = conn.ExecContext(ctx, s); err != nil {
			break
		}
	}
	after := t.dialect.after
	if err != nil {
		after = t.dialect.afterFailure
	}
	if _, afterErr := conn.ExecContext(ctx, after); afterErr != nil {
		_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn }) // removes it from the pool
		if err == nil {
			err = afterErr
		}
	}
	return err
}

// ddl runs a statement that creates or drops something. It returns nil if another program has
// created it in the meantime.
func (t *table) ddl(ctx context.Context, text string) error {
	err := t.write(ctx, func() error {
		return t.onConn(ctx, func(ctx context.Context, conn *sql.Conn) error {
			_, err := conn.ExecContext(ctx, text)
			return err
		})
	})
	if err != nil && t.dialect.classify(err) == faultExists {
		return nil
	}
	return err
}

func (t *table) inspect(ctx context.Context) (l layout, err error) {
	err = t.retry(ctx, func() error {
		return t.onConn(ctx, func(ctx context.Context, conn *sql.Conn) error {
			l, err = t.dialect.inspect(ctx, conn, t.name)
			return err
		})
	})
	return l, err
}

// readLayout reads and closes rows with three columns: whether the row is about an index, the name
// of the column (the first one of an index), and whether the index is unique and has no other
// column.
func readLayout(rows *sql.Rows) (layout, error) {
	defer rows.Close()
	var l layout
	for rows.Next() {
		var (
			index  bool
			name   string
			unique bool
		)
		if err := rows.Scan(&index, &name, &unique); err != nil {
			return layout{}, err
		}
		switch {
		case !index:
			l.columns = append(l.columns, name)
		case strings.EqualFold(name, "expiry"):
			l.expiryIndex = true
		case strings.EqualFold(name, "user_hash"):
			l.userIndex = true
		case strings.EqualFold(name, "id") && unique:
			l.uniqueID = true
		}
	}
	return l, rows.Err()
}

// isForeign reports whether the table exists and is not the store's.
func (l *layout) isForeign() bool {
	return len(l.columns) > 0 && len(l.missing(columns)) > 0
}

// foreign returns the error for a table that is not the store's. The stores of alexedwards/scs have
// a table of the same name, so an application that moves from them gets this error first.
func (t *table) foreign(op string, l *layout) error {
	what := "it lacks " + strings.Join(l.missing(columns), ", ")
	var more string
	if len(l.missing(scsColumns)) == 0 {
		what = "it has the columns " + strings.Join(scsColumns, ", ") + " of scs's own stores"
		more = "; " + scsFix
	}
	other := tableName{schema: t.name.schema, table: "scskit_sessions"}
	return fmt.Errorf("sqlstore: %s: %w: table %s is not a table of this store, %s: "+
		"set sqlstore.Options.Table (table in a URL) to another name, such as %s%s",
		op, driver.ErrNoSchema, t.name, what, other, more)
}

// noSchema returns the error for an operation that failed because of the schema. It looks at the
// table once more, because CreateSchema does not help if that is not the store's.
func (t *table) noSchema(ctx context.Context, op string, err error) error {
	if l, inspectErr := t.inspect(ctx); inspectErr == nil && l.isForeign() {
		return fmt.Errorf("%w: %w", t.foreign(op, &l), err)
	}
	return fmt.Errorf("sqlstore: %s: %w: table %s: %s: %w", op, driver.ErrNoSchema, t.name,
		schemaFix, err)
}

// missing returns those of the wanted columns that the table lacks.
func (l *layout) missing(wanted []string) []string {
	var missing []string
	for _, c := range wanted {
		same := func(name string) bool { return strings.EqualFold(name, c) }
		if !slices.ContainsFunc(l.columns, same) {
			missing = append(missing, c)
		}
	}
	return missing
}
