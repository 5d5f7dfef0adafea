package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// Dialect describes one kind of database to the store. The zero value is not valid: use a function
// of this package that returns a Dialect, such as SQLite.
//
// Each dialect is one file with a function that fills in this struct.
type Dialect struct {
	name string

	// title is the name of the database for people, and of the function that returns the dialect.
	title string

	// drivers are prefixes of the import paths of drivers that work only with this database. They
	// detect a wrong dialect. With any other driver, the caller's choice stands.
	drivers []string

	// placeholder returns the n-th placeholder of a statement, counted from 1.
	placeholder func(n int) string

	// quote quotes a validated identifier, which may be a reserved word.
	quote func(identifier string) string

	statements templates

	// clock is an expression for the server's time in microseconds since 1970, UTC. It is constant
	// within a statement. It is empty if the database runs in the program's process.
	clock string

	// affected returns the number of rows that a writing statement affected. If nil, that is the
	// result's RowsAffected.
	affected func(sql.Result) (int64, error)

	// These return the DDL, without semicolons. createTable and dropTable do nothing if there is
	// nothing to do, and neither do the indexes unless indexInTable is set. In that case createTable
	// also creates the indexes, and these are for a table without them.
	createTable  func(n tableName) string
	expiryIndex  func(n tableName) string
	userIndex    func(n tableName) string
	dropTable    func(n tableName) string
	indexInTable bool

	// addColumn returns the statement that adds one of laterColumns. It takes no time in proportion
	// to the table.
	addColumn func(n tableName, column string) string

	// before are the statements before a change of an existing table. They limit how long it waits
	// for a lock, because all other statements queue behind it. after and afterFailure come after it.
	// They are empty if nobody queues.
	before              []string
	after, afterFailure string

	// inspect reads the layout of a table from the catalog.
	inspect func(ctx context.Context, conn *sql.Conn, n tableName) (layout, error)

	// classify returns what an error of the database means to the store. It must recognize the
	// errors of every driver without importing one.
	classify func(err error) fault

	// oneWriter is set if the database allows one writing connection at a time. Writers then queue
	// in the store, in order, instead of polling a lock.
	oneWriter bool

	// uninterrupted is set if a running statement is left to finish when its context ends. All of
	// its statements are short, and interrupting one does harm.
	uninterrupted bool

	// prepares is set if the store prepares statements because no driver does so itself. It has no
	// effect together with uninterrupted.
	prepares bool

	// sweepRows limits the number of rows that one statement of a sweep deletes; zero is no limit.
	sweepRows int

	// maxData is the largest number of bytes of data that the database can store in a row.
	maxData int

	// askMaxData returns the largest number of bytes of data that the server accepts. The store
	// calls it after a save has failed with an error that classify does not recognize, because a
	// server may close the connection when it receives too much. It may be nil.
	askMaxData func(ctx context.Context, conn *sql.Conn) (int, error)
}

// templates are the statements of a store. Each takes one round trip, and none needs a transaction.
//
// They contain {table}, {both} (see compile) and parameters of type param, each as often as needed.
// load and the pages select the columns listed below, in that order. The others report by the
// number of affected rows whether their condition held; overwrite has no condition, and may affect
// any number.
type templates struct {
	load      string // fields
	overwrite string // Save with driver.Always
	create    string // Save with driver.IfAbsent; replaces an expired row
	replace   string // Save with driver.IfVersion
	touch     string
	remove    string // Delete with driver.Always
	removeAt  string // Delete with driver.IfVersion
	page      string // id and fields, ordered by id, from {id} on
	userPage  string // the same for the rows of {user}
	sweep     string
}

// fields are the columns that scan reads. A row without seen was written by a version of this
// package that did not know the column.
const fields = `data, expiry, created, updated, version, COALESCE(seen, updated), user_hash`

// An insert sets all columns.
const (
	rowColumns = `id, version, expiry, created, updated, seen, user_hash, data`
	rowValues  = `{id}, {version}, {expiry}, {created}, {updated}, {seen}, {user}, {data}`
)

// ownRow is a condition that every row fulfills. Because of it, the statements that delete name all
// columns of every version except data, as the other statements do. They fail on another program's
// table that has the columns id and expiry, and delete nothing there. It comes first, so that the
// missing column is what the database reports.
const ownRow = `version IS NOT NULL AND created IS NOT NULL AND updated IS NOT NULL`

// onConflict are the statements for PostgreSQL's upsert, which SQLite has adopted.
var onConflict = templates{
	load: `SELECT ` + fields + ` FROM {table}
		WHERE id = {id} AND expiry > {now}`,

	overwrite: `INSERT INTO {table} AS held (` + rowColumns + `) VALUES (` + rowValues + `)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, expiry = excluded.expiry,
		created = CASE WHEN held.expiry > {now} THEN held.created ELSE excluded.created END,
		updated = excluded.updated, seen = excluded.seen, user_hash = excluded.user_hash,
		data = excluded.data`,

	create: `INSERT INTO {table} AS held (` + rowColumns + `) VALUES (` + rowValues + `)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, expiry = excluded.expiry,
		created = excluded.created, updated = excluded.updated, seen = excluded.seen,
		user_hash = excluded.user_hash, data = excluded.data
		WHERE held.expiry <= {now}`,

	replace: `UPDATE {table}
		SET version = {version}, expiry = {expiry}, updated = {updated}, seen = {seen},
		user_hash = {user}, data = {data}
		WHERE id = {id} AND version = {held} AND expiry > {now}`,

	touch: `UPDATE {table} SET expiry = {expiry}, seen = {seen}
		WHERE id = {id} AND version = {held} AND expiry > {now}`,

	remove: `DELETE FROM {table} WHERE ` + ownRow + ` AND id = {id}`,

	removeAt: `DELETE FROM {table} WHERE ` + ownRow + ` AND id = {id} AND version = {held}`,

	page: `SELECT id, ` + fields + ` FROM {table}
		WHERE id >= {id} AND expiry > {now} ORDER BY id LIMIT {limit}`,

	userPage: `SELECT id, ` + fields + ` FROM {table}
		WHERE user_hash = {user} AND id >= {id} AND expiry > {now} ORDER BY id LIMIT {limit}`,

	sweep: `DELETE FROM {table} WHERE ` + ownRow + ` AND expiry <= {both} AND id IN
		(SELECT id FROM {table} WHERE expiry <= {both} ORDER BY expiry LIMIT {limit})`,
}

// fault is the meaning of a database error to the store.
type fault uint8

const (
	faultOther    fault = iota
	faultBusy           // the statement had no effect; repeat it
	faultStale          // the connection is unusable; repeat the statement on another one
	faultNoSchema       // the table is missing, or has other columns
	faultTooLarge       // the row is larger than the database allows
	faultExists         // what the DDL creates exists already
	faultPooler         // the statement was prepared on another server connection
)

// layout describes a table in a database.
type layout struct {
	columns     []string // empty if the table does not exist
	uniqueID    bool     // the column id alone is unique
	expiryIndex bool     // an index starts with the column expiry
	userIndex   bool     // an index of all rows with a user starts with the column user_hash
}

// param is a parameter of a statement.
type param string

// values are the values of a statement's parameters. Times are in microseconds since 1970, UTC.
type values struct {
	id      []byte
	data    []byte
	expiry  int64
	created int64
	updated int64
	seen    int64
	version int64
	user    string
	held    int64 // the version that the row must have for replace, touch and removeAt
	now     int64
	limit   int
}

func (v *values) get(p param) any {
	switch p {
	case "id":
		return v.id
	case "data":
		return v.data
	case "expiry":
		return v.expiry
	case "created":
		return v.created
	case "updated":
		return v.updated
	case "seen":
		return v.seen
	case "user":
		if v.user == "" {
			return nil
		}
		return []byte(v.user)
	case "version":
		return v.version
	case "held":
		return v.held
	case "now":
		return v.now
	case "limit":
		return v.limit
	}
	panic(fmt.Sprintf("sqlstore: a dialect uses the unknown parameter {%s}", p))
}

var (
	inBraces = regexp.MustCompile(`\{[a-z]+\}`)
	space    = regexp.MustCompile(`\s+`)
)

// compile turns a template into a statement. Each occurrence of a parameter becomes an argument of
// its own. {both} becomes the earlier of the program's and the server's time.
func (d *Dialect) compile(template string, n tableName) *statement {
	both := "{now}"
	if d.clock != "" {
		both = "LEAST({now}, " + d.clock + ")"
	}
	text := strings.ReplaceAll(template, "{both}", both)
	text = space.ReplaceAllString(text, " ")
	s := new(statement)
	s.text = inBraces.ReplaceAllStringFunc(text, func(word string) string {
		p := param(word[1 : len(word)-1])
		if p == "table" {
			return d.quoteName(n)
		}
		new(values).get(p) // panics if a dialect has a typing error
		s.params = append(s.params, p)
		return d.placeholder(len(s.params))
	})
	return s
}

func (d *Dialect) quoteName(n tableName) string {
	if n.schema == "" {
		return d.quote(n.table)
	}
	return d.quote(n.schema) + "." + d.quote(n.table)
}

// doubleQuote quotes an identifier as standard SQL does.
func doubleQuote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}
