package dynamostore

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var background = context.Background()

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

// connect returns a client with a connection pool of its own.
func connect(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return clientOf(testenv.DynamoDB(tb), &http.Client{Transport: transport})
}

func clientOf(endpoint string, c dynamodb.HTTPClient) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials,
		HTTPClient:   c,
	})
}

// wire is an HTTP client that records the operation of each request.
type wire struct {
	transport http.RoundTripper
	mu        sync.Mutex
	requests  []string
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.mu.Lock()
	w.requests = append(w.requests, op)
	w.mu.Unlock()
	return w.transport.RoundTrip(r)
}

// take returns the requests since the last call.
func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.requests
	w.requests = nil
	return strings.Join(all, " ")
}

// tableOf returns the table of a driver, which may be a userTable.
func tableOf(d driver.Driver) *table {
	if u, ok := d.(*userTable); ok {
		return u.table
	}
	return d.(*table)
}

// newTable returns a driver with a table of its own, and drops the table when the test ends.
func newTable(tb testing.TB, client *dynamodb.Client, opts Options) *table {
	tb.Helper()
	opts.Table = testenv.Name(tb)
	d, err := newDriver(client, &opts)
	if err != nil {
		tb.Fatal(err)
	}
	t := tableOf(d)
	if err := t.CreateSchema(background); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.DropSchema(background); err != nil {
			tb.Log(err)
		}
	})
	return t
}

// A second client on the same table stands for a second process.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]scskit.Options{
		"dynamodb": {}, "dynamodb-users": {UserKey: "user"},
	} {
		client := connect(t)
		made := func(tb testing.TB) *Options {
			table := newTable(tb, client, Options{Options: shared})
			return &Options{Options: shared, Table: table.name}
		}
		again := func(d driver.Driver) *Options {
			return &Options{Options: shared, Table: tableOf(d).name}
		}
		driverOver := func(tb testing.TB, client *dynamodb.Client, opts *Options) driver.Driver {
			d, err := newDriver(client, opts)
			if err != nil {
				tb.Fatal(err)
			}
			return d
		}
		storeOver := func(tb testing.TB, client *dynamodb.Client, opts *Options) scs.Store {
			s, err := New(client, opts)
			if err != nil {
				tb.Fatal(err)
			}
			return s
		}
		conformance.TestDriver(t, conformance.Driver{
			Name: name, RemovesExpired: true,
			New: func(tb testing.TB) driver.Driver { return driverOver(tb, client, made(tb)) },
			Reopen: func(tb testing.TB, d driver.Driver) driver.Driver {
				return driverOver(tb, connect(tb), again(d))
			},
		})
		conformance.TestStore(t, conformance.Store{
			Name: name, RemovesExpired: true,
			New: func(tb testing.TB) scs.Store { return storeOver(tb, client, made(tb)) },
			Reopen: func(tb testing.TB, s scs.Store) scs.Store {
				return storeOver(tb, connect(tb), again(s.(*scskit.Store).Driver()))
			},
		})
	}
}
