package roundtrips

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/redisstore"
)

func openRedis(t *testing.T, now func() time.Time) backend {
	t.Helper()
	server := testenv.Start(t, testenv.KindRedis)
	w := newWire(t, server.Addr())
	client := redis.NewClient(&redis.Options{Addr: w.addr, ReadTimeout: patience})
	t.Cleanup(func() { _ = client.Close() })
	return redisBackend(t, client, []string{server.Addr()}, []*wire{w}, now)
}

// The client gets the addresses of the wires from ClusterSlots. From the servers it would get their
// own addresses, and its repeated queries for them would be counted.
func openRedisCluster(t *testing.T, now func() time.Time) backend {
	t.Helper()
	addrs := strings.Split(testenv.Start(t, testenv.KindRedisCluster).URL(), ",")
	var wires []*wire
	ofPort := make(map[string]string)
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		w := newWire(t, addr)
		wires, ofPort[port] = append(wires, w), w.addr
	}
	direct := redis.NewClient(&redis.Options{Addr: addrs[0]})
	slots, err := direct.ClusterSlots(t.Context()).Result()
	_ = direct.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		for i, node := range slot.Nodes {
			_, port, err := net.SplitHostPort(node.Addr)
			if err != nil {
				t.Fatal(err)
			}
			slot.Nodes[i].Addr = ofPort[port]
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		ReadTimeout:  patience,
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) { return slots, nil },
	})
	t.Cleanup(func() { _ = client.Close() })
	return redisBackend(t, client, addrs, wires, now)
}

// INFO commandstats counts the commands in scripts, too. The script for a save counts as an
// evalsha, a getrange and a set.
func redisBackend(
	t *testing.T, client redis.UniversalClient, addrs []string, wires []*wire,
	now func() time.Time,
) backend {
	t.Helper()
	store, err := redisstore.New(client, &redisstore.Options{Options: storeOptions(now)})
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*redis.Client
	for _, addr := range addrs {
		node := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = node.Close() })
		nodes = append(nodes, node)
	}
	return backend{
		store: store,
		commands: func(t *testing.T) counters {
			t.Helper()
			all := counters{}
			for _, node := range nodes {
				info, err := node.Info(t.Context(), "commandstats").Result()
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(info) {
					name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
					count, _, _ := strings.Cut(rest, ",")
					number, err := strconv.ParseInt(count, 10, 64)
					if ok && err == nil && name != "info" {
						all[name] += number
					}
				}
			}
			return all
		},
		trips: func() (sum int64) {
			for _, w := range wires {
				sum += w.count.Load()
			}
			return sum
		},
		load:   counters{"get": 1},
		create: counters{"set": 1},
		save:   counters{"evalsha": 1, "getrange": 1, "set": 1},
		touch:  counters{"evalsha": 1, "getrange": 1, "setrange": 1, "pexpireat": 1},
		remove: counters{"evalsha": 1, "getrange": 1, "del": 1},
	}
}
