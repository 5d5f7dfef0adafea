package redisstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// trips counts the round trips of all connections: every turn from writing to reading.
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

// longer is how long the clients of these tests would wait by themselves for an answer, so that it
// can be told from the end of the context, however slow the machine is.
const longer = 10 * time.Minute

// operations are all there are, each on the session "a" at version 1.
func operations(s *sessions) map[string]func(ctx context.Context) error {
	const id = "a"
	rec := record(id, 1, time.Hour)
	return map[string]func(ctx context.Context) error{
		"load": func(ctx context.Context) error { _, err := s.Load(ctx, id); return err },
		"save": func(ctx context.Context) error { return s.Save(ctx, rec, driver.Always()) },
		"save if version": func(ctx context.Context) error {
			return s.Save(ctx, rec, driver.IfVersion(1))
		},
		"save if absent": func(ctx context.Context) error { return s.Save(ctx, rec, driver.IfAbsent()) },
		"touch":          func(ctx context.Context) error { return s.Touch(ctx, id, 1, rec.Expiry) },
		"delete":         func(ctx context.Context) error { return s.Delete(ctx, id) },
	}
}

// The scripts are forgotten before every second operation: that costs one round trip more, and
// nothing else.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		var count trips
		server := testenv.Start(t, testenv.KindRedis)
		c := redis.NewClient(&redis.Options{Addr: server.URL(), Dialer: count.dial, PoolSize: 1})
		t.Cleanup(func() { _ = c.Close() })
		forget := func() error { return c.ScriptFlush(background).Err() }
		roundTrips(t, newSessions(t, c, testenv.Name(t)), &count, forget)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		var count trips
		server := testenv.Start(t, testenv.KindRedisCluster)
		c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(server.URL(), ","),
			Dialer: count.dial, PoolSize: 1})
		t.Cleanup(func() { _ = c.Close() })
		forget := func() error {
			return c.ForEachMaster(background,
				func(ctx context.Context, c *redis.Client) error { return c.ScriptFlush(ctx).Err() })
		}
		roundTrips(t, newSessions(t, c, testenv.Name(t)), &count, forget)
	})
}

func roundTrips(t *testing.T, s *sessions, count *trips, forget func() error) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	for _, known := range []bool{false, true} {
		for name, op := range operations(s) {
			if err := forget(); err != nil { // also connects, to each server
				t.Fatal(err)
			}
			save(t, s, record("a", 1, time.Hour))
			if err := s.Touch(background, "a", 1, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			want := int64(1)
			if !known {
				if err := forget(); err != nil {
					t.Fatal(err)
				}
				if name == "save" || name == "save if version" || name == "touch" {
					want = 2
				}
			}
			before := count.n.Load()
			if err := op(ctx); err != nil && name != "save if absent" {
				t.Errorf("%s: %v", name, err)
			}
			if n := count.n.Load() - before; n != want {
				t.Errorf("%s, scripts known %v: %d round trips, want %d", name, known, n, want)
			}
		}
	}
}

// A server that hangs: every operation ends with its context, be it by a deadline or at once.
func TestContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redis.Options{
		"default client":                     {},
		"client that watches deadlines, too": {ContextTimeoutEnabled: true},
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
			ops["range"] = func(ctx context.Context) error {
				for _, err := range s.Range(ctx) {
					return err
				}
				return nil
			}
			for op, f := range ops {
				prefix := "redisstore: " + strings.Fields(op)[0] + ": context "
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
						t.Errorf("%s: got error %q", op, err)
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
				t.Errorf("load, when the server is back: %v", err)
			}
		})
	}
}

// The answer is lost and the client sends the command again: nothing is stored twice, and at worst
// the second one meets the first.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.Redis(t))
	c := redis.NewClient(&redis.Options{Addr: proxy.Addr(), MaxRetries: 1, PoolSize: 1})
	t.Cleanup(func() { _ = c.Close() })
	s := newSessions(t, c, testenv.Name(t))
	save(t, s, record("a", 1, time.Hour))
	proxy.Reset()
	if err := s.Save(background, record("a", 2, time.Hour), driver.IfVersion(1)); err == nil {
		t.Error("a save without an answer succeeds")
	}
	proxy.Enable()
	err := s.Save(background, record("a", 3, time.Hour), driver.IfVersion(2))
	if err != nil {
		t.Errorf("the lost save was not carried out: %v", err)
	}
}

// A panic in the program's own hook is that of the goroutine that called.
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
			t.Errorf("recovered %v", r)
		}
	}()
	_, _ = s.Load(ctx, "a")
	t.Error("no panic")
}

type panicking struct{}

func (panicking) DialHook(next redis.DialHook) redis.DialHook { return next }
func (panicking) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("hook") }
}
func (panicking) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// What Redis and go-redis say may quote what they were sent.
func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	c := singleClient(t)
	s := newSessions(t, c, "app:")
	const id, data = "the-secret-id", "the-secret-data"
	unknown := c.Do(background, "nosuchcommand", s.prefix+id, data).Err()
	if unknown == nil || !strings.Contains(unknown.Error(), data) {
		t.Fatalf("got error %v, which quotes nothing", unknown)
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
		err := s.failure(background, "load", id, tc.err)
		if err.Error() != tc.want {
			t.Errorf("got error %q, want %q", err, tc.want)
		}
		var server redis.Error
		if errors.As(tc.err, &server) && !errors.As(err, &server) {
			t.Errorf("%q is no redis.Error", err)
		}
	}
}

// A user who lacks a command is told so, by every operation: it does not look as if the session
// were gone.
func TestMissingPermission(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	admin := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = admin.Close() })
	all := []any{"+get", "+set", "+del", "+getrange", "+setrange", "+pexpireat", "+eval", "+evalsha",
		"+scan"}
	user := func(name string, without ...string) *sessions {
		rules := append([]any{"acl", "setuser", name, "on", ">pw", "~app:*", "+hello", "+client", "+ping",
			"+select"}, all...)
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
	save(t, able, record("a", 1, time.Hour))
	for rec, err := range able.Range(background) {
		if err != nil || rec.ID != "a" {
			t.Errorf("range: %v", err)
		}
	}
	denied := func(err error) bool { // the second, from within a script
		return redis.HasErrorPrefix(err, "NOPERM") ||
			redis.HasErrorPrefix(err, "The user executing the script can't run this command")
	}
	for command, ops := range map[string][]string{
		"get": {"load"}, "set": {"save", "save if version", "save if absent"},
		"getrange": {"save", "save if version", "touch"},
		"setrange": {"touch"}, "pexpireat": {"touch"}, "del": {"delete"},
		"evalsha": {"save", "save if version", "touch"},
	} {
		s := user("no-"+command, command)
		for _, op := range ops {
			err := operations(s)[op](background)
			if !denied(err) {
				t.Errorf("without %s: %s: got error %v", command, op, err)
			}
		}
		save(t, able, record("a", 1, time.Hour))
	}
}
