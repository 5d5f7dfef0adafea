// Package roundtrips counts the commands and round trips of a request on each backend. The commands
// are those in the server's statistics, and a proxy counts the round trips. The requests are HTTP
// requests to an adapter with a manager from scskit.New. The servers are private, so that the
// numbers do not include those of other tests.
package roundtrips

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// counters are numbers of commands, by the commands' names.
type counters map[string]int64

// backend is a store, with counters of its server.
type backend struct {
	store *scskit.Store
	// commands returns the numbers of commands that the server has executed.
	commands func(t *testing.T) counters
	// trips returns the number of round trips. It is nil for a backend in the process.
	trips func() int64
	// The commands of each operation, which must be one round trip.
	load, create, save, touch, remove counters
}

// systems are all backends. open returns a store with the clock now.
var systems = []struct {
	name string
	open func(t *testing.T, now func() time.Time) backend
}{
	{"redis", openRedis},
	{"redis-cluster", openRedisCluster},
	{"postgresql", openPostgres},
	{"mariadb", openMariaDB},
	{"sqlite", openSQLite},
	{"mongodb", openMongo},
	{"dynamodb", openDynamo},
}

// scenario is a kind of request, and the number of operations for n such requests.
type scenario struct {
	name                              string
	prepare                           func(s *site) // may be nil
	request                           func(s *site, i int)
	load, create, save, touch, remove int64
}

const n = 100

var scenarios = []scenario{
	{
		name:    "a first visit that only looks",
		request: func(s *site, _ int) { s.get("/read", "") },
	},
	{
		name:    "a first visit that puts something",
		request: func(s *site, _ int) { s.get("/put", "") },
		create:  n,
	},
	{
		name:    "a cookie whose session is gone",
		request: func(s *site, _ int) { s.get("/read", "5hM2f8ZPq0c3vDbT1yXwKjR7nLsGu4aE9iOtC6zBdYk") },
		load:    n,
	},
	{
		name:    "a session that is read",
		prepare: func(s *site) { s.cookies(1) },
		request: func(s *site, _ int) { s.get("/read", s.held[0]) },
		load:    n,
	},
	{
		name:    "a session that is written",
		prepare: func(s *site) { s.cookies(1) },
		request: func(s *site, _ int) { s.get("/put", s.held[0]) },
		load:    n, save: n,
	},
	{
		name:    "a session that is written without a change",
		prepare: func(s *site) { s.cookies(1) },
		request: func(s *site, _ int) { s.get("/same", s.held[0]) },
		load:    n,
	},
	{
		name:    "a session that is not used, with Lazy",
		prepare: func(s *site) { s.cookies(1) },
		request: func(s *site, _ int) { s.get("/lazy/nothing", s.held[0]) },
	},
	{
		name:    "a session that is read, with Lazy",
		prepare: func(s *site) { s.cookies(1) },
		request: func(s *site, _ int) { s.get("/lazy/read", s.held[0]) },
		load:    n,
	},
	{
		name:    "a logout",
		prepare: func(s *site) { s.cookies(n) },
		request: func(s *site, i int) { s.get("/destroy", s.held[i]) },
		load:    n, remove: n,
	},
	{
		name:    "a sign-in: a new token, and a value",
		prepare: func(s *site) { s.cookies(n) },
		request: func(s *site, i int) { s.get("/renew", s.held[i]) },
		load:    n, create: n, save: n,
	},
	{
		// The touch interval is an hour, and a request comes every seven minutes. Every ninth request
		// is the first one after an hour, and touches the session.
		name:    "a session that is read, with an idle timeout",
		prepare: func(s *site) { s.at(0); s.held = []string{s.get("/idle/put", "")} },
		request: func(s *site, i int) {
			s.at(time.Duration(i+1) * 7 * time.Minute)
			s.get("/idle/read", s.held[0])
		},
		load: n, touch: n / 9,
	},
}

func TestRequests(t *testing.T) {
	for _, system := range systems {
		t.Run(system.name, func(t *testing.T) {
			t.Parallel()
			c := new(clock)
			b := system.open(t, c.now)
			s := newSite(t, b, c)
			s.warmUp()
			for _, sc := range scenarios {
				t.Run(sc.name, func(t *testing.T) {
					s.t = t
					if sc.prepare != nil {
						sc.prepare(s)
					}
					commands, trips := b.commands(t), b.wire()
					for i := range n {
						sc.request(s, i)
					}
					trips, total := b.wire()-trips, sc.load+sc.create+sc.save+sc.touch+sc.remove
					if b.trips != nil && trips != total {
						t.Errorf("%d requests took %d round trips, want %d", n, trips, total)
					}
					got, want := b.commands(t).minus(commands), counters{}
					want.add(b.load, sc.load)
					want.add(b.create, sc.create)
					want.add(b.save, sc.save)
					want.add(b.touch, sc.touch)
					want.add(b.remove, sc.remove)
					if !maps.Equal(got, want) {
						t.Errorf("%d requests took these commands: %v\nwant: %v", n, got, want)
					}
				})
			}
		})
	}
}

func (b backend) wire() int64 {
	if b.trips == nil {
		return 0
	}
	return b.trips()
}

func (c counters) add(other counters, times int64) {
	for name, count := range other {
		if times > 0 {
			c[name] += count * times
		}
	}
}

func (c counters) minus(before counters) counters {
	rest := counters{}
	for name, count := range c {
		if count != before[name] {
			rest[name] = count - before[name]
		}
	}
	return rest
}

// clock is a clock that can be set ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// The durations are so long that the duration of a request does not matter, and short enough that
// the session's lifetime of a day does not end before them.
const (
	touchInterval = time.Hour
	idleTimeout   = 10 * time.Hour
)

// storeOptions are the options of all stores. The long timeout avoids retries on a slow machine.
func storeOptions(now func() time.Time) scskit.Options {
	return scskit.Options{Now: now, TouchInterval: touchInterval, Timeout: patience}
}

// patience is the timeout of stores, commits and clients.
const patience = 5 * time.Minute

// site is an application, and a client with cookies.
type site struct {
	t     *testing.T
	url   string
	clock *clock
	idle  *scs.SessionManager
	app   atomic.Pointer[http.Handler] // the application of idle, with its current settings
	begin time.Time                    // the time of the last at(0)

	serveIdle func() // updates app
	held      []string
}

func newSite(t *testing.T, b backend, c *clock) *site {
	t.Helper()
	s := &site{t: t, clock: c, idle: scskit.New(b.store)}
	s.idle.IdleTimeout = idleTimeout
	sm := scskit.New(b.store)
	var changes atomic.Int64 // makes every put a change
	mux := http.NewServeMux()
	handle := func(prefix string, sm *scs.SessionManager, opts ...adapters.Option) {
		opts = append(opts, adapters.CommitTimeout(patience))
		app := scshttp.LoadAndSave(sm, opts...)(application(sm, &changes))
		mux.Handle(prefix+"/", http.StripPrefix(prefix, app))
	}
	handle("", sm)
	handle("/lazy", sm, adapters.Lazy())
	mux.Handle("/idle/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.app.Load()).ServeHTTP(w, r)
	}))
	s.serveIdle = func() {
		wrap := scshttp.LoadAndSave(s.idle, adapters.CommitTimeout(patience))
		app := http.StripPrefix("/idle", wrap(application(s.idle, &changes)))
		s.app.Store(&app)
	}
	s.serveIdle()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func application(sm *scs.SessionManager, changes *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, f func(r *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := f(r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, "done")
		})
	}
	handle("/nothing", func(*http.Request) error { return nil })
	handle("/read", func(r *http.Request) error { sm.GetString(r.Context(), "user"); return nil })
	handle("/put", func(r *http.Request) error {
		sm.Put(r.Context(), "user", "ada")
		sm.Put(r.Context(), "change", changes.Add(1))
		return nil
	})
	handle("/same", func(r *http.Request) error { sm.Put(r.Context(), "user", "ada"); return nil })
	handle("/destroy", func(r *http.Request) error { return sm.Destroy(r.Context()) })
	handle("/renew", func(r *http.Request) error {
		sm.Put(r.Context(), "signed in", true)
		return sm.RenewToken(r.Context())
	})
	return mux
}

// at sets the clock of the store, and in effect that of the manager with an idle timeout, to a time
// since the last at(0). The manager has no settable clock, so at changes its idle timeout instead.
func (s *site) at(d time.Duration) {
	if d == 0 {
		s.begin = time.Now()
	}
	ahead := d - time.Since(s.begin)
	s.clock.ahead.Store(int64(ahead))
	s.idle.IdleTimeout = idleTimeout + ahead
	s.serveIdle() // a middleware keeps the settings from its creation
}

// get sends a request, with a session cookie unless it is empty, and returns the session cookie of
// the response.
func (s *site) get(path, cookie string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "session", Value: cookie})
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %q, error %v", path, resp.Status, body, err)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

// cookies creates sessions, and sets held to their cookies.
func (s *site) cookies(count int) {
	s.t.Helper()
	s.held = nil
	for range count {
		s.held = append(s.held, s.get("/put", ""))
	}
}

// warmUp runs all operations on many sessions, so that on every node connections are open,
// statements are prepared and scripts are loaded.
func (s *site) warmUp() {
	s.t.Helper()
	for range 40 {
		s.at(0)
		cookie := s.get("/idle/put", "")
		s.at(2 * touchInterval)
		s.get("/idle/read", cookie)
		s.get("/put", cookie)
		renewed := s.get("/renew", cookie)
		if renewed == "" || renewed == cookie {
			s.t.Fatal("the token was not renewed")
		}
		s.get("/destroy", renewed)
	}
	s.at(0)
}

func (c counters) String() string {
	var b strings.Builder
	for name, count := range c {
		fmt.Fprintf(&b, "%s %d, ", name, count)
	}
	return strings.TrimSuffix(b.String(), ", ")
}
