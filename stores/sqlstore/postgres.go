package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// PostgreSQL returns the dialect of PostgreSQL. The package documentation lists the required
// versions, settings and privileges.
func PostgreSQL() Dialect {
	statements := onConflict
	// SKIP LOCKED leaves out rows that another sweep or a save has locked, so that neither waits.
	// The subquery is an array so that the planner always fetches these rows by their ctid.
	statements.sweep = `DELETE FROM {table} WHERE ` + ownRow + ` AND expiry <= {both}
		AND ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE expiry <= {both}
		ORDER BY expiry LIMIT {limit} FOR UPDATE SKIP LOCKED))`
	return Dialect{
		name:        "postgresql",
		title:       "PostgreSQL",
		drivers:     []string{"github.com/jackc/pgx/", "github.com/lib/pq"},
		placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		quote:       doubleQuote,
		statements:  statements,
		clock:       `(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::bigint`,
		createTable: postgresTable,
		expiryIndex: postgresExpiryIndex,
		userIndex:   postgresUserIndex,
		dropTable:   func(n tableName) string { return `DROP TABLE IF EXISTS ` + postgresName(n) },
		addColumn: func(n tableName, column string) string {
			kind := map[string]string{"seen": "BIGINT", "user_hash": "BYTEA"}[column]
			return `ALTER TABLE ` + postgresName(n) + ` ADD COLUMN IF NOT EXISTS ` + column + ` ` + kind
		},
		before:       []string{`BEGIN`, `SET LOCAL lock_timeout = '200ms'`},
		after:        `COMMIT`,
		afterFailure: `ROLLBACK`,
		inspect:      inspectPostgres,
		classify:     classifyPostgres,
		maxData:      1<<30 - 1024, // MaxAllocSize, minus the other columns
	}
}

// poolerFix is the advice if a prepared statement is missing or exists already.
const poolerFix = "behind a pooler in transaction mode, such as PgBouncer, set pgx's " +
	"parameter default_query_exec_mode=exec"

// postgresTable returns the CREATE TABLE statement. BYTEA has no collation and no encoding.
func postgresTable(n tableName) string {
	return `CREATE TABLE IF NOT EXISTS ` + postgresName(n) + ` (
	id        BYTEA  NOT NULL PRIMARY KEY,
	version   BIGINT NOT NULL,
	expiry    BIGINT NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,
	seen      BIGINT, -- NULL: when updated
	user_hash BYTEA,  -- NULL: no user
	data      BYTEA  NOT NULL
)`
}

// postgresExpiryIndex names the index without a schema, as PostgreSQL requires. The index is in the
// schema of its table.
func postgresExpiryIndex(n tableName) string {
	return `CREATE INDEX IF NOT EXISTS ` + doubleQuote(n.table+"_expiry") + ` ON ` +
		postgresName(n) + ` (expiry)`
}

// postgresUserIndex leaves out sessions without a user, which then cost nothing.
func postgresUserIndex(n tableName) string {
	return `CREATE INDEX IF NOT EXISTS ` + doubleQuote(n.table+"_user") + ` ON ` +
		postgresName(n) + ` (user_hash, id)
	WHERE user_hash IS NOT NULL`
}

func postgresName(n tableName) string {
	if n.schema == "" {
		return doubleQuote(n.table)
	}
	return doubleQuote(n.schema) + "." + doubleQuote(n.table)
}

// inspectPostgres reads columns and indexes with one query. It looks up the name along the search
// path, as statements do. Deferrable and invalid indexes, and those on expressions, do not count. A
// partial index counts only if it has every row with a user.
func inspectPostgres(ctx context.Context, conn *sql.Conn, n tableName) (layout, error) {
	rows, err := conn.QueryContext(ctx, `SELECT false, a.attname::text, false
		FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT true, a.attname::text, i.indisunique AND i.indimmediate AND i.indnkeyatts = 1
		FROM pg_catalog.pg_index i
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND (i.indpred IS NULL OR
			a.attname = 'user_hash' AND
			pg_get_expr(i.indpred, i.indrelid) = '(user_hash IS NOT NULL)')`, postgresName(n))
	if err != nil {
		return layout{}, err
	}
	return readLayout(rows)
}

// classifyPostgres uses the SQLSTATE, which the errors of pgx and lib/pq both have. See
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func classifyPostgres(err error) fault {
	var coded interface{ SQLState() string }
	if !errors.As(err, &coded) {
		// pgx may read ahead during a slow write. If the context ends just as the operation
		// succeeds, the next operation on the connection fails with the deadline of the previous
		// one. A repeated save is recognized by its version.
		if strings.HasPrefix(err.Error(), "timeout: read ") {
			return faultStale
		}
		return faultOther
	}
	switch coded.SQLState() {
	case "40001", // serialization_failure
		"40P01", // deadlock_detected
		"55P03": // lock_not_available
		return faultBusy
	case "57P01", // admin_shutdown
		"57P02", // crash_shutdown
		"57P05": // idle_session_timeout
		// The server has closed an idle connection, or aborted the statement before its commit.
		return faultStale
	case "42P01", // undefined_table
		"42703", // undefined_column
		"42P10", // invalid_column_reference: no unique constraint for ON CONFLICT
		"3F000": // invalid_schema_name
		return faultNoSchema
	case "54000": // program_limit_exceeded
		return faultTooLarge
	case "26000", // invalid_sql_statement_name
		"42P05": // duplicate_prepared_statement
		return faultPooler
	case "42P07", // duplicate_table
		"42701", // duplicate_column
		"42710": // duplicate_object, the type of the table's rows
		return faultExists
	case "23505": // unique_violation in the catalog, from a concurrent CREATE … IF NOT EXISTS
		if strings.Contains(err.Error(), "pg_type_typname_nsp_index") ||
			strings.Contains(err.Error(), "pg_class_relname_nsp_index") {
			return faultExists
		}
	case "XX000": // internal_error
		switch text := err.Error(); {
		case strings.Contains(text, "invalid memory alloc request size"):
			return faultTooLarge
		case strings.Contains(text, "tuple concurrently"): // updated or deleted by other DDL
			return faultBusy
		}
	}
	return faultOther
}
