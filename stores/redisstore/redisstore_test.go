package redisstore

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testenv.Skipped("redis") { // an example has no t.Skip
		_ = flag.Set("test.skip", "^Example")
	}
	os.Exit(testenv.Main(m))
}

var background = context.Background()

// Clients that the tests share.
var (
	single  atomic.Pointer[redis.Client]
	cluster atomic.Pointer[redis.ClusterClient]
	dialing sync.Mutex
)

func singleClient(tb testing.TB) *redis.Client {
	tb.Helper()
	addr := testenv.Redis(tb)
	dialing.Lock()
	defer dialing.Unlock()
	if single.Load() == nil {
		single.Store(redis.NewClient(&redis.Options{Addr: addr}))
	}
	return single.Load()
}

func clusterClient(tb testing.TB) *redis.ClusterClient {
	tb.Helper()
	addrs := testenv.RedisCluster(tb)
	dialing.Lock()
	defer dialing.Unlock()
	if cluster.Load() == nil {
		cluster.Store(redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addrs, ContextTimeoutEnabled: true,
		}))
	}
	return cluster.Load()
}

// onEach runs a test on a single server and on a cluster.
func onEach(t *testing.T, test func(t *testing.T, s *sessions)) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		test(t, newSessions(t, singleClient(t), testenv.Name(t)+":"))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, newSessions(t, clusterClient(t), testenv.Name(t)+":"))
	})
}

func newSessions(tb testing.TB, client redis.UniversalClient, prefix string) *sessions {
	tb.Helper()
	d, err := newDriver(client, &Options{Prefix: prefix})
	if err != nil {
		tb.Fatal(err)
	}
	return d.(*sessions)
}

func record(id string, version int64, ttl time.Duration) driver.Record {
	now := time.Now().Truncate(time.Millisecond)
	return driver.Record{
		ID: id, Data: []byte("data of " + id), Version: version,
		Expiry: now.Add(ttl), Created: now, Updated: now, Seen: now,
	}
}

func save(tb testing.TB, s *sessions, rec driver.Record) {
	tb.Helper()
	if err := s.Save(background, rec, driver.Always()); err != nil {
		tb.Fatalf("save %q: %v", rec.ID, err)
	}
}

func load(tb testing.TB, s *sessions, id string) driver.Record {
	tb.Helper()
	rec, err := s.Load(background, id)
	if err != nil {
		tb.Fatalf("load %q: %v", id, err)
	}
	return rec
}

func want(tb testing.TB, what string, got, target error) {
	tb.Helper()
	if !errors.Is(got, target) {
		tb.Errorf("%s: got error %v, want %v", what, got, target)
	}
}

// equal compares two records. It compares times to the millisecond.
func equal(a, b driver.Record) bool {
	return a.ID == b.ID && string(a.Data) == string(b.Data) && a.Version == b.Version &&
		millis(a.Expiry) == millis(b.Expiry) && millis(a.Created) == millis(b.Created) &&
		millis(a.Updated) == millis(b.Updated) && millis(a.Seen) == millis(b.Seen) &&
		a.User == b.User
}

// wrapped is a client that has only the methods of the interface.
type wrapped struct{ redis.UniversalClient }

func TestOptions(t *testing.T) {
	const noClient = "redisstore: the client is nil: make one with redis.NewClient"
	t.Parallel()
	client := func(o *redis.ClusterOptions) *redis.ClusterClient {
		o.Addrs = []string{"127.0.0.1:1"}
		c := redis.NewClusterClient(o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	single := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = single.Close() })
	const replicas = ": replicas may hold destroyed sessions or lack saved ones: " +
		"read from masters only"
	for _, tc := range []struct {
		client redis.UniversalClient
		opts   *Options
		want   string
	}{
		{nil, nil, noClient},
		{(*redis.Client)(nil), nil, noClient},
		{(*redis.ClusterClient)(nil), nil, noClient},
		{(*redis.Ring)(nil), nil, noClient},
		{client(&redis.ClusterOptions{ReadOnly: true}), nil,
			"redisstore: the client's options include ReadOnly" + replicas},
		{client(&redis.ClusterOptions{RouteByLatency: true}), nil,
			"redisstore: the client's options include RouteByLatency" + replicas},
		{client(&redis.ClusterOptions{RouteRandomly: true}), nil,
			"redisstore: the client's options include RouteRandomly" + replicas},
		{single, &Options{Options: scskit.Options{MaxSize: -1}},
			"scskit: Options.MaxSize is -1: it must not be negative"},
	} {
		if _, err := New(tc.client, tc.opts); err == nil || err.Error() != tc.want {
			t.Errorf("got error %v, want %s", err, tc.want)
		}
	}
	for _, c := range []redis.UniversalClient{
		single, client(&redis.ClusterOptions{}), wrapped{single},
	} {
		if _, err := New(c, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestDefaultPrefix(t *testing.T) {
	t.Parallel()
	c := singleClient(t)
	d, err := newDriver(c, new(Options))
	if err != nil {
		t.Fatal(err)
	}
	id := testenv.Name(t)
	save(t, d.(*sessions), record(id, 1, time.Minute))
	if n := c.Exists(background, "scs:session:"+id).Val(); n != 1 {
		t.Error("the session is not under scs:session:")
	}
	if err := d.Delete(background, id, driver.Always()); err != nil {
		t.Error(err)
	}
}

func TestClosedClient(t *testing.T) {
	t.Parallel()
	c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	s := newSessions(t, c, testenv.Name(t))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Load(background, "a")
	want(t, "load", err, redis.ErrClosed)
	if err == nil || err.Error() != "redisstore: load: redis: client is closed" {
		t.Errorf("got error %v", err)
	}
}

// With a Ring of two servers, every operation uses the shard of its key.
func TestRing(t *testing.T) {
	t.Parallel()
	other := testenv.Start(t, testenv.KindRedis)
	ring := redis.NewRing(&redis.RingOptions{
		Addrs: map[string]string{"a": testenv.Redis(t), "b": other.URL()},
	})
	t.Cleanup(func() { _ = ring.Close() })
	s := newSessions(t, ring, testenv.Name(t)+":")
	var ids, seen []string
	for i := range 40 {
		rec := record(string(rune('A'+i)), 1, time.Minute)
		ids = append(ids, rec.ID)
		save(t, s, rec)
		if err := s.Touch(background, touchTo(rec.ID, 1, rec.Expiry.Add(time.Minute))); err != nil {
			t.Error(err)
		}
		load(t, s, rec.ID)
	}
	for rec, err := range s.Range(background) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, rec.ID)
	}
	slices.Sort(seen)
	if !slices.Equal(slices.Compact(seen), ids) {
		t.Errorf("got %d records, want %d", len(seen), len(ids))
	}
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}
