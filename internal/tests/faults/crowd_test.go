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

// crowd is what works on a site: clients with a session each, which also meet in sessions that
// several of them share. A client counts up, in its own session and under a key of its own in the
// shared one, and with each write checks what the request before had left.
type crowd struct {
	t       *testing.T
	site    atomic.Pointer[site]
	clients []*client

	stop  chan struct{}
	ended bool
	done  sync.WaitGroup

	mu   sync.Mutex
	dead []string // tokens whose sign-out was acknowledged
}

// client is one of a crowd. Its acks and fails count its requests.
type client struct {
	crowd       *crowd
	id          string
	own, shared place
	acks, fails atomic.Int64
}

// place is a session in which a client keeps a count. The values known of it are bounds: what was
// acknowledged must be there, and what was only tried may be.
type place struct {
	token        string
	owner        string // what the session's owner is
	acked, tried int
	maybeGone    bool // a sign-out was not answered, and may be carried out late
}

const (
	crowdSize   = 50 // at most; see pace.size
	sharedSize  = 10 // clients of one shared session
	crowds      = 4  // at work at the same time
	signOutEach = 4  // every so many rounds of a client
)

var (
	// room has place for so many crowds that the machine is busy, and not swamped.
	room = make(chan struct{}, crowds)
	// taken has a lock for each server: none has to serve two crowds.
	taken sync.Map
)

// enter waits until there is room for a crowd on a server, and takes it until the test ends.
func enter(t *testing.T, server string) {
	t.Helper()
	lock, _ := taken.LoadOrStore(server, new(sync.Mutex))
	lock.(*sync.Mutex).Lock()
	t.Cleanup(lock.(*sync.Mutex).Unlock)
	room <- struct{}{}
	t.Cleanup(func() { <-room })
}

// newCrowd makes the shared sessions and sets the clients to work. It comes after enter.
func newCrowd(t *testing.T, s *site) *crowd {
	t.Helper()
	c := &crowd{t: t, stop: make(chan struct{})}
	c.site.Store(s)
	var shared place
	t.Cleanup(c.end)
	for i := range s.pace.size() {
		if i%sharedSize == 0 {
			shared = place{owner: fmt.Sprint("shared", i/sharedSize)}
			a, _ := s.until(t, "/count", "", url.Values{"owner": {shared.owner}, "k": {"begin"}, "v": {"1"}})
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

// end has the clients finish what they are at, once.
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
			pause = 200 * time.Millisecond // as somebody does who sees an error
		}
		select {
		case <-time.After(pause):
		case <-stop:
			return
		}
	}
}

// ask sends a request; ok says that it was answered with a page.
func (c *client) ask(path, token string, form url.Values) (a answer, ok bool) {
	a, err := c.crowd.site.Load().ask(context.Background(), path, token, form)
	switch {
	case err != nil: // there is no application
	case a.status == http.StatusOK:
		c.acks.Add(1)
		return a, true
	default:
		a.refused(c.crowd.t)
	}
	c.fails.Add(1)
	return a, false
}

// count stores the next number, and checks the one before.
func (c *client) count(p *place) bool {
	p.tried++
	a, ok := c.ask("/count", p.token,
		url.Values{"owner": {p.owner}, "k": {c.id}, "v": {strconv.Itoa(p.tried)}})
	if !ok {
		return false
	}
	c.check(p, a.value(c.crowd.t))
	p.acked = p.tried
	if token, ok := a.token(); ok {
		p.token = token
	}
	if p.token == "" && p.maybeGone { // that came in between
		*p = place{owner: p.owner}
		return true
	}
	if p.token == "" {
		c.crowd.t.Errorf("%s: a new session without a cookie", c.id)
	}
	return true
}

// check looks at what a request found in the session.
func (c *client) check(p *place, found string) {
	var owner string
	var value int
	if _, err := fmt.Sscanf(found, "%q %d", &owner, &value); err != nil {
		c.crowd.t.Errorf("%s: the page is %q", c.id, found)
		return
	}
	switch {
	case owner == "" && (p.token == "" || p.maybeGone):
		p.maybeGone = false // a new session has begun
	case owner != p.owner:
		c.crowd.t.Errorf("%s: its session is that of %q; want %q", c.id, owner, p.owner)
	case value < p.acked || value > p.tried:
		c.crowd.t.Errorf("%s: the session of %s has %d; acknowledged was %d, tried %d", c.id, owner,
			value, p.acked, p.tried)
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
		c.crowd.t.Errorf("%s: the cookie is there after the sign-out", c.id)
	}
	c.crowd.mu.Lock()
	c.crowd.dead = append(c.crowd.dead, p.token)
	c.crowd.mu.Unlock()
	*p = place{owner: p.owner}
	return true
}

// acks returns how many requests of each client were answered with a page, and fails how many were
// not.
func (c *crowd) acks() []int64 { return c.each(func(cl *client) int64 { return cl.acks.Load() }) }

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

// checkAll looks into every session, when the clients are at rest, and into those that are no more.
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

// checkDead looks for the sessions of those who have signed out last.
func (c *crowd) checkDead(last int) {
	c.t.Helper()
	c.mu.Lock()
	dead := slices.Clone(c.dead[max(len(c.dead)-last, 0):])
	c.mu.Unlock()
	for _, token := range dead {
		a, _ := c.site.Load().until(c.t, "/count", token, url.Values{"k": {"any"}})
		if got := a.value(c.t); got != `"" 0` {
			c.t.Errorf("after a sign-out the session is there: %s", got)
		}
	}
}
