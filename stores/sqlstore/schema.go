package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/scskit/scskit/driver"
)

// schemaFix is the advice in errors that match driver.ErrNoSchema.
const schemaFix = "call the store's CreateSchema, or apply its Schema by hand"

var columns = []string{"id", "version", "expiry", "created", "updated", "data"}

// CreateSchema creates the table and its index. If both exist, it changes nothing and needs no
// privileges for DDL. If the table exists without the store's columns, such as the table of one of
// scs's own stores, it changes nothing and returns an error.
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
	if missing := l.missingColumns(); len(missing) > 0 {
		return t.foreign(op, missing)
	}
	if !l.expiryIndex {
		for _, index := range t.dialect.createIndexes(t.name) {
			if err := t.ddl(ctx, index); err != nil {
				return t.failure(ctx, op, err)
			}
		}
	}
	return t.check(ctx, op)
}

// CheckSchema checks that the table and its columns exist, that ids are unique, and that there is
// an index on expiry.
func (t *table) CheckSchema(ctx context.Context) error {
	return t.check(ctx, "check schema")
}

func (t *table) check(ctx context.Context, op string) error {
	l, err := t.inspect(ctx)
	if err != nil {
		return t.failure(ctx, op, err)
	}
	if len(l.columns) == 0 {
		return fmt.Errorf("sqlstore: %s: %w: table %s does not exist: %s", op, driver.ErrNoSchema,
			t.name, schemaFix)
	}
	if missing := l.missingColumns(); len(missing) > 0 {
		return t.foreign(op, missing)
	}
	if !l.uniqueID {
		return fmt.Errorf("sqlstore: %s: %w: table %s: column id alone must be unique: "+
			"recreate the table with the store's Schema", op, driver.ErrNoSchema, t.name)
	}
	if !l.expiryIndex {
		return fmt.Errorf("sqlstore: %s: %w: table %s has no index on expiry: %s", op,
			driver.ErrNoSchema, t.name, schemaFix)
	}
	return nil
}

// DropSchema drops the table with all sessions. If the table lacks one of the store's columns, it
// is not the store's, and DropSchema returns an error.
func (t *table) DropSchema(ctx context.Context) error {
	const op = "drop schema"
	l, err := t.inspect(ctx)
	if err != nil {
		return t.failure(ctx, op, err)
	}
	if missing := l.missingColumns(); len(l.columns) > 0 && len(missing) > 0 {
		return t.foreign(op, missing)
	}
	if err := t.ddl(ctx, t.dialect.dropTable(t.name)); err != nil {
		return t.failure(ctx, op, err)
	}
	return nil
}

// Schema returns the DDL, each statement with a semicolon.
func (t *table) Schema() string {
	all := []string{t.dialect.createTable(t.name)}
	if !t.dialect.indexInTable {
		all = append(all, t.dialect.createIndexes(t.name)...)
	}
	return strings.Join(all, ";\n\n") + ";\n"
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
		case strings.EqualFold(name, "id") && unique:
			l.uniqueID = true
		}
	}
	return l, rows.Err()
}

// foreign returns the error for a table that is not the store's.
func (t *table) foreign(op string, missing []string) error {
	return fmt.Errorf("sqlstore: %s: %w: table %s is not a table of this store, it lacks %s: "+
		"choose another name in Options.Table",
		op, driver.ErrNoSchema, t.name, strings.Join(missing, ", "))
}

func (l *layout) missingColumns() []string {
	var missing []string
	for _, c := range columns {
		same := func(name string) bool { return strings.EqualFold(name, c) }
		if !slices.ContainsFunc(l.columns, same) {
			missing = append(missing, c)
		}
	}
	return missing
}
