package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
)

var goredisstorePeer = peer{
	module:  "github.com/alexedwards/scs/goredisstore",
	backend: "Redis",
	needs:   []testenv.Kind{testenv.KindRedis},
	Store: conformance.Store{
		Name:   "goredisstore",
		New:    newGoredisstore,
		Reopen: reopen,
		Exempt: failing(map[string]string{
			"contract/context-methods": "Find, Commit and Delete panic, as documented; " +
				"scs itself calls FindCtx, CommitCtx and DeleteCtx",
			"expiry/past":            endless,
			"expiry/past-overwrites": endless,
		}),
	},
}

const endless = "it passes a negative time to live to go-redis, which then sends a SET without " +
	"an expiry: the session never ends"

func newGoredisstore(tb testing.TB) scs.Store {
	tb.Helper()
	prefix := testenv.Name(tb) + ":"
	client := newRedis(tb, testenv.Redis(tb))
	tb.Cleanup(func() { forget(tb, client, prefix) })
	return reopenable(tb, goredisstore.NewWithPrefix(client, prefix), func(tb testing.TB) scs.Store {
		return goredisstore.NewWithPrefix(newRedis(tb, testenv.Redis(tb)), prefix)
	})
}

// TestGoredisstoreCluster shows the behaviour of the store on a Redis Cluster. The store accepts
// only a *redis.Client, which connects to one node and does not follow redirections to other nodes.
func TestGoredisstoreCluster(t *testing.T) {
	nodes := testenv.RedisCluster(t)
	client := newRedis(t, nodes[0])
	prefix := testenv.Name(t) + ":"
	t.Cleanup(func() { forget(t, client, prefix) })
	store := goredisstore.NewWithPrefix(client, prefix)
	stored, moved := 0, 0
	for i := range 200 {
		token, expiry := fmt.Sprintf("token%d", i), time.Now().Add(time.Hour)
		err := store.CommitCtx(t.Context(), token, []byte("data"), expiry)
		switch {
		case err == nil:
			stored++
		case redis.HasErrorPrefix(err, "MOVED"):
			moved++
		default:
			t.Fatalf("commit: %v", err)
		}
	}
	// The first of three nodes has a third of the slots, so both numbers are almost surely positive.
	const format = "of 200 sessions, %d were stored and %d failed because they belong to other nodes"
	t.Logf(format, stored, moved)
	if stored == 0 || moved == 0 {
		t.Errorf(format+"; docs/peers.md says that there are some of each", stored, moved)
	}
}

func newRedis(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// forget deletes the keys of a test, since some of them never expire.
func forget(tb testing.TB, client *redis.Client, prefix string) {
	tb.Helper()
	ctx := context.Background()
	keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := client.Del(ctx, keys.Val()).Err(); err != nil {
			tb.Error(err)
		}
	}
	if err := keys.Err(); err != nil {
		tb.Error(err)
	}
}
