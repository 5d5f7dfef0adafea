// Package sqlstore has the tests of stores/sqlstore that need a database/sql driver, which the root
// module does not require. The package's own files are symbolic links to stores/sqlstore, so that
// the tests can use unexported identifiers.
package sqlstore
