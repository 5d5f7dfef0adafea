package sqlstore

import (
	"errors"
	"fmt"
	"testing"
)

// codeError is an error with a result code, like those of modernc.org/sqlite.
type codeError int

func (e codeError) Error() string { return "some text" }
func (e codeError) Code() int     { return int(e) }

// TestClassifySQLite uses error texts of modernc.org/sqlite, mattn/go-sqlite3 and
// ncruces/go-sqlite3.
func TestClassifySQLite(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want fault
	}{
		{codeError(1), faultOther},
		{codeError(5), faultBusy},
		{codeError(261), faultBusy}, // SQLITE_BUSY_RECOVERY
		{codeError(517), faultStale},
		{codeError(6), faultBusy},
		{codeError(262), faultBusy}, // SQLITE_LOCKED_SHAREDCACHE
		{codeError(9), faultBusy},
		{codeError(18), faultTooLarge},
		{fmt.Errorf("wrapped: %w", codeError(5)), faultBusy},
		{errors.New("database is locked (5) (SQLITE_BUSY)"), faultBusy},
		{errors.New("database is locked"), faultBusy},
		{errors.New("sqlite3: database is locked"), faultBusy},
		{errors.New("database table is locked: sessions"), faultBusy},
		{errors.New("interrupted"), faultBusy},
		{errors.New("SQL logic error: no such table: sessions (1)"), faultNoSchema},
		{errors.New("no such table: sessions"), faultNoSchema},
		{errors.New("sqlite3: SQL logic error: no such column: id"), faultNoSchema},
		{errors.New("table sessions has no column named id"), faultNoSchema},
		{errors.New("ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint"),
			faultNoSchema},
		{errors.New("string or blob too big (18)"), faultTooLarge},
		{errors.New("attempt to write a readonly database (8)"), faultOther},
		{errors.New("disk I/O error"), faultOther},
	} {
		if got := classifySQLite(tc.err); got != tc.want {
			t.Errorf("%T %v: got %d, want %d", tc.err, tc.err, got, tc.want)
		}
	}
}
