package redisstore

import (
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// Each store has its own prefix. A second client stands for a second process.
func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, "redis",
		func(tb testing.TB) redis.UniversalClient { return singleClient(tb) },
		func(tb testing.TB) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: testenv.Redis(tb)})
		})
}

func TestConformanceOfCluster(t *testing.T) {
	t.Parallel()
	conform(t, "redis-cluster",
		func(tb testing.TB) redis.UniversalClient { return clusterClient(tb) },
		func(tb testing.TB) redis.UniversalClient {
			return redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: testenv.RedisCluster(tb), ContextTimeoutEnabled: true,
			})
		})
}

// conform runs the kit, without and with an index of users. Its stores use the client of shared, or
// after Reopen a new one of another.
func conform(t *testing.T, name string, shared, another func(tb testing.TB) redis.UniversalClient) {
	second := func(tb testing.TB) redis.UniversalClient {
		c := another(tb)
		tb.Cleanup(func() { _ = c.Close() })
		return c
	}
	for suffix, opts := range map[string]scskit.Options{"": {}, "-users": {UserKey: "user"}} {
		newStore := func(tb testing.TB, client redis.UniversalClient, prefix string) *scskit.Store {
			s, err := New(client, &Options{Options: opts, Prefix: prefix})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		}
		conformance.TestStore(t, conformance.Store{
			Name: name + suffix,
			New: func(tb testing.TB) scs.Store {
				return newStore(tb, shared(tb), testenv.Name(tb)+":")
			},
			Reopen: func(tb testing.TB, s scs.Store) scs.Store {
				return newStore(tb, second(tb), prefixOf(s.(*scskit.Store).Driver()))
			},
		})
		conformance.TestDriver(t, conformance.Driver{
			Name: name + suffix,
			New: func(tb testing.TB) driver.Driver {
				return newStore(tb, shared(tb), testenv.Name(tb)+":").Driver()
			},
			Reopen: func(tb testing.TB, d driver.Driver) driver.Driver {
				return newStore(tb, second(tb), prefixOf(d)).Driver()
			},
		})
	}
}

func prefixOf(d driver.Driver) string {
	if u, ok := d.(*users); ok {
		return u.prefix
	}
	return d.(*sessions).prefix
}
