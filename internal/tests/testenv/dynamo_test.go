package testenv_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scskit/scskit/internal/testenv"
)

// TestDynamoBrokenRequest disconnects in the middle of a request, which would crash dynalite
// without the wrapper.
func TestDynamoBrokenRequest(t *testing.T) {
	t.Parallel()
	s := testenv.Start(t, testenv.KindDynamoDB)
	conn := connect(t, s.Addr())
	_, err := io.WriteString(conn,
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	// After the response "100 Continue" the server reads the body.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, `{"Tab`); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	db := dynamo(s.URL())
	for range 20 {
		if _, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
			t.Fatalf("after a broken request: %v", err)
		}
	}
}

// TestDynamoTTL checks the TTL settings of the private server, which does not remove any items.
func TestDynamoTTL(t *testing.T) {
	t.Parallel()
	s := testenv.Start(t, testenv.KindDynamoDB)
	db, name := dynamo(s.URL()), testenv.Name(t)
	set := func(table, attribute string, on bool) error {
		_, err := db.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: &table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{
				AttributeName: &attribute, Enabled: &on,
			},
		})
		return err
	}
	create := func() {
		t.Helper()
		if err := clients[testenv.KindDynamoDB].write(t.Context(), s.URL(), name, "value"); err != nil {
			t.Fatal(err)
		}
	}
	wantTTL := func(when, attribute string) {
		t.Helper()
		in := &dynamodb.DescribeTimeToLiveInput{TableName: &name}
		out, err := db.DescribeTimeToLive(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		d, status := out.TimeToLiveDescription, types.TimeToLiveStatusEnabled
		if attribute == "" {
			status = types.TimeToLiveStatusDisabled
		}
		if got := aws.ToString(d.AttributeName); d.TimeToLiveStatus != status || got != attribute {
			t.Errorf("%s: TTL is %s on %q, want %s on %q",
				when, d.TimeToLiveStatus, got, status, attribute)
		}
	}

	create()
	wantTTL("of a new table", "")
	if err := set(name, "at", true); err != nil {
		t.Fatal(err)
	}
	wantTTL("turned on", "at")
	_, absent := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{
		TableName: aws.String("absent"),
	})
	for _, tc := range []struct {
		what string
		err  error
		code string
	}{
		{"turned on again", set(name, "at", true), "ValidationException"},
		{"turned on by another", set(name, "other", true), "ValidationException"},
		{"without an attribute", set(name, "", true), "ValidationException"},
		{"of no table", set("absent", "at", true), "ResourceNotFoundException"},
		{"asked of no table", absent, "ResourceNotFoundException"},
	} {
		var api smithy.APIError
		if !errors.As(tc.err, &api) || api.ErrorCode() != tc.code {
			t.Errorf("%s: got error %v, want %s", tc.what, tc.err, tc.code)
		}
	}
	s.Kill()
	s.Restart()
	wantTTL("after a kill", "at")
	if err := set(name, "at", false); err != nil {
		t.Fatal(err)
	}
	wantTTL("turned off", "")
	if err := set(name, "at", true); err != nil {
		t.Fatal(err)
	}

	if _, err := db.DeleteTable(t.Context(),
		&dynamodb.DeleteTableInput{TableName: &name}); err != nil {
		t.Fatal(err)
	}
	gone := dynamodb.NewTableNotExistsWaiter(db, func(o *dynamodb.TableNotExistsWaiterOptions) {
		o.MinDelay = 10 * time.Millisecond
	})
	in := &dynamodb.DescribeTableInput{TableName: &name}
	if err := gone.Wait(t.Context(), in, time.Minute); err != nil {
		t.Fatal(err)
	}
	create()
	wantTTL("of a later table of the same name", "")
}
