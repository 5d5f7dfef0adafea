package sqlstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestClassifyMySQL(t *testing.T) {
	t.Parallel()
	my := func(number uint16, message string) error {
		state := [5]byte{'H', 'Y', '0', '0', '0'}
		return &mysql.MySQLError{Number: number, SQLState: state, Message: message}
	}
	for _, tc := range []struct {
		err  error
		want fault
	}{
		{my(1213, "Deadlock found when trying to get lock; try restarting transaction"), faultBusy},
		{fmt.Errorf("wrapped: %w", my(1205, "Lock wait timeout exceeded; try restarting transaction")),
			faultBusy},
		{&mysql.MySQLError{Number: 1213, Message: "without a state"}, faultBusy},
		{errors.New("ERROR 1213 (40001): in the format of go-mysql"), faultBusy},
		{my(1020, "Record has changed since last read in table 'sessions'"), faultBusy},
		{my(1615, "Prepared statement needs to be re-prepared"), faultBusy},
		{my(1146, "Table 'app.sessions' doesn't exist"), faultNoSchema},
		{my(1054, "Unknown column 'id' in 'where clause'"), faultNoSchema},
		{my(1049, "Unknown database 'auth'"), faultNoSchema},
		{my(1050, "Table 'sessions' already exists"), faultExists},
		{my(1061, "Duplicate key name 'sessions_expiry'"), faultExists},
		{my(1153, "Got a packet bigger than 'max_allowed_packet' bytes"), faultTooLarge},
		{my(1118, "The size of BLOB/TEXT data inserted in one transaction is greater than 10% of redo "+
			"log size"), faultTooLarge},
		{my(1105, "Parameter of prepared statement which is set through mysql_send_long_data() is "+
			"longer than 'max_long_data_size' bytes"), faultTooLarge},
		{my(1105, "Unknown error"), faultOther},
		{my(1406, "Data too long for column 'data' at row 1"), faultTooLarge},
		{my(1406, "Data too long for column 'id' at row 1"), faultOther},
		{mysql.ErrPktTooLarge, faultTooLarge},
		{my(1045, "Access denied"), faultOther},
		{my(1317, "Query execution was interrupted"), faultOther},
		{my(1064, "You have an error near 'Error 1213'"), faultOther},
		{mysql.ErrInvalidConn, faultOther},
		{errors.New("Error"), faultOther},
		{errors.New("error 99999999999999999999: x"), faultOther},
	} {
		if got := classifyMySQL(tc.err); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.err, got, tc.want)
		}
	}
}
