package dynamostore

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// onDynalite reports whether the server is dynalite. Its answers have a header with that name.
func onDynalite(tb testing.TB) bool {
	tb.Helper()
	resp, err := http.Get(testenv.DynamoDB(tb))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	return strings.HasPrefix(resp.Header.Get("Server"), "dynalite/")
}

// wantNoIndex checks that dynalite refuses to add the index to a table with one record, and that
// the table still works. If a later version adds it, remove wantNoIndex, so that its callers run in
// full on dynalite.
func wantNoIndex(t *testing.T, d *userTable) {
	t.Helper()
	var api smithy.APIError
	err := d.CreateSchema(background)
	if !errors.As(err, &api) || api.ErrorCode() != "ValidationException" {
		t.Errorf("create: got error %v, want a ValidationException", err)
	}
	want(t, "check", d.CheckSchema(background), driver.ErrNoSchema)
	records := 0
	for _, err := range d.Range(background) {
		want(t, "range", err, nil)
		records++
	}
	if records != 1 {
		t.Errorf("the table has %d records, want 1", records)
	}
}
