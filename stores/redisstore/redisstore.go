// Package redisstore stores sessions in Redis with the go-redis client. It works with a single
// server, with Sentinel and with Redis Cluster. It needs Redis 6.2 or newer, or a compatible server
// that also runs Lua scripts.
//
// Each session is one string key: Prefix followed by the record's id. Each load, save, touch and
// delete takes one round trip. A script takes one more the first time that a server runs it. Every
// key has a time to live, so Redis removes expired sessions by itself and the store needs no sweep.
//
// # Sessions of a user
//
// If Options.UserKey is set, the store has an index of users, and SessionsOf reads only the user's
// sessions. The index is a sorted set for each user, under Prefix, "user:" and the hash of the
// user. It holds the ids of the user's sessions, which are their tokens if Options.PlainIDs is set,
// with their expiries. A save or a touch of a session that has a user writes both keys. On a
// Cluster they may be on two servers; the store sends both commands at once. If either command
// fails, the save fails, although the session may have been stored.
//
// The index corrects itself. Every save and touch adds its session again. SessionsOf checks each
// session that it finds. It removes an entry whose session is deleted or has another user, once it
// has found it twice, five minutes apart. Writes remove the expired entries of their user.
//
// If Redis loses a set or an entry of it, in a fail-over or by eviction, SessionsOf and
// DestroySessionsOf miss those sessions until they are next saved or touched. Without an idle
// timeout there are no touches.
//
// # Deployment
//
// The store uses masters only, because a replica that lags could return a session that has been
// destroyed. New therefore refuses a Cluster client that reads from replicas (ReadOnly,
// RouteByLatency, RouteRandomly). Do not set ReplicaOnly on a Sentinel client; New does not check
// that.
//
// Redis replicates asynchronously: a fail-over can undo a write that Redis has acknowledged, a
// logout included. So can a restart, unless appendonly is on and appendfsync is always.
//
// If maxmemory-policy is not noeviction, Redis evicts live sessions when its memory is full, and
// their users are signed out. With noeviction, saves fail instead and stored sessions stay.
//
// New accepts a Ring, but a Ring is a cache, not a store. While a shard is down, its sessions start
// anew on another shard. When the shard is back, its old sessions are back too, including those
// that were destroyed in the meantime. Use a Cluster instead.
//
// An ACL user needs these commands on the keys under Prefix: GET, SET, DEL, GETRANGE, SETRANGE,
// PEXPIREAT, EVAL, EVALSHA, and SCAN to list sessions. With Options.UserKey it also needs ZADD,
// ZRANGE, ZREM, ZREMRANGEBYSCORE, ZSCAN, ZSCORE, PTTL and TIME. On a Cluster it also needs the
// commands that go-redis itself sends.
//
// # Time
//
// The clock of the Redis server decides when a session expires. Load and Range also compare the
// expiry in the record with the program's clock, so that a session expires even if its key has lost
// its time to live.
//
// By default go-redis does not watch the context while it waits for an answer. With
// ContextTimeoutEnabled it keeps the context's deadline. Set this option: it makes the store's
// operations cheapest. They then end at the deadline, after Options.Timeout at the latest, and not
// earlier if the request is cancelled. Everything else in the client must then respect the context
// as well: hooks, credentials providers and OnConnect.
//
// Without this option, the store watches the context. An operation returns when its context ends,
// and a goroutine waits for the answer until the client's own timeouts have passed (ReadTimeout, 3
// seconds by default). The store also watches the context if the client's settings rule out
// deadlines or are unknown: a ReadTimeout or WriteTimeout of -2, a ClusterOptions.NewClient, a
// Ring, or a wrapper without the method Options.
package redisstore

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

const defaultPrefix = "scs:session:"

// Options are the settings of a Redis store. The zero value, and a nil *Options, is the safe
// default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// Prefix starts the key of every session. It may contain any byte. Empty means "scs:session:", the
	// prefix of scs's own Redis store, so that rules for this prefix (ACLs, dashboards, key-space
	// statistics) still apply. The two stores do not read each other's sessions: this package does not
	// treat a value that it did not write as a session. Their keys differ as well, unless PlainIDs is
	// set here or HashTokenInStore is set there. In that case use different prefixes while both stores
	// are in use.
	//
	// Stores on one server are separate if their prefixes differ and no prefix starts with another one
	// ("app:admin:" starts with "app:"). On a Cluster, a prefix with a hash tag in braces puts all
	// sessions on one node.
	Prefix string
}

// New returns a store that keeps its sessions in Redis. It does not connect, and it never closes
// the client, so that the rest of the program can use the client too. New returns an error if
// client is nil or reads from replicas.
//
// Range and All need a *redis.Client, *redis.ClusterClient or *redis.Ring, or a wrapper that has
// their methods Options, ForEachMaster and ForEachShard, such as a struct that embeds one of these
// pointers. With any other client they fail, because they could miss the sessions of other servers.
func New(client redis.UniversalClient, opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	d, err := newDriver(client, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, &opts.Options)
}

func newDriver(client redis.UniversalClient, opts *Options) (driver.Driver, error) {
	if isNil(client) {
		return nil, errors.New("redisstore: the client is nil: make one with redis.NewClient")
	}
	if c, ok := client.(interface{ Options() *redis.ClusterOptions }); ok {
		if names := replicaReads(c.Options()); len(names) > 0 {
			return nil, fmt.Errorf("redisstore: the client's options include %s: replicas may hold "+
				"destroyed sessions or lack saved ones: read from masters only",
				strings.Join(names, " and "))
		}
	}
	s := &sessions{
		client:         client,
		keepsDeadlines: keepsDeadlines(client),
		prefix:         defaultPrefix,
		now:            time.Now,
	}
	if opts.Prefix != "" {
		s.prefix = opts.Prefix
	}
	if opts.Now != nil {
		s.now = opts.Now
	}
	if opts.UserKey != "" {
		return &users{s}, nil
	}
	return s, nil
}

// replicaReads returns the names of the options that send reads to replicas. The client itself sets
// ReadOnly if one of the other two is set.
func replicaReads(o *redis.ClusterOptions) (names []string) {
	if o.RouteByLatency {
		names = append(names, "RouteByLatency")
	}
	if o.RouteRandomly {
		names = append(names, "RouteRandomly")
	}
	if o.ReadOnly && len(names) == 0 {
		names = append(names, "ReadOnly")
	}
	return names
}

// isNil reports whether client is nil or holds a nil pointer.
func isNil(client redis.UniversalClient) bool {
	if client == nil {
		return true
	}
	v := reflect.ValueOf(client)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}
