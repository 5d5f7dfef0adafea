package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/scskit/scskit/driver"
)

// refusing is an HTTP client that answers every request with an error of DynamoDB.
type refusing struct {
	code, message string
	requests      int
}

func (r *refusing) Do(*http.Request) (*http.Response, error) {
	r.requests++
	body := fmt.Sprintf(`{"__type": "com.amazonaws.dynamodb.v20120810#%s", "message": %q}`, r.code,
		r.message)
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func TestFailures(t *testing.T) {
	t.Parallel()
	c := newClock()
	rec := record(c, "secret-id", 1, time.Minute)
	for _, tc := range []struct {
		code, message string
		contains      string
		target        error
	}{
		{
			"ResourceNotFoundException", "Requested resource not found",
			"CreateSchema", driver.ErrNoSchema,
		},
		{"ProvisionedThroughputExceededException", "slow down", "throttled", nil},
		{"ThrottlingException", "slow down", "throttled", nil},
		{"RequestLimitExceeded", "slow down", "throttled", nil},
		{"ValidationException", "the value secret-id is not good", "ValidationException", nil},
		{
			"ValidationException", "Item size has exceeded the maximum allowed size",
			"session too large: 17 bytes, limit 16", driver.ErrTooLarge,
		},
		{
			"ValidationException", "Item size to update has exceeded the maximum allowed size",
			"session too large: 17 bytes, limit 16", driver.ErrTooLarge,
		},
		{
			"AccessDeniedException", "not authorized to perform dynamodb:UpdateItem",
			"dynamodb:UpdateItem", nil,
		},
	} {
		server := &refusing{code: tc.code, message: tc.message}
		o := clientOf("http://127.0.0.1:1", server).Options()
		o.RetryMaxAttempts = 1
		d, err := newDriver(dynamodb.New(o), new(Options))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Save(background, rec, driver.IfVersion(1))
		if err == nil || tc.target != nil && !errors.Is(err, tc.target) ||
			!strings.Contains(err.Error(), tc.contains) || strings.Contains(err.Error(), rec.ID) {
			t.Errorf("%s: got error %v, want %v and %q", tc.code, err, tc.target, tc.contains)
		}
		var api smithy.APIError
		if !errors.Is(err, driver.ErrTooLarge) &&
			(!errors.As(err, &api) || api.ErrorCode() != tc.code ||
				!strings.HasPrefix(err.Error(), "dynamostore: save: ")) {
			t.Errorf("%s: got error %v, want one with the code and dynamostore: save:", tc.code, err)
		}
		if server.requests != 1 {
			t.Errorf("%s: got %d requests, want 1", tc.code, server.requests)
		}
	}
}

// The client retries throttled requests a limited number of times.
func TestThrottledIsBounded(t *testing.T) {
	t.Parallel()
	server := &refusing{code: "ProvisionedThroughputExceededException", message: "slow down"}
	d, err := newDriver(clientOf("http://127.0.0.1:1", server), new(Options))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	if _, err := d.Load(ctx, "a"); err == nil || !strings.Contains(err.Error(), "throttled") {
		t.Errorf("got error %v, want throttled", err)
	}
	if server.requests != 3 { // the SDK's default
		t.Errorf("got %d requests, want 3", server.requests)
	}
}

// silent is an HTTP client that sends no answer. It waits until the request's context ends.
type silent struct{}

func (silent) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSilentServer(t *testing.T) {
	t.Parallel()
	c := newClock()
	made, err := newDriver(clientOf("http://127.0.0.1:1", silent{}), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := made.(*table)
	rec := record(c, "secret-id", 1, time.Minute)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, loadErr := d.Load(ctx, rec.ID)
	_, sweepErr := d.Sweep(ctx, 1)
	for op, err := range map[string]error{
		"load":   loadErr,
		"sweep":  sweepErr,
		"save":   d.Save(ctx, rec, driver.Always()),
		"touch":  d.Touch(ctx, touchTo(rec.ID, 1, rec.Expiry)),
		"delete": d.Delete(ctx, rec.ID, driver.Always()),
		"create": d.CreateSchema(ctx),
		"check":  d.CheckSchema(ctx),
		"drop":   d.DropSchema(ctx),
	} {
		want(t, op, err, context.DeadlineExceeded)
		if !strings.HasPrefix(err.Error(), "dynamostore: "+op) || strings.Contains(err.Error(), rec.ID) {
			t.Errorf("%s: got error %v, want dynamostore: %s…, without the id", op, err, op)
		}
	}
}
