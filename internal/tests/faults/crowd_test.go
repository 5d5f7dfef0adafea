package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/poll"
)

// crowd is a group of clients that load a site. Each client has its own session, and shares another
// one with several clients. In both sessions it increments a count under its own key. With each
// write it checks the count that its previous request stored.
type crowd struct {
	t       *testing.T
	site    atomic.Pointer[site]
	clients []*client

	stop  chan struct{}
	ended bool
	done  sync.WaitGroup

	mu   sync.Mutex
	dead []string // the tokens of acknowledged sign-outs
}

// client is one of a crowd. acks and fails count its requests.
type client struct {
	crowd       *crowd
	id          string
	own, shared place
	acks, fails atomic.Int64
}

// place is a session in which a client has a count. The stored count is at least acked, the last
// acknowledged one, and at most tried, the last one that was sent.
type place struct {
	token        string
	owner        string // the session's owner
	acked, tried int
	maybeGone    bool // a sign-out failed, and may take effect late
}

const (
	maxClients  = 50 // of a crowd; see pace.size
	sharedSize  = 10 // clients per shared session
	maxCrowds   = 4  // at the same time
	signOutEach = 4  // rounds of a client
)

var (
	// slots limits the number of crowds, so that they do not overload the machine.
	slots = make(chan struct{}, maxCrowds)
	// serverLocks has a mutex for each server, so that no server has to serve two crowds.
	serverLocks sync.Map
)

// enter waits until a crowd may use a server, and reserves the server until the test ends.
func enter(t *testing.T, server string) {
	t.Helper()
	value, _ := serverLocks.LoadOrStore(server, new(sync.Mutex))
	lock := value.(*sync.Mutex)
	lock.Lock()
	t.Cleanup(lock.Unlock)
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
}

// newCrowd creates the shared sessions and starts the clients. Call enter first.
func newCrowd(t *testing.T, s *site) *crowd {
	t.Helper()
	c := &crowd{t: t, stop: make(chan struct{})}
	c.site.Store(s)
	var shared place
	t.Cleanup(c.end)
	for i := range s.pace.size() {
		if i%sharedSize == 0 {
			shared = place{owner: fmt.Sprint("shared", i/sharedSize)}
			form := url.Values{"owner": {shared.owner}, "k": {"begin"}, "v": {"1"}}
			a, _ := s.until(t, "/count", "", form)
			shared.token, _ = a.token()
		}
		id := fmt.Sprint("client", i)
		c.clients = append(c.clients, &client{crowd: c, id: id, own: place{owner: id}, shared: shared})
	}
	for _, cl := range c.clients {
		c.done.Go(cl.work)
	}
	return c
}

// end stops the clients and waits for their last requests. Further calls do nothing.
func (c *crowd) end() {
	if !c.ended {
		c.ended = true
		close(c.stop)
		c.done.Wait()
	}
}

func (c *client) work() {
	stop := c.crowd.stop
	for round := 1; ; round++ {
		ok := c.count(&c.own)
		if ok {
			ok = c.count(&c.shared)
		}
		if ok && round%signOutEach == 0 {
			ok = c.signOut()
		}
		pause := 20 * time.Millisecond
		if !ok {
			pause = 200 * time.Millisecond // as a user does after an error page
		}
		select {
		case <-time.After(pause):
		case <-stop:
			return
		}
	}
}

// ask sends a request. ok reports whether the response is a page.
func (c *client) ask(path, token string, form url.Values) (a answer, ok bool) {
	a, err := c.crowd.site.Load().ask(context.Background(), path, token, form)
	switch {
	case err != nil: // the application does not run
	case a.status == http.StatusOK:
		c.acks.Add(1)
		return a, true
	default:
		a.refused(c.crowd.t)
	}
	c.fails.Add(1)
	return a, false
}

// count stores the next count, and checks the previous one.
func (c *client) count(p *place) bool {
	p.tried++
	form := url.Values{"owner": {p.owner}, "k": {c.id}, "v": {strconv.Itoa(p.tried)}}
	a, ok := c.ask("/count", p.token, form)
	if !ok {
		return false
	}
	c.check(p, a.value(c.crowd.t))
	p.acked = p.tried
	if token, ok := a.token(); ok {
		p.token = token
	}
	if p.token == "" && p.maybeGone { // the sign-out took effect during the request
		*p = place{owner: p.owner}
		return true
	}
	if p.token == "" {
		c.crowd.t.Errorf("%s: the new session has no cookie", c.id)
	}
	return true
}

// check checks the owner and the count that a request found in the session.
func (c *client) check(p *place, found string) {
	var owner string
	var value int
	if _, err := fmt.Sscanf(found, "%q %d", &owner, &value); err != nil {
		c.crowd.t.Errorf("%s: unexpected page %q", c.id, found)
		return
	}
	switch {
	case owner == "" && (p.token == "" || p.maybeGone):
		p.maybeGone = false // the session is new
	case owner != p.owner:
		c.crowd.t.Errorf("%s: got the session of %q, want that of %q", c.id, owner, p.owner)
	case value < p.acked || value > p.tried:
		c.crowd.t.Errorf("%s: the session of %s has %d, want %d (acknowledged) to %d (tried)",
			c.id, owner, value, p.acked, p.tried)
	}
}

func (c *client) signOut() bool {
	p := &c.own
	a, ok := c.ask("/signout", p.token, nil)
	if !ok {
		p.maybeGone = true
		return false
	}
	if token, sent := a.token(); !sent || token != "" {
		c.crowd.t.Errorf("%s: the sign-out did not expire the cookie", c.id)
	}
	c.crowd.mu.Lock()
	c.crowd.dead = append(c.crowd.dead, p.token)
	c.crowd.mu.Unlock()
	*p = place{owner: p.owner}
	return true
}

// acks returns the number of requests of each client with a page as the response.
func (c *crowd) acks() []int64 { return c.each(func(cl *client) int64 { return cl.acks.Load() }) }

// fails returns the number of all other requests of each client.
func (c *crowd) fails() []int64 { return c.each(func(cl *client) int64 { return cl.fails.Load() }) }

func (c *crowd) each(f func(*client) int64) []int64 {
	n := make([]int64, len(c.clients))
	for i, cl := range c.clients {
		n[i] = f(cl)
	}
	return n
}

// await waits until the count of each client has grown by more. It gives up when the total that is
// missing has not shrunk for a long time.
func (c *crowd) await(phase string, count func() []int64, more int64) {
	c.t.Helper()
	before := count()
	missing := int64(len(before))*more + 1
	patience := 2 * c.site.Load().pace.watchdog()
	var watchdog time.Time
	err := poll.Until(c.t.Context(), func() bool {
		now := count()
		switch n := shortfall(before, now, more); {
		case n == 0:
			return true
		case n < missing:
			missing, watchdog = n, time.Now().Add(patience)
		case time.Now().After(watchdog):
			errs := fmt.Sprint(c.site.Load().takeErrors())
			c.t.Fatalf("%s: some clients made no progress for %s: %v, then %v; errors: %.1000s",
				phase, patience, before, now, errs)
		}
		return false
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// shortfall returns by how much the counts, taken together, have yet to grow.
func shortfall(before, now []int64, more int64) (n int64) {
	for i := range now {
		n += max(before[i]+more-now[i], 0)
	}
	return n
}

// checkAll checks all sessions after end, including those of all sign-outs.
func (c *crowd) checkAll() {
	c.t.Helper()
	s := c.site.Load()
	for _, cl := range c.clients {
		for _, p := range []*place{&cl.own, &cl.shared} {
			if p.token != "" {
				a, _ := s.until(c.t, "/count", p.token, url.Values{"k": {cl.id}})
				cl.check(p, a.value(c.t))
			}
		}
	}
	c.checkDead(len(c.dead))
}

// checkDead checks that the sessions of the last sign-outs are gone.
func (c *crowd) checkDead(last int) {
	c.t.Helper()
	c.mu.Lock()
	dead := slices.Clone(c.dead[max(len(c.dead)-last, 0):])
	c.mu.Unlock()
	for _, token := range dead {
		a, _ := c.site.Load().until(c.t, "/count", token, url.Values{"k": {"any"}})
		if got := a.value(c.t); got != `"" 0` {
			c.t.Errorf("the session exists after its sign-out: %s", got)
		}
	}
}
