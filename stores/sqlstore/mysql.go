package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// MySQL returns the dialect of MySQL and MariaDB. The package documentation lists the required
// versions, settings and privileges.
func MySQL() Dialect {
	return Dialect{
		name:        "mysql",
		title:       "MySQL",
		drivers:     []string{"github.com/go-sql-driver/mysql"},
		placeholder: func(int) string { return "?" },
		quote:       backquote,
		statements:  onDuplicateKey,
		clock:       `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))`,
		affected:    affectedMySQL,
		createTable: mysqlTable,
		expiryIndex: mysqlExpiryIndex,
		userIndex:   mysqlUserIndex,
		dropTable:   func(n tableName) string { return `DROP TABLE IF EXISTS ` + mysqlName(n) },
		before: []string{ // the unit is a second
			`SET @scskit_lock_wait = @@lock_wait_timeout`,
			`SET lock_wait_timeout = 1`,
		},
		after:        `SET lock_wait_timeout = @scskit_lock_wait`,
		afterFailure: `SET lock_wait_timeout = @scskit_lock_wait`,
		indexInTable: true,
		addColumn: func(n tableName, column string) string {
			kind := map[string]string{"seen": "BIGINT", "user_hash": "VARBINARY(64)"}[column]
			return `ALTER TABLE ` + mysqlName(n) + ` ADD COLUMN ` + column + ` ` + kind
		},
		prepares: true,
		inspect:  inspectMySQL,
		classify: classifyMySQL,
		maxData:  1<<30 - 1024, // largest max_allowed_packet, minus the other columns
		askMaxData: func(ctx context.Context, conn *sql.Conn) (most int, err error) {
			err = conn.QueryRowContext(ctx, "SELECT @@max_allowed_packet - 1024").Scan(&most)
			return most, err
		},
	}
}

// onDuplicateKey are the statements. MySQL's upsert has no WHERE clause: where the condition does
// not hold, the statement sets every column to its current value. Assignments take effect from left
// to right, so expiry comes last, because the others read it. VALUES() is the only name for the new
// row that both MySQL and MariaDB support.
//
// The number of affected rows does not show whether the condition held: a statement that stores
// equal values affects no row or one row, depending on the connection's clientFoundRows. Instead, a
// statement calls LAST_INSERT_ID(x), which makes x the insert id of its result. MySQL evaluates the
// call only if the row exists. x is mysqlHeld or mysqlNot; see affectedMySQL.
var onDuplicateKey = func() templates {
	// report returns an expression that is true unless the condition is, and sets the insert id.
	report := func(unless string) string { return `LAST_INSERT_ID(IF(` + unless + `, 2, 1)) = 1` }

	upsert := `INSERT INTO {table} (` + rowColumns + `) VALUES (` + rowValues + `)
		ON DUPLICATE KEY UPDATE `
	ifExpired := func(column string) string {
		return column + ` = IF(expiry <= {now}, VALUES(` + column + `), ` + column + `)`
	}
	return templates{
		load: onConflict.load,

		overwrite: upsert + ifExpired("created") + `, version = VALUES(version),
			updated = VALUES(updated), seen = VALUES(seen), user_hash = VALUES(user_hash),
			data = VALUES(data), expiry = VALUES(expiry)`,

		create: upsert + strings.Join([]string{
			`created = IF(` + report(`expiry > {now}`) + `, VALUES(created), created)`,
			ifExpired("version"),
			ifExpired("updated"),
			ifExpired("seen"),
			ifExpired("user_hash"),
			ifExpired("data"),
			ifExpired("expiry"),
		}, ", "),

		replace: `UPDATE {table} SET version = IF(` + report(`expiry <= {now}`) + `, {version}, version),
			updated = {updated}, seen = {seen}, user_hash = {user}, data = {data}, expiry = {expiry}
			WHERE id = {id} AND version = {held} AND expiry > {now}`,

		touch: `UPDATE {table} SET seen = IF(` + report(`expiry <= {now}`) + `, {seen}, seen),
			expiry = {expiry}
			WHERE id = {id} AND version = {held} AND expiry > {now}`,

		remove:   onConflict.remove,
		removeAt: onConflict.removeAt,
		page:     onConflict.page,
		userPage: onConflict.userPage,
		sweep: `DELETE FROM {table} WHERE ` + ownRow + ` AND expiry <= {both}
			ORDER BY expiry LIMIT {limit}`,
	}
}()

// These insert ids report whether a statement's condition held. The table has no AUTO_INCREMENT, so
// the insert id is 0 unless the statement sets it.
const (
	mysqlHeld = 1
	mysqlNot  = 2
)

func affectedMySQL(result sql.Result) (int64, error) {
	switch id, err := result.LastInsertId(); {
	case err != nil:
		return 0, err
	case id == mysqlHeld:
		return 1, nil
	case id == mysqlNot:
		return 0, nil
	}
	return result.RowsAffected()
}

// mysqlTable returns the CREATE TABLE statement. VARBINARY has no collation and no encoding, and is
// not padded. Row format DYNAMIC allows an index on 512 bytes, and is stated because a server may
// have another default. The indexes are part of the statement because MySQL's CREATE INDEX has no
// IF NOT EXISTS. MySQL has no partial indexes, so sessions without a user are in both.
func mysqlTable(n tableName) string {
	return `CREATE TABLE IF NOT EXISTS ` + mysqlName(n) + ` (
	id        VARBINARY(512) NOT NULL PRIMARY KEY,
	version   BIGINT         NOT NULL,
	expiry    BIGINT         NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   BIGINT         NOT NULL,
	updated   BIGINT         NOT NULL,
	seen      BIGINT,        -- NULL: when updated
	user_hash VARBINARY(64), -- NULL: no user
	data      LONGBLOB       NOT NULL,
	INDEX ` + backquote(n.table+"_expiry") + ` (expiry),
	INDEX ` + backquote(n.table+"_user") + ` (user_hash, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`
}

func mysqlExpiryIndex(n tableName) string {
	return `CREATE INDEX ` + backquote(n.table+"_expiry") + ` ON ` + mysqlName(n) + ` (expiry)`
}

func mysqlUserIndex(n tableName) string {
	return `CREATE INDEX ` + backquote(n.table+"_user") + ` ON ` + mysqlName(n) + ` (user_hash, id)`
}

func mysqlName(n tableName) string {
	if n.schema == "" {
		return backquote(n.table)
	}
	return backquote(n.schema) + "." + backquote(n.table)
}

func backquote(identifier string) string {
	return "`" + strings.ReplaceAll(identifier, "`", "``") + "`"
}

// inspectMySQL reads columns and indexes with one query. Indexes on a prefix of a column or on an
// expression do not count.
func inspectMySQL(ctx context.Context, conn *sql.Conn, n tableName) (layout, error) {
	schema := sql.NullString{String: n.schema, Valid: n.schema != ""}
	rows, err := conn.QueryContext(ctx, `SELECT 0, column_name, 0 FROM information_schema.columns
		WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?
		UNION ALL
		SELECT 1, s.column_name, s.non_unique = 0 AND NOT EXISTS (
			SELECT 1 FROM information_schema.statistics AS more
			WHERE more.table_schema = s.table_schema AND more.table_name = s.table_name
			AND more.index_name = s.index_name AND more.seq_in_index = 2)
		FROM information_schema.statistics AS s
		WHERE s.table_schema = COALESCE(?, DATABASE()) AND s.table_name = ?
		AND s.seq_in_index = 1 AND s.sub_part IS NULL AND s.column_name IS NOT NULL`,
		schema, n.table, schema, n.table)
	if err != nil {
		return layout{}, err
	}
	return readLayout(rows)
}

// classifyMySQL uses the server's error number, with which the messages of drivers begin. See
// https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html and
// https://mariadb.com/kb/en/mariadb-error-code-reference/.
func classifyMySQL(err error) fault {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch text := e.Error(); mysqlNumber(text) {
		case 0:
			if strings.HasPrefix(text, "packet for query is too large") { // the driver's own limit
				return faultTooLarge
			}
		case 1213, // ER_LOCK_DEADLOCK
			1205, // ER_LOCK_WAIT_TIMEOUT
			1020, // ER_CHECKREAD, from MariaDB's snapshot isolation
			1615: // ER_NEED_REPREPARE
			return faultBusy
		case 1146, // ER_NO_SUCH_TABLE
			1054, // ER_BAD_FIELD_ERROR
			1049: // ER_BAD_DB_ERROR
			return faultNoSchema
		case 1153, // ER_NET_PACKET_TOO_LARGE
			1118, // ER_TOO_BIG_ROWSIZE, also for a row that is too large for the redo log
			1301: // ER_WARN_ALLOWED_PACKET_OVERFLOWED
			return faultTooLarge
		case 1406: // ER_DATA_TOO_LONG, if the column is a smaller BLOB than mysqlTable creates
			if strings.Contains(text, "'data'") {
				return faultTooLarge
			}
		case 1105: // ER_UNKNOWN_ERROR
			if strings.Contains(text, "max_long_data_size") || strings.Contains(text, "max_allowed_packet") {
				return faultTooLarge
			}
		case 1050, // ER_TABLE_EXISTS_ERROR
			1060, // ER_DUP_FIELDNAME
			1061: // ER_DUP_KEYNAME
			return faultExists
		}
	}
	return faultOther
}

// mysqlNumber returns N if text begins with "Error N", and 0 otherwise.
func mysqlNumber(text string) int {
	const word = "error "
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return 0
	}
	digits := text[len(word):]
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || '9' < r })
	if end < 0 {
		end = len(digits)
	}
	n, _ := strconv.Atoi(digits[:end])
	return n
}
