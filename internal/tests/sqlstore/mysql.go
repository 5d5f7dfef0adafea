package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// MySQL returns the dialect of MySQL and MariaDB. The package's documentation has the
// versions, settings and rights that it needs.
func MySQL() Dialect {
	return Dialect{
		name:          "mysql",
		title:         "MySQL",
		drivers:       []string{"github.com/go-sql-driver/mysql"},
		placeholder:   func(int) string { return "?" },
		quote:         backquote,
		statements:    onDuplicateKey,
		clock:         `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))`,
		affected:      affectedMySQL,
		createTable:   mysqlTable,
		createIndexes: mysqlIndexes,
		dropTable:     func(n tableName) string { return `DROP TABLE IF EXISTS ` + mysqlName(n) },
		indexInTable:  true,
		prepares:      true,
		inspect:       inspectMySQL,
		classify:      classifyMySQL,
		maxData:       1<<30 - 1024, // the most that max_allowed_packet can be, less the other columns
		askMaxData: func(ctx context.Context, conn *sql.Conn) (most int, err error) {
			err = conn.QueryRowContext(ctx, "SELECT @@max_allowed_packet - 1024").Scan(&most)
			return most, err
		},
	}
}

// onDuplicateKey are the statements. MySQL's upsert has no condition of its own: where
// it does not hold, every column is set to what it is. Assignments take place from left to right,
// so that expiry, which the others look at, comes last. VALUES() is the one way to name the
// new row that MySQL and MariaDB both know.
//
// The number of affected rows says little here. A statement that stores what is there already
// affects no row, or one, as the connection's clientFoundRows would have it. What tells instead is
// LAST_INSERT_ID(x), which makes x the insert id of the statement's result: it is evaluated
// only where a row is there, and is mysqlHeld or mysqlNot. See affectedMySQL.
var onDuplicateKey = func() templates {
	// A template's own condition, 1 or 2 by the row that is there.
	tell := func(unless string) string { return `LAST_INSERT_ID(IF(` + unless + `, 2, 1)) = 1` }

	upsert := `INSERT INTO {table} (id, version, expiry, created, updated, data)
		VALUES ({id}, {version}, {expiry}, {created}, {updated}, {data}) ON DUPLICATE KEY UPDATE `
	ifExpired := func(column string) string {
		return column + ` = IF(expiry <= {now}, VALUES(` + column + `), ` + column + `)`
	}
	return templates{
		load: onConflict.load,

		overwrite: upsert + ifExpired("created") + `, version = VALUES(version), updated = VALUES(updated),
			data = VALUES(data), expiry = VALUES(expiry)`,

		create: upsert + `created = IF(` + tell(`expiry > {now}`) + `, VALUES(created), created), ` +
			strings.Join([]string{ifExpired("version"), ifExpired("updated"), ifExpired("data"),
				ifExpired("expiry")}, ", "),

		replace: `UPDATE {table} SET version = IF(` + tell(`expiry <= {now}`) + `, {version}, version),
			updated = {updated}, data = {data}, expiry = {expiry}
			WHERE id = {id} AND version = {held} AND expiry > {now}`,

		touch: `UPDATE {table} SET expiry = IF(` + tell(`expiry <= {now}`) + `, {expiry}, expiry)
			WHERE id = {id} AND version = {held} AND expiry > {now}`,

		remove: onConflict.remove,
		page:   onConflict.page,
		sweep:  `DELETE FROM {table} WHERE expiry <= {both} ORDER BY expiry LIMIT {limit}`,
	}
}()

// What a statement's insert id says of its condition. The table has no AUTO_INCREMENT, so that
// it is 0 unless the statement set it.
const (
	mysqlHeld = 1
	mysqlNot  = 2
)

func affectedMySQL(result sql.Result) (int64, error) {
	switch told, err := result.LastInsertId(); {
	case err != nil:
		return 0, err
	case told == mysqlHeld:
		return 1, nil
	case told == mysqlNot:
		return 0, nil
	}
	return result.RowsAffected()
}

// mysqlTable: VARBINARY knows no collation and no encoding, and does not pad. An index can have
// 512 bytes of it in the row format DYNAMIC, which a server may have been told not
// to take by default. An index apart from its table could not be made with IF NOT EXISTS.
func mysqlTable(n tableName) string {
	return `CREATE TABLE IF NOT EXISTS ` + mysqlName(n) + ` (
	id      VARBINARY(512) NOT NULL PRIMARY KEY,
	version BIGINT         NOT NULL,
	expiry  BIGINT         NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created BIGINT         NOT NULL,
	updated BIGINT         NOT NULL,
	data    LONGBLOB       NOT NULL,
	INDEX ` + backquote(n.table+"_expiry") + ` (expiry)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`
}

func mysqlIndexes(n tableName) []string {
	return []string{`CREATE INDEX ` + backquote(n.table+"_expiry") + ` ON ` + mysqlName(n) +
		` (expiry)`}
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

// inspectMySQL asks for everything at once. Indexes on the beginning of a column do not count, nor
// do expressions, which have no column.
func inspectMySQL(ctx context.Context, conn *sql.Conn, n tableName) (layout, error) {
	schema := sql.NullString{String: n.schema, Valid: n.schema != ""}
	rows, err := conn.QueryContext(ctx, `SELECT 0, column_name, 0 FROM information_schema.columns
		WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?
		UNION ALL
		SELECT 1, s.column_name, s.non_unique = 0 AND NOT EXISTS (SELECT 1 FROM information_schema.statistics AS more
			WHERE more.table_schema = s.table_schema AND more.table_name = s.table_name
			AND more.index_name = s.index_name AND more.seq_in_index = 2)
		FROM information_schema.statistics AS s
		WHERE s.table_schema = COALESCE(?, DATABASE()) AND s.table_name = ?
		AND s.seq_in_index = 1 AND s.sub_part IS NULL AND s.column_name IS NOT NULL`, schema, n.table, schema, n.table)
	if err != nil {
		return layout{}, err
	}
	return readLayout(rows)
}

// classifyMySQL goes by the server's error number, with which every driver's message begins, see
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
			1020, // ER_CHECKREAD, of MariaDB's snapshot isolation
			1615: // ER_NEED_REPREPARE
			return faultBusy
		case 1146, // ER_NO_SUCH_TABLE
			1054, // ER_BAD_FIELD_ERROR
			1049: // ER_BAD_DB_ERROR
			return faultNoSchema
		case 1153, // ER_NET_PACKET_TOO_LARGE
			1118, // ER_TOO_BIG_ROWSIZE, also if it is large beside the redo log
			1301: // ER_WARN_ALLOWED_PACKET_OVERFLOWED
			return faultTooLarge
		case 1406: // ER_DATA_TOO_LONG, if a BLOB was made by hand that is no LONGBLOB
			if strings.Contains(text, "'data'") {
				return faultTooLarge
			}
		case 1105: // ER_UNKNOWN_ERROR
			if strings.Contains(text, "max_long_data_size") || strings.Contains(text, "max_allowed_packet") {
				return faultTooLarge
			}
		case 1050, // ER_TABLE_EXISTS_ERROR
			1061: // ER_DUP_KEYNAME
			return faultExists
		}
	}
	return faultOther
}

// mysqlNumber returns N if the text of an error begins with "Error N".
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
