package sqlstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestClassifyPostgres(t *testing.T) {
	t.Parallel()
	pg := func(state, message string) error { return &pgconn.PgError{Code: state, Message: message} }
	for _, tc := range []struct {
		err  error
		want fault
	}{
		{pg("40001", "could not serialize access due to concurrent update"), faultBusy},
		{fmt.Errorf("wrapped: %w", pg("40P01", "deadlock detected")), faultBusy},
		{pg("55P03", "canceling statement due to lock timeout"), faultBusy},
		{pg("57P01", "terminating connection due to administrator command"), faultStale},
		{pg("57P02", "terminating connection because of crash of another server process"), faultStale},
		{pg("57P03", "the database system is starting up"), faultOther},
		{pg("57P05", "terminating connection due to idle-session timeout"), faultStale},
		{pg("42P01", `relation "sessions" does not exist`), faultNoSchema},
		{pg("42703", `column "id" does not exist`), faultNoSchema},
		{pg("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"),
			faultNoSchema},
		{pg("3F000", `schema "auth" does not exist`), faultNoSchema},
		{pg("26000", `prepared statement "stmtcache_1" does not exist`), faultPooler},
		{pg("42P05", `prepared statement "stmtcache_1" already exists`), faultPooler},
		{pg("42P07", `relation "sessions" already exists`), faultExists},
		{pg("42710", `type "sessions" already exists`), faultExists},
		{pg("23505", `duplicate key value violates unique constraint "pg_type_typname_nsp_index"`),
			faultExists},
		{pg("23505", `duplicate key value violates unique constraint "pg_class_relname_nsp_index"`),
			faultExists},
		{pg("23505", `duplicate key value violates unique constraint "mine"`), faultOther},
		{pg("XX000", "tuple concurrently updated"), faultBusy},
		{pg("XX000", "invalid memory alloc request size 1073741824"), faultTooLarge},
		{pg("XX000", "cache lookup failed"), faultOther},
		{pg("54000", "out of memory"), faultTooLarge},
		{pg("42501", "permission denied for table sessions"), faultOther},
		{errors.New("timeout: read tcp 127.0.0.1:49076->127.0.0.1:5432: i/o timeout"), faultStale},
		{errors.New("failed to connect: timeout: read tcp 127.0.0.1:49076: i/o timeout"), faultOther},
		{pg("57014", "canceling statement due to statement timeout"), faultOther},
		// An error without a method SQLState may quote any text.
		{errors.New("ERROR: deadlock detected (SQLSTATE 40P01)"), faultOther},
	} {
		if got := classifyPostgres(tc.err); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.err, got, tc.want)
		}
	}
}
