package roundtrips

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/dynamostore"
	"github.com/scskit/scskit/stores/mongostore"
)

// The server counts commands in the metrics of serverStatus. The hello commands with which the
// client monitors the server are not part of any request.
func openMongo(t *testing.T, now func() time.Time) backend {
	t.Helper()
	server := testenv.Start(t, testenv.KindMongo)
	w := newWire(t, server.Addr())
	w.skip = func(request []byte) bool {
		return bytes.Contains(request[:min(len(request), 40)], []byte("\x10hello\x00"))
	}
	connect := func(addr string) *mongo.Client {
		client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + addr + "/"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
		return client
	}
	store, err := mongostore.New(connect(w.addr).Database("scskit").Collection("sessions"),
		&mongostore.Options{Options: storeOptions(now)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	statistics := connect(server.Addr()).Database("admin")
	return backend{
		store: store,
		trips: w.count.Load,
		commands: func(t *testing.T) counters {
			t.Helper()
			var status struct {
				Metrics struct {
					Commands map[string]struct{ Total int64 }
				}
			}
			command := bson.D{{Key: "serverStatus", Value: 1}}
			if err := statistics.RunCommand(t.Context(), command).Decode(&status); err != nil {
				t.Fatal(err)
			}
			all := counters{}
			for name, command := range status.Metrics.Commands {
				if name != "serverStatus" && name != "hello" {
					all[name] = command.Total
				}
			}
			return all
		},
		load:   counters{"find": 1},
		create: counters{"update": 1},
		save:   counters{"update": 1},
		touch:  counters{"update": 1},
		remove: counters{"delete": 1},
	}
}

// dynalite has no statistics, so a proxy in front of it counts the requests.
func openDynamo(t *testing.T, now func() time.Time) backend {
	t.Helper()
	upstream, err := url.Parse(testenv.Start(t, testenv.KindDynamoDB).URL())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	requests := counters{}
	forward := httputil.NewSingleHostReverseProxy(upstream)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		mu.Lock()
		requests[name]++
		mu.Unlock()
		forward.ServeHTTP(rw, r)
	}))
	t.Cleanup(proxy.Close)
	w := newWire(t, proxy.Listener.Addr().String())
	login := credentials.NewStaticCredentialsProvider("local", "local", "")
	client := dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String("http://" + w.addr),
		Credentials:  aws.NewCredentialsCache(login),
	})
	store, err := dynamostore.New(client, &dynamostore.Options{Options: storeOptions(now)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	return backend{
		store: store,
		trips: w.count.Load,
		commands: func(*testing.T) counters {
			mu.Lock()
			defer mu.Unlock()
			all := counters{}
			all.add(requests, 1)
			return all
		},
		load:   counters{"GetItem": 1},
		create: counters{"PutItem": 1},
		save:   counters{"UpdateItem": 1},
		touch:  counters{"UpdateItem": 1},
		remove: counters{"DeleteItem": 1},
	}
}
