package matrix_test

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	scshttp "github.com/scskit/scskit/adapters/nethttp"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/conformance"
)

var trials = flag.Int("trials", 0, "how often TestTrials repeats each trial on each backend")

// TestTrials runs what a check cannot repeat often enough for every release: many clients at once,
// without gates that choose the order. `make trials` runs it. With -v, it logs its figures.
func TestTrials(t *testing.T) {
	if *trials <= 0 {
		t.Skip("-trials is not set")
	}
	for _, backend := range backends(t) {
		if backend.Name == "cookie" {
			continue
		}
		t.Run(backend.Name, func(t *testing.T) {
			t.Run("destroy", func(t *testing.T) { destroyTrials(t, backend) })
			t.Run("lock", func(t *testing.T) { countTrials(t, backend, "/next") })
			t.Run("update", func(t *testing.T) { countTrials(t, backend, "/update") })
		})
	}
}

// process is one process of an application.
type process struct {
	store   *scskit.Store
	sm      *scs.SessionManager
	handler http.Handler
}

// newProcess returns a process that uses the driver of s.
func newProcess(tb testing.TB, s scs.Store, opts ...adapters.Option) *process {
	tb.Helper()
	kit, _ := scskit.StoreOf(s)
	store, err := scskit.NewStore(kit.Driver(), &scskit.Options{UserKey: "user"})
	if err != nil {
		tb.Fatal(err)
	}
	sm := scskit.New(store)
	sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) { // without a log
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	answer := func(w http.ResponseWriter, ctx context.Context) {
		_, _ = io.WriteString(w, sm.GetString(ctx, "user"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) { answer(w, r.Context()) })
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), r.FormValue("k"), r.FormValue("v"))
		answer(w, r.Context())
	})
	mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) {
		if err := sm.RenewToken(r.Context()); err != nil {
			http.Error(w, "not renewed", http.StatusInternalServerError)
			return
		}
		answer(w, r.Context())
	})
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := sm.RenewToken(r.Context()); err != nil {
			http.Error(w, "not renewed", http.StatusInternalServerError)
			return
		}
		sm.Put(r.Context(), "user", "alice")
		answer(w, r.Context())
	})
	next := func(ctx context.Context) error { //nolint:unparam // the signature of Update
		sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
		return nil
	}
	mux.HandleFunc("/next", func(_ http.ResponseWriter, r *http.Request) { _ = next(r.Context()) })
	mux.HandleFunc("/update", func(w http.ResponseWriter, r *http.Request) {
		if err := scskit.Update(r.Context(), sm, next); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(sm.GetInt(r.Context(), "n")))
	})
	return &process{store, sm, scshttp.LoadAndSave(sm, opts...)(mux)}
}

// client is a client with one cookie. It is not safe for concurrent use.
type client struct {
	t      *testing.T
	cookie *http.Cookie
	tokens []string // all that it has had
}

func (c *client) get(p *process, path string) (status int, body string) {
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodGet, path, http.NoBody)
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	res := w.Result()
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		c.cookie = cookie
		if cookie.MaxAge < 0 {
			c.cookie = nil
		} else {
			c.tokens = append(c.tokens, cookie.Value)
		}
	}
	return w.Code, w.Body.String()
}

// twoProcesses returns two processes on a new instance of the backend, or one if its data is in the
// process.
func twoProcesses(t *testing.T, b conformance.Store, opts ...adapters.Option) [2]*process {
	t.Helper()
	s := b.New(t)
	first := newProcess(t, s, opts...)
	if b.Reopen == nil {
		return [2]*process{first, first}
	}
	return [2]*process{first, newProcess(t, b.Reopen(t, s), opts...)}
}

// destroyTrials destroys the sessions of a user while clients use and renew them, and others sign
// in. A request that begins after the call has no session from before it.
func destroyTrials(t *testing.T, b conformance.Store) {
	const writers, signIns, after = 20, 10, 3
	var requests, destroyed, kept, lost atomic.Int64
	var longest time.Duration
	for i := range *trials {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			p := twoProcesses(t, b)
			var before, during [writers]*client
			for i := range before {
				before[i] = &client{t: t}
				if code, _ := before[i].get(p[0], "/sign-in"); code != http.StatusOK {
					t.Fatalf("sign-in: status %d", code)
				}
			}
			var over atomic.Bool
			var running, all sync.WaitGroup
			running.Add(writers)
			for i, c := range before {
				all.Add(1)
				go func() {
					defer all.Done()
					left := after
					for n := 0; left > 0; n++ {
						path := "/write?k=" + strconv.Itoa(i) + "&v=" + strconv.Itoa(n)
						if n%10 == 3 {
							path = "/renew"
						}
						ended := over.Load()
						if ended {
							left--
						}
						code, user := c.get(p[(i+n)%2], path)
						requests.Add(1)
						if ended && code == http.StatusOK && user != "" {
							t.Errorf("%s after the call: the session has %q", path, user)
						}
						if n == 4 {
							running.Done()
						}
					}
				}()
			}
			running.Wait()
			for i := range signIns {
				c := &client{t: t}
				during[i] = c
				all.Add(1)
				go func() {
					defer all.Done()
					ended := over.Load()
					if code, _ := c.get(p[i%2], "/sign-in"); code != http.StatusOK && ended {
						t.Errorf("sign-in after the call: status %d", code)
					}
					_, user := c.get(p[i%2], "/read")
					switch {
					case user == "alice":
						kept.Add(1)
					case ended:
						t.Error("a sign-in after the call was lost")
					default:
						lost.Add(1)
					}
				}()
			}
			start := time.Now()
			n, err := p[1].store.DestroySessionsOf(t.Context(), "alice")
			longest = max(longest, time.Since(start))
			over.Store(true)
			if err != nil {
				t.Error(err)
			}
			destroyed.Add(int64(n))
			all.Wait()
			fresh := make(map[string]bool)
			for _, c := range during[:signIns] {
				for _, token := range c.tokens {
					fresh[scskit.HashToken(token)] = true
				}
			}
			for session, err := range p[0].store.SessionsOf(t.Context(), "alice") {
				if err != nil {
					t.Fatal(err)
				}
				if !fresh[session.ID] {
					t.Error("a session from before the call is alive")
				}
			}
			for _, c := range before {
				for _, token := range c.tokens {
					data, found, err := p[0].store.Find(token)
					if err != nil {
						t.Fatal(err)
					}
					if !found {
						continue
					}
					if _, values, err := p[0].store.Codec().Decode(data); err != nil || values["user"] != nil {
						t.Errorf("a token from before the call has a session of %v, %v", values["user"], err)
					}
				}
			}
		})
	}
	t.Logf("%d trials, %d requests: destroyed %d; %d sign-ins survived the call and %d did not; the "+
		"longest call took %v", *trials, requests.Load(), destroyed.Load(), kept.Load(), lost.Load(),
		longest.Round(time.Millisecond))
}

// countTrials lets fifty clients of one session increment a number.
func countTrials(t *testing.T, b conformance.Store, path string) {
	const n = 50
	var opts []adapters.Option
	if path == "/next" {
		opts = append(opts, adapters.Lock(scskit.LockOptions{
			Lease: time.Hour, RetryDelay: 20 * time.Millisecond, MaxWait: time.Hour,
		}))
	}
	var sum, longest time.Duration
	for i := range *trials {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			p := twoProcesses(t, b, opts...)
			first := &client{t: t}
			first.get(p[0], "/write?k=k&v=v")
			start := time.Now()
			var all sync.WaitGroup
			for i := range n {
				all.Add(1)
				go func() {
					defer all.Done()
					c := &client{t: t, cookie: first.cookie}
					if code, text := c.get(p[i%2], path); code != http.StatusOK {
						t.Errorf("status %d: %s", code, text)
					}
				}()
			}
			all.Wait()
			took := time.Since(start)
			sum, longest = sum+took, max(longest, took)
			if _, got := first.get(p[1], "/count"); got != strconv.Itoa(n) {
				t.Errorf("counted %s, want %d", got, n)
			}
		})
	}
	t.Logf("%d trials of %d requests: %v on average, at most %v", *trials, n,
		(sum / time.Duration(*trials)).Round(time.Millisecond), longest.Round(time.Millisecond))
}
