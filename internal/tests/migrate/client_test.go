package migrate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/poll"
)

// crowd is clients of two application processes.
type crowd struct {
	t       *testing.T
	http    *http.Client
	apps    [2]atomic.Pointer[instance]
	filled  []*account
	shared  []atomic.Pointer[account]
	unused  int // of filled: no client has them
	clients []*client
	begun   time.Time
	phase   atomic.Int32
	fresh   atomic.Int64 // accounts that clients have made
	carried atomic.Int64 // by processes that have ended

	stop    chan struct{}
	stopped sync.Once
	done    sync.WaitGroup

	mu     sync.Mutex
	made   []*account
	dead   []string // tokens that have ended
	wrong  int
	owners map[string]*account // of dead; nil for those of the fill
}

// client is one of a crowd. Others do not use its sessions, except for the shared ones.
type client struct {
	*crowd
	id    string
	own   []*account // used often
	cold  []*account // used rarely
	turns atomic.Int64

	took    map[int32][]time.Duration // by phase
	sent    map[string]int            // requests with an answer, by operation
	unknown int                       // requests without
	resent  int                       // because the application did not listen
}

const (
	ownSessions = 6 // that each client uses often
	perShared   = 3 // clients for each shared session
	thinkTime   = 80 * time.Millisecond
	maxWrong    = 20 // that are reported
)

// newCrowd makes clients of what the fill has left.
func newCrowd(t *testing.T, filled []*account, dead []string, clients int) *crowd {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	t.Cleanup(transport.CloseIdleConnections)
	c := &crowd{
		t: t, filled: filled, stop: make(chan struct{}), owners: map[string]*account{},
		http:   &http.Client{Transport: transport, Timeout: 10 * time.Minute},
		shared: make([]atomic.Pointer[account], 1+clients/perShared),
	}
	c.retire(nil, dead)
	for i := range c.shared {
		c.shared[i].Store(filled[i])
	}
	for i := range clients {
		cl := &client{
			crowd: c, id: fmt.Sprint("c", i), took: map[int32][]time.Duration{}, sent: map[string]int{},
		}
		for j := len(c.shared) + i; j < len(filled); j += clients {
			switch {
			case len(cl.own) < ownSessions:
				cl.own = append(cl.own, filled[j])
			case j/clients%2 == 0:
				cl.cold = append(cl.cold, filled[j])
			default:
				c.unused++
			}
		}
		c.clients = append(c.clients, cl)
	}
	return c
}

func (c *crowd) start() {
	c.begun = time.Now()
	for _, cl := range c.clients {
		c.done.Go(cl.work)
	}
}

// end stops the clients after their last requests.
func (c *crowd) end() {
	c.stopped.Do(func() { close(c.stop) })
	c.done.Wait()
}

// await waits until each client has had so many more answers.
func (c *crowd) await(more int64) {
	c.t.Helper()
	until := make([]int64, len(c.clients))
	for i, cl := range c.clients {
		until[i] = cl.turns.Load() + more
	}
	for i, cl := range c.clients {
		poll.Wait(c.t, "answers to "+cl.id, func() bool { return cl.turns.Load() >= until[i] })
	}
}

// deploy replaces an application process by another one.
func (c *crowd) deploy(i int, d deployment, kill bool) {
	c.t.Helper()
	if last := c.apps[i].Load(); last != nil {
		last.stop(c.t, kill)
		c.carried.Add(last.carried.Load())
	}
	c.apps[i].Store(d.launch(c.t))
	c.t.Logf("%s: application %d at %s has %s", now(), i, c.apps[i].Load().addr, d.Mode)
}

// retire notes tokens of an account that have ended.
func (c *crowd) retire(a *account, tokens []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, token := range tokens {
		if _, known := c.owners[token]; token != "" && !known {
			c.owners[token] = a
			c.dead = append(c.dead, token)
		}
	}
}

// now is the time, as histories have it.
func now() string { return clock(time.Now()) }

func clock(t time.Time) string { return t.Format("04:05.000") }

func (c *crowd) add(a *account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, a)
}

// report reports an error with the session of an account, which may be nil.
func (c *crowd) report(a *account, format string, args ...any) {
	history := ""
	if a != nil {
		a.mu.Lock()
		history = a.user + "\n" + strings.Join(a.history, "\n")
		a.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong++; c.wrong <= maxWrong {
		c.t.Errorf("%s, phase %d: %s: %s", now(), c.phase.Load(),
			fmt.Sprintf(format, args...), history)
	}
}

// Operations as a share of a hundred requests.
var (
	ownMix = []share{{opPut, 28}, {opAdd, 22}, {opSignIn, 8}, {opSignOut, 5}, {opEndAll, 2}}
	allMix = []share{{opPut, 35}, {opAdd, 30}, {opSignIn, 4}, {opSignOut, 1}}
	mix    = []share{{opPut, 14}, {opAdd, 8}, {opSignIn, 5}, {opSignOut, 4}, {opEndAll, 1}}
)

type share struct {
	op      string
	percent int
}

// pick draws an operation. What the shares leave are reads.
func pick(shares []share) string {
	n := rand.IntN(100)
	for _, s := range shares {
		if n -= s.percent; n < 0 {
			return s.op
		}
	}
	return opRead
}

func (c *client) work() {
	for {
		switch n := rand.IntN(100); {
		case n < 8:
			c.probe()
		case n < 38:
			slot := &c.own[rand.IntN(len(c.own))]
			if c.use(*slot, pick(ownMix)) != live {
				if a := c.signUp(); a != nil {
					*slot = a
				}
			}
		case n < 64:
			slot := &c.shared[rand.IntN(len(c.shared))]
			a := slot.Load()
			if c.use(a, pick(allMix)) != live {
				if next := c.signUp(); next != nil {
					slot.CompareAndSwap(a, next)
				}
			}
		default:
			c.use(c.cold[rand.IntN(len(c.cold))], pick(mix))
		}
		c.turns.Add(1)
		select {
		case <-time.After(rand.N(thinkTime)):
		case <-c.stop:
			return
		}
	}
}

// probe uses a token that has ended.
func (c *client) probe() {
	c.mu.Lock()
	token := ""
	if len(c.dead) > 0 {
		token = c.dead[rand.IntN(len(c.dead))]
	}
	c.mu.Unlock()
	c.checkDead(token)
}

func (c *client) checkDead(token string) {
	p, _, _, known := c.ask(opRead, token, nil)
	if !known || p.User == "" {
		return
	}
	c.mu.Lock()
	a := c.owners[token]
	c.mu.Unlock()
	c.report(a, "the token %s of an ended session opens one of %s", scskit.HashToken(token)[:4],
		p.User)
}

// use sends a request with an account's session, and returns the state of the account.
func (c *client) use(a *account, op string) state {
	key := c.id
	if op == opAdd {
		key = sum
	}
	r := a.begin(op, key)
	token := r.token
	if r.op == opEndAll {
		token = ""
	}
	p, token, app, known := c.ask(r.op, token, url.Values{
		"k": {key}, "v": {strconv.Itoa(r.value)}, "user": {a.user},
		"life": {a.life.String()}, "idle": {a.idle.String()},
	})
	a.note(r, p, token, app)
	if !known {
		a.unknown(r)
	} else {
		dead, err := a.done(r, p, token)
		if err != nil {
			c.report(a, "%v", err)
		}
		c.retire(a, dead)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// signUp signs a new user in, and returns the account, or nil if the answer was lost.
func (c *client) signUp() *account {
	n := c.fresh.Add(1)
	a := &account{
		user: fmt.Sprint("fresh", n), life: 12 * time.Hour, idle: time.Duration(n%2) * time.Minute,
		counts: map[string]count{}, renewed: true, state: live,
	}
	r := a.begin(opSignIn, "")
	p, token, app, known := c.ask(opSignIn, "", url.Values{
		"user": {a.user}, "life": {a.life.String()}, "idle": {a.idle.String()}, "fresh": {"1"},
	})
	c.add(a)
	a.note(r, p, token, app)
	if !known {
		a.unknown(r)
		a.state = strayed
		return nil
	}
	r.maxExpiry = time.Now()
	if _, err := a.done(r, p, token); err != nil {
		c.report(a, "%v", err)
	}
	return a
}

// ask sends a request to one of the applications, and returns its name. known is false if the
// outcome is unknown.
func (c *client) ask(op, token string,
	form url.Values) (p page, given, name string, known bool) {
	for attempt := 0; ; attempt++ {
		app := c.apps[rand.IntN(len(c.apps))].Load()
		begin := time.Now()
		p, given, err := c.send(app, op, token, form)
		var refused *net.OpError
		switch {
		case err == nil:
			c.took[c.phase.Load()] = append(c.took[c.phase.Load()], time.Since(begin))
			c.sent[op]++
			return p, given, app.addr, true
		case errors.As(err, &refused) && refused.Op == "dial" && attempt < 10_000:
			c.resent++
			time.Sleep(time.Millisecond)
			continue
		case errors.As(err, new(*statusError)):
			c.report(nil, "%s: %v", op, err)
		}
		c.unknown++
		return page{User: "unknown"}, "", app.addr, false
	}
}

type statusError struct{ text string }

func (e *statusError) Error() string { return e.text }

func (c *client) send(app *instance, op, token string,
	form url.Values) (p page, given string, err error) {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost,
		"http://"+app.addr+"/"+op, strings.NewReader(form.Encode()))
	if err != nil {
		return p, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return p, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return p, "", err
	case resp.StatusCode == http.StatusGone: // during the sign-in
		return page{}, "", nil
	case resp.StatusCode != http.StatusOK:
		return p, "", &statusError{fmt.Sprintf("%s: %s", resp.Status, bytes.TrimSpace(body))}
	}
	for _, cookie := range resp.Cookies() {
		if cookie.Name == "session" {
			given = cookie.Value
		}
	}
	err = json.Unmarshal(body, &p)
	for last := app.carried.Load(); p.Carried > last; last = app.carried.Load() {
		app.carried.CompareAndSwap(last, p.Carried)
	}
	return p, given, err
}
