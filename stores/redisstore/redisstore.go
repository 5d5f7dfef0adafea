// Package redisstore keeps sessions in Redis, over the go-redis client: a single server, one behind
// Sentinel, or a Cluster. It needs Redis 6.2 or newer, or a server that is compatible with it,
// scripts in Lua included.
//
// A session is one key, Prefix and the record's id, that holds one string. Every operation is one
// round trip; a script that the server does not know yet costs one more, once for each server. No
// key is ever without a time to live, and Redis removes expired sessions by itself: there is
// nothing to sweep.
//
// # What is expected of the deployment
//
// The store talks to masters only: a replica that lags would hand out sessions that have been
// destroyed. So New refuses a Cluster client that routes reads to replicas (ReadOnly,
// RouteByLatency, RouteRandomly), and a Sentinel client must not be ReplicaOnly.
//
// Redis copies to its replicas after it has answered: a fail-over may undo what was acknowledged a
// moment before, a logout included. The same holds for a restart, without appendonly and
// appendfsync always.
//
// With a maxmemory-policy other than noeviction, Redis drops live sessions when its memory is full,
// which signs their users out. With noeviction, saving fails instead and what is there stays.
//
// A Ring is accepted, but is a cache, not a store: while a shard is down its sessions begin anew on
// another one, and when it is back, so are the sessions it had, those destroyed meanwhile among
// them. Take a Cluster instead.
//
// A user with an ACL needs, on the keys under Prefix, the commands GET, SET, DEL, GETRANGE,
// SETRANGE and PEXPIREAT, and EVAL, EVALSHA and, to list sessions, SCAN; on a Cluster also what the
// client itself asks for.
//
// # Time
//
// When a session has expired is decided by the clock of the Redis server. Load and Range also look
// at the expiry in the record and at the program's own clock, so that not even a key whose time to
// live somebody has removed lives for ever.
//
// go-redis does not watch the context while it waits for an answer, unless its
// ContextTimeoutEnabled has it keep deadlines. Set that: the store's operations, which
// Options.Timeout bounds, are then the cheapest. They end at the deadline, not when the request is
// cancelled before, and whatever else is in the client must heed the context as well: hooks,
// credentials providers, OnConnect. Without it the store watches: an operation ends when its
// context does, and leaves the answer to a goroutine that waits until the client's own time-outs
// (ReadTimeout, 3 seconds by default) are over. It does so, too, where the client's settings say
// that it cannot keep deadlines or are not known: a ReadTimeout or WriteTimeout of -2, a
// ClusterOptions.NewClient, a Ring, a wrapper without the method Options.
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

	// Prefix begins the keys of all sessions, and may hold any byte. Empty means "scs:session:",
	// which is also that of scs's own store for Redis, so that rules about it (ACLs, dashboards,
	// key-space statistics) stay as they are. The two do not read each other's sessions: a value
	// that this package has not written is not a session, and is left alone. Nor do they meet,
	// except with PlainIDs here, or HashTokenInStore there: then let them have different prefixes
	// while both are in use.
	//
	// Stores on one server share nothing if their prefixes differ, and none begins with another one
	// ("app:" and "app:admin:" do). On a Cluster, a prefix with braces puts all sessions on one
	// node.
	Prefix string
}

// New returns a store that keeps its sessions in Redis. It does not connect, and never closes the
// client, which the rest of the program may use. A nil client is an error, and so is one that reads
// from replicas.
//
// Range and All need a *redis.Client, *redis.ClusterClient or *redis.Ring, or a wrapper that has
// their methods Options, ForEachMaster and ForEachShard, as one that embeds such a pointer has.
// Through another one they fail, rather than list the sessions of one server of many.
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
		return nil, errors.New("redisstore: client is nil")
	}
	if c, ok := client.(interface{ Options() *redis.ClusterOptions }); ok {
		if names := replicaReads(c.Options()); len(names) > 0 {
			return nil, fmt.Errorf("redisstore: the client's options have %s, with which it reads from "+
				"replicas: they may still have a session that was destroyed, or not yet have one that was saved", strings.Join(names, " and "))
		}
	}
	s := &sessions{client: client, punctual: isPunctual(client), prefix: defaultPrefix, now: time.Now}
	if opts.Prefix != "" {
		s.prefix = opts.Prefix
	}
	if opts.Now != nil {
		s.now = opts.Now
	}
	return s, nil
}

// replicaReads returns the options that send reads to replicas. The client itself sets the last one
// with either of the others.
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

// isNil also recognises a nil pointer in the interface.
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
