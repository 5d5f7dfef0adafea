package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// Dialect is what the store needs to know about one kind of database. The zero
// value is none; take one from a function of this package, such as SQLite.
//
// A dialect is one file: a function that fills in this struct.
type Dialect struct {
	name string

	// title is the database's name, and that of the function which returns the dialect.
	title string

	// drivers are how the packages of drivers for the database alone begin. A mistaken dialect is
	// noticed by them; any other driver is taken at the caller's word.
	drivers []string

	// placeholder returns the n-th placeholder of a statement, n from 1.
	placeholder func(n int) string

	// quote makes a validated identifier safe to be a reserved word.
	quote func(identifier string) string

	statements templates

	// clock is the time by the server's clock, as an expression in microseconds since 1970, UTC,
	// that is the same throughout a statement. It is empty if the database has none but the
	// program's machine's.
	clock string

	// affected reads from the result of a statement that writes how many rows it affected.
	// If nil, that is sql.Result's RowsAffected.
	affected func(sql.Result) (int64, error)

	// createTable, createIndexes and dropTable are the DDL, without semicolon. The first and
	// the last are no-ops if there is nothing to do, and so are the second ones, unless
	// indexInTable is set: then createTable makes the index as well, and they are for
	// a table that was made without.
	createTable   func(n tableName) string
	createIndexes func(n tableName) []string
	dropTable     func(n tableName) string
	indexInTable  bool

	// inspect reads from the catalogue what is there.
	inspect func(ctx context.Context, conn *sql.Conn, n tableName) (layout, error)

	// classify tells what an error of the database means. It must know
	// every driver's errors without importing one.
	classify func(err error) fault

	// oneWriter says that the database lets one connection write at a time, so that
	// writers queue here, in the order in which they came, instead of polling a lock.
	oneWriter bool

	// uninterrupted says that a statement which has begun is let finish, even if its
	// context ends: its statements are all short, and cutting one short does harm.
	uninterrupted bool

	// prepares says that statements are prepared here, because no driver does so by itself.
	// An uninterrupted dialect cannot have it.
	prepares bool

	// sweepRows is how many rows one statement of a sweep removes; zero if it may be any number.
	sweepRows int

	// maxData is the most bytes that the database holds in a row.
	maxData int

	// askMaxData asks the server for the most bytes of data that it takes. It is for a save that
	// failed for no reason that classify knows: a server may close the connection
	// over which it is sent too much. It may be nil.
	askMaxData func(ctx context.Context, conn *sql.Conn) (int, error)
}

// templates are the statements of a store. Each is one round trip, and stands for
// itself: no operation needs a transaction. In braces are {table} and the parameters
// of type param, each as often as needed. Except for load and page, whose columns
// are read in the order of their names below, a statement tells by the number of
// rows it affected whether its condition held; overwrite has none, and may affect any number.
type templates struct {
	load      string // data, expiry, created, updated, version
	overwrite string // Save under driver.Always
	create    string // Save under driver.IfAbsent: also over an expired row
	replace   string // Save under driver.IfVersion
	touch     string
	remove    string
	page      string // id, data, expiry, created, updated, version; in order of ids, from {id} on
	sweep     string
}

// onConflict are the statements for a database with the upsert that SQLite took
// over from PostgreSQL.
var onConflict = templates{
	load: `SELECT data, expiry, created, updated, version FROM {table} WHERE id = {id} AND expiry > {now}`,

	overwrite: `INSERT INTO {table} AS held (id, version, expiry, created, updated, data)
		VALUES ({id}, {version}, {expiry}, {created}, {updated}, {data})
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, expiry = excluded.expiry,
		created = CASE WHEN held.expiry > {now} THEN held.created ELSE excluded.created END,
		updated = excluded.updated, data = excluded.data`,

	create: `INSERT INTO {table} AS held (id, version, expiry, created, updated, data)
		VALUES ({id}, {version}, {expiry}, {created}, {updated}, {data})
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, expiry = excluded.expiry,
		created = excluded.created, updated = excluded.updated, data = excluded.data
		WHERE held.expiry <= {now}`,

	replace: `UPDATE {table} SET version = {version}, expiry = {expiry}, updated = {updated}, data = {data}
		WHERE id = {id} AND version = {held} AND expiry > {now}`,

	touch: `UPDATE {table} SET expiry = {expiry} WHERE id = {id} AND version = {held} AND expiry > {now}`,

	remove: `DELETE FROM {table} WHERE id = {id}`,

	page: `SELECT id, data, expiry, created, updated, version FROM {table}
		WHERE id >= {id} AND expiry > {now} ORDER BY id LIMIT {limit}`,

	sweep: `DELETE FROM {table} WHERE expiry <= {both} AND id IN
		(SELECT id FROM {table} WHERE expiry <= {both} ORDER BY expiry LIMIT {limit})`,
}

// fault is what an error of the database means to the store.
type fault uint8

const (
	faultOther    fault = iota
	faultBusy           // nothing was done; the same again may work
	faultStale          // the same again works, on another connection only
	faultNoSchema       // the table is missing, or is another one
	faultTooLarge       // the row is more than the database holds
	faultExists         // what the DDL was to create is there
	faultPooler         // the connection is another one than that which knows the statement
)

// layout is what a database has under the name of the table.
type layout struct {
	columns     []string // empty if there is no such table
	uniqueID    bool     // id alone is unique
	expiryIndex bool     // an index begins with expiry
}

// param is a parameter of a statement.
type param string

// values are what a statement's parameters are taken from. Times are in
// microseconds since 1970, UTC.
type values struct {
	id      []byte
	data    []byte
	expiry  int64
	created int64
	updated int64
	version int64
	held    int64 // the version that the row must have
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
	case "version":
		return v.version
	case "held":
		return v.held
	case "now":
		return v.now
	case "limit":
		return v.limit
	}
	panic(fmt.Sprintf("sqlstore: a dialect uses {%s}, which does not exist", p))
}

var (
	inBraces = regexp.MustCompile(`\{[a-z]+\}`)
	space    = regexp.MustCompile(`\s+`)
)

// compile turns a template into a statement, every occurrence of a parameter
// into an argument of its own.
func (d *Dialect) compile(template string, n tableName) *statement {
	s := new(statement)
	both := "{now}"
	if d.clock != "" {
		both = "LEAST({now}, " + d.clock + ")"
	}
	template = strings.ReplaceAll(template, "{both}", both)
	s.text = inBraces.ReplaceAllStringFunc(space.ReplaceAllString(template, " "),
		func(word string) string {
			p := param(word[1 : len(word)-1])
			if p == "table" {
				return d.quoteName(n)
			}
			new(values).get(p)
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

// doubleQuote is the SQL standard's way to quote an identifier.
func doubleQuote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}
