// The tests of package sqlstore that need a driver of database/sql, which the module of scskit does
// not require. The package's own files are linked here, so that its tests see what it does not
// export.

package sqlstore
