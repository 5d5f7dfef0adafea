package stores_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

func TestConformanceThroughPgBouncer(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]string{
		"pgbouncer":        "exec",
		"pgbouncer-simple": "simple_protocol",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			where := testenv.URL(t, testenv.KindPgBouncer)
			where += parameter(where, "default_query_exec_mode="+mode)
			conformance.TestStore(t, atURL(name, where, "table"))
		})
	}
}

// TestPreparedStatementsThroughPgBouncer uses prepared statements behind a pooler, which gives one
// client's server connection to another. There, a statement may exist already or be missing.
func TestPreparedStatementsThroughPgBouncer(t *testing.T) {
	db, err := sql.Open("pgx", testenv.URL(t, testenv.KindPgBouncer)+"&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	database := testenv.Name(t) // its own, so that no other test uses its connections
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	where := change(t, testenv.URL(t, testenv.KindPgBouncer),
		func(u *url.URL) { u.Path = "/" + database })
	err = func() error {
		first := open(t, where)
		if err := first.CreateSchema(t.Context()); err != nil {
			return err
		}
		if _, _, err := first.FindCtx(t.Context(), "token"); err != nil {
			return err
		}
		_, closeStore, err := stores.Open(t.Context(), where, nil)
		if err == nil {
			_ = closeStore()
		}
		return err
	}()
	const advice = "set pgx's parameter default_query_exec_mode=exec"
	if err == nil || !strings.Contains(err.Error(), "prepared statement") ||
		!strings.Contains(err.Error(), advice) {
		t.Errorf("got error %v", err)
	}
	third := open(t, where+parameter(where, "default_query_exec_mode=exec"))
	expiry := time.Now().Add(time.Hour)
	if err := third.CommitCtx(t.Context(), "token", []byte("data"), expiry); err != nil {
		t.Error(err)
	}
	data, found, err := third.FindCtx(t.Context(), "token")
	if err != nil || !found || string(data) != "data" {
		t.Errorf("with default_query_exec_mode=exec: %q, %v, %v", data, found, err)
	}
}
