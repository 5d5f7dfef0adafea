package redisstore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// trips counts the round trips on all connections: each read after a write is one.
type trips struct{ n atomic.Int64 }

func (c *trips) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, trips: c}, nil
}

type countedConn struct {
	net.Conn
	trips *trips
	wrote bool
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.wrote = true
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	if c.wrote {
		c.wrote = false
		c.trips.n.Add(1)
	}
	return c.Conn.Read(b)
}

// longer is the read timeout of the clients. It is so long that no operation ends by it, even on a
// slow machine.
const longer = 10 * time.Minute

// operations returns all operations, each on the session "a" of alice at version 1.
func operations(s driver.Driver) map[string]func(ctx context.Context) error {
	const id = "a"
	rec, touch := record(id, 1, time.Hour), touchTo(id, 1, time.Now().Add(time.Hour))
	rec.User, touch.User = alice, alice
	return map[string]func(ctx context.Context) error{
		"load": func(ctx context.Context) error {
			_, err := s.Load(ctx, id)
			return err
		},
		"save": func(ctx context.Context) error { return s.Save(ctx, rec, driver.Always()) },
		"save if version": func(ctx context.Context) error {
			return s.Save(ctx, rec, driver.IfVersion(1))
		},
		"save if absent": func(ctx context.Context) error {
			return s.Save(ctx, rec, driver.IfAbsent())
		},
		"touch":  func(ctx context.Context) error { return s.Touch(ctx, touch) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, id, driver.Always()) },
		"delete if version": func(ctx context.Context) error {
			return s.Delete(ctx, id, driver.IfVersion(1))
		},
	}
}

// usersOperations returns the operations that differ with an index of users.
func usersOperations(s *sessions) map[string]func(ctx context.Context) error {
	u := &users{s}
	ops := map[string]func(ctx context.Context) error{
		"range user": func(ctx context.Context) error { return firstError(u.RangeUser(ctx, alice)) },
	}
	for op, f := range operations(u) {
		ops[op+" with an index"] = f
	}
	return ops
}

func firstError(records iter.Seq2[driver.Record, error]) error {
	for _, err := range records {
		return err
	}
	return nil
}

// Each operation takes one round trip, and a script one more if the server has not cached it.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		var count trips
		server := testenv.Start(t, testenv.KindRedis)
		c := redis.NewClient(&redis.Options{Addr: server.URL(), Dialer: count.dial, PoolSize: 1})
		t.Cleanup(func() { _ = c.Close() })
		forget := func() error { return c.ScriptFlush(background).Err() }
		s := newSessions(t, c, testenv.Name(t))
		roundTrips(t, s, &count, forget)
		roundTrips(t, &users{s}, &count, forget)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		var count trips
		server := testenv.Start(t, testenv.KindRedisCluster)
		c := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: strings.Split(server.URL(), ","), Dialer: count.dial, PoolSize: 1,
		})
		t.Cleanup(func() { _ = c.Close() })
		forget := func() error {
			return c.ForEachMaster(background, func(ctx context.Context, c *redis.Client) error {
				return c.ScriptFlush(ctx).Err()
			})
		}
		// With a hash tag, because each server counts: two commands at once would count twice.
		s := newSessions(t, c, "{"+testenv.Name(t)+"}")
		roundTrips(t, s, &count, forget)
		roundTrips(t, &users{s}, &count, forget)
	})
}

func roundTrips(t *testing.T, d driver.Driver, count *trips, forget func() error) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	_, indexed := d.(*users)
	for _, cached := range []bool{false, true} {
		for name, op := range operations(d) {
			if err := forget(); err != nil { // also connects to each server
				t.Fatal(err)
			}
			for _, prepare := range []string{
				"save", "touch", "delete if version", "save if absent", "save",
			} {
				if err := operations(d)[prepare](background); err != nil {
					t.Fatal(err)
				}
			}
			want := int64(1)
			if !cached {
				if err := forget(); err != nil {
					t.Fatal(err)
				}
				switch name {
				case "save", "save if version", "touch", "delete if version":
					want = 2
				case "save if absent":
					if indexed {
						want = 2
					}
				}
			}
			before := count.n.Load()
			if err := op(ctx); err != nil && name != "save if absent" {
				t.Errorf("%T: %s: %v", d, name, err)
			}
			if n := count.n.Load() - before; n != want {
				t.Errorf("%T: %s, scripts cached %v: got %d round trips, want %d",
					d, name, cached, n, want)
			}
		}
	}
}

// While the server hangs, every operation ends when its context is cancelled or passes its
// deadline.
func TestContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redis.Options{
		"default client":              {},
		"client that keeps deadlines": {ContextTimeoutEnabled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, testenv.Redis(t))
			o.Addr, o.ReadTimeout, o.PoolSize = proxy.Addr(), longer, 40
			c := redis.NewClient(&o)
			t.Cleanup(func() { _ = c.Close() })
			s := newSessions(t, c, testenv.Name(t))
			save(t, s, record("a", 1, time.Hour))
			proxy.Hang()
			ops := operations(s)
			ops["range"] = func(ctx context.Context) error { return firstError(s.Range(ctx)) }
			maps.Copy(ops, usersOperations(s))
			for op, f := range ops {
				prefix := "redisstore: " + strings.Fields(op)[0] + ": context "
				if op == "range user" {
					prefix = "redisstore: range user: context "
				}
				for _, deadline := range []bool{true, false} {
					ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
					end := context.DeadlineExceeded
					if !deadline {
						cancel()
						ctx, cancel = context.WithCancel(background)
						time.AfterFunc(20*time.Millisecond, cancel)
						end = context.Canceled
					}
					begin := time.Now()
					err := f(ctx)
					took := time.Since(begin)
					cancel()
					want(t, op, err, end)
					if err != nil && !strings.HasPrefix(err.Error(), prefix) {
						t.Errorf("%s: got error %q, want %s…", op, err, prefix)
					}
					if took > longer/10 {
						t.Errorf("%s: returned %v after the context ended", op, took)
					}
				}
			}
			proxy.Enable()
			ctx, cancel := context.WithTimeout(background, 5*time.Minute)
			defer cancel()
			if _, err := s.Load(ctx, "a"); err != nil && !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("load after the server is back: %v", err)
			}
		})
	}
}

// If an answer is lost, the client sends the command again. The retry may fail with a conflict, but
// the save was carried out.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.Redis(t))
	c := redis.NewClient(&redis.Options{Addr: proxy.Addr(), MaxRetries: 1, PoolSize: 1})
	t.Cleanup(func() { _ = c.Close() })
	s := newSessions(t, c, testenv.Name(t))
	save(t, s, record("a", 1, time.Hour))
	proxy.Reset()
	if err := s.Save(background, record("a", 2, time.Hour), driver.IfVersion(1)); err == nil {
		t.Error("a save without an answer succeeded")
	}
	proxy.Enable()
	err := s.Save(background, record("a", 3, time.Hour), driver.IfVersion(2))
	if err != nil {
		t.Errorf("the lost save was not carried out: %v", err)
	}
}

// A panic in a hook reaches the goroutine of the caller.
func TestPanicInAHook(t *testing.T) {
	t.Parallel()
	c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	t.Cleanup(func() { _ = c.Close() })
	c.AddHook(panicking{})
	s := newSessions(t, c, testenv.Name(t))
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	defer func() {
		if r := recover(); r != "hook" {
			t.Errorf("recovered %v, want hook", r)
		}
	}()
	_, _ = s.Load(ctx, "a")
	t.Error("no panic")
}

type panicking struct{ nop }

func (panicking) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("hook") }
}

// Errors of Redis and go-redis may quote ids and data. The driver's errors do not.
func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	c := singleClient(t)
	s := newSessions(t, c, "app:")
	const id, data = "the-secret-id", "the-secret-data"
	unknown := c.Do(background, "nosuchcommand", s.prefix+id, data).Err()
	if unknown == nil || !strings.Contains(unknown.Error(), data) {
		t.Fatalf("got error %v, want one that quotes the data", unknown)
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{unknown, "redisstore: load: ERR unknown command 'nosuchcommand'"},
		{errors.New(`redis: can't parse "` + data + `"`), "redisstore: load: redis: can't parse "},
		{serverError("NOPERM no access to 'app:" + id + "'"),
			"redisstore: load: NOPERM no access to 'app:…'"},
		{serverError("OOM command not allowed"), "redisstore: load: OOM command not allowed"},
		{redis.ErrClosed, "redisstore: load: redis: client is closed"},
	} {
		err := s.failure(background, "load", s.key(id), tc.err)
		if err.Error() != tc.want {
			t.Errorf("got error %q, want %q", err, tc.want)
		}
		var server redis.Error
		if errors.As(tc.err, &server) && !errors.As(err, &server) {
			t.Errorf("%q is not a redis.Error", err)
		}
	}
}

// If the ACL user lacks a command, the operation fails. It does not report a missing session.
func TestMissingPermission(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	admin := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = admin.Close() })
	all := []any{
		"on", ">pw", "~app:*", "+hello", "+client", "+ping", "+select",
		"+get", "+set", "+del", "+getrange", "+setrange", "+pexpireat", "+eval", "+evalsha", "+scan",
		"+zadd", "+zrange", "+zrem", "+zremrangebyscore", "+zscan", "+zscore", "+pttl", "+time",
	}
	user := func(name string, without ...string) *sessions {
		rules := append([]any{"acl", "setuser", name}, all...)
		for _, command := range without {
			rules = append(rules, "-"+command)
		}
		if err := admin.Do(background, rules...).Err(); err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(&redis.Options{Addr: server.URL(), Username: name, Password: "pw"})
		t.Cleanup(func() { _ = c.Close() })
		return newSessions(t, c, "app:")
	}
	able := user("able")
	for name, op := range operations(able) {
		if _, err := able.Load(background, "a"); err != nil {
			save(t, able, record("a", 1, time.Hour))
		}
		if err := op(background); err != nil && !errors.Is(err, driver.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	indexed := &users{able}
	for name, op := range usersOperations(able) {
		save(t, able, owned(alice, "a", 1, time.Hour))
		if err := op(background); err != nil && !errors.Is(err, driver.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	byAdmin := &users{newSessions(t, admin, "app:")}
	setScore(t, byAdmin, "stale", 1e15)
	setScore(t, byAdmin, "due", -1)
	save(t, able, record("a", 1, time.Hour))
	wantIDs(t, indexed, alice)
	got := scores(t, byAdmin, alice)
	if _, ok := got["due"]; ok || got["stale"] >= 0 {
		t.Errorf("got entries %v: the index does not heal", got)
	}
	for rec, err := range able.Range(background) {
		if err != nil || rec.ID != "a" {
			t.Errorf("range: %v", err)
		}
	}
	denied := func(err error) bool { // the second text is that of a script
		return redis.HasErrorPrefix(err, "NOPERM") ||
			redis.HasErrorPrefix(err, "The user executing the script can't run this command")
	}
	for command, ops := range map[string][]string{
		"get": {"load"}, "set": {"save", "save if version", "save if absent"},
		"getrange": {"save", "save if version", "touch", "delete if version"},
		"setrange": {"touch"}, "pexpireat": {"touch"}, "del": {"delete"},
		"evalsha": {"save", "save if version", "touch", "delete if version"},
		"zadd":    {"save with an index", "save if absent with an index", "touch with an index"},
		"pttl":    {"save with an index"}, "time": {"save with an index"},
		"zremrangebyscore": {"save with an index"}, "zscan": {"range user"},
	} {
		s := user("no-"+command, command)
		all := operations(s)
		maps.Copy(all, usersOperations(s))
		for _, op := range ops {
			if strings.HasPrefix(op, "save if absent") {
				_ = able.Delete(background, "a", driver.Always())
			}
			err := all[op](background)
			if !denied(err) {
				t.Errorf("without %s: %s: got error %v, want NOPERM", command, op, err)
			}
		}
		save(t, able, record("a", 1, time.Hour))
	}
}
