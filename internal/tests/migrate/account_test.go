package migrate_test

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// account is a session as its clients know it: what the application has acknowledged, and what may
// have happened besides. Each has a user of its own.
type account struct {
	user       string
	life, idle time.Duration

	mu       sync.Mutex
	token    string
	state    state
	deadline time.Time
	// The session expires between the two. They differ once the time of its last use counts.
	minExpiry, maxExpiry time.Time
	counts               map[string]count
	created              driver.Record // as the fill has left it, without data
	used, renewed        bool          // since then

	history []string // of requests, for the report of an error

	turns  int // sign-ins and sign-outs that have ended
	ending int // those under way
	// A sign-in or a sign-out has an unknown outcome.
	maybeRenewed, maybeEnded bool
}

// state is whether an account's token opens its session.
type state int

const (
	live    state = iota
	strayed       // under a token that no client has got
	ended         // for ever
)

// count is the number under a key of a session: at least acked, and at most tried.
type count struct{ acked, tried int }

// leeway is by how much an expiry may be wrong.
const leeway = time.Second

// request is what the clients knew of the account when a request began.
type request struct {
	op, key string
	value   int // of opPut
	began   time.Time

	token                          string
	state                          state
	deadline, minExpiry, maxExpiry time.Time
	counts                         map[string]count
	turns, ending                  int
}

// begin notes a request. A sign-in becomes a read while another one, or a sign-out, is under way.
func (a *account) begin(op, key string) *request {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ending > 0 && op == opSignIn {
		op = opRead
	}
	r := &request{
		op: op, key: key, began: time.Now(), token: a.token, state: a.state, deadline: a.deadline,
		minExpiry: a.minExpiry, maxExpiry: a.maxExpiry, counts: maps.Clone(a.counts),
		turns: a.turns, ending: a.ending,
	}
	switch {
	case ends(op):
		a.ending++
	case op == opPut || op == opAdd:
		n := a.counts[key]
		n.tried++
		r.value = n.tried
		a.counts[key] = n
	}
	return r
}

// ends reports whether an operation ends the token of its session.
func ends(op string) bool { return op == opSignIn || op == opSignOut || op == opEndAll }

// note adds a request to the history. It tells tokens apart by the first bytes of their hashes.
func (a *account) note(r *request, p page, token, app string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := func(token string) string {
		if token == "" {
			return "none"
		}
		return scskit.HashToken(token)[:4]
	}
	a.history = append(a.history, fmt.Sprintf("%s to %s by %s: %s with %s, got %q, token %s",
		clock(r.began), now(), app, r.op, name(r.token), p.User, name(token)))
}

// unknown notes that the answer was lost: the request may or may not have had an effect.
func (a *account) unknown(r *request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = true
	a.extend(r, false)
	if ends(r.op) {
		a.ending--
		a.turns++
		a.maybeRenewed = a.maybeRenewed || r.op == opSignIn
		a.maybeEnded = a.maybeEnded || r.op != opSignIn
	}
}

// done checks an answer, and notes what it acknowledges. It returns the tokens that have ended, and
// what is wrong.
func (a *account) done(r *request, p page, token string) (dead []string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ends(r.op) {
		a.ending--
	}
	raced := r.ending+a.ending > 0 || a.turns != r.turns
	expiring := !time.Now().Before(r.minExpiry.Add(-leeway))
	if ends(r.op) {
		a.turns++
	}
	switch {
	case r.op == opEndAll: // the request has no session of its own
		a.maybeRenewed = a.maybeRenewed && a.ending > 0
		return a.end(), nil
	case p.User == "":
		return a.missing(r, raced, expiring)
	case r.state != live:
		return nil, fmt.Errorf("%s: the session is back", r.op)
	case p.User != a.user:
		return nil, fmt.Errorf("%s: got the session of %s, want that of %s", r.op, p.User, a.user)
	case r.began.After(r.maxExpiry.Add(leeway)):
		return nil, fmt.Errorf("%s: the session lives %v too long", r.op, r.began.Sub(r.maxExpiry))
	}
	a.used = true
	if err := a.holds(r.counts, p.Values); err != nil {
		return nil, fmt.Errorf("%s: %w", r.op, err)
	}
	switch r.op {
	case opSignIn:
		return a.signedIn(r, p, token)
	case opSignOut:
		return a.end(), nil
	}
	if off := p.Deadline.Sub(r.deadline).Abs(); !raced && off > leeway {
		return nil, fmt.Errorf("%s: the deadline has moved by %v", r.op, off)
	}
	if token != "" && token != r.token {
		return nil, fmt.Errorf("%s: the response has another token", r.op)
	}
	a.extend(r, !raced)
	n := a.counts[r.key]
	switch {
	case r.op == opAdd: // Update has stored it
		n.acked++
		a.counts[r.key] = n
	case r.op == opPut && !raced && !expiring: // otherwise the session may have been gone by then
		n.acked = r.value
		a.counts[r.key] = n
	}
	return nil, nil
}

// end notes that the session has ended, and returns its token.
func (a *account) end() []string {
	a.state = ended
	return []string{a.token}
}

// missing notes that a request has found no session.
func (a *account) missing(r *request, raced, expiring bool) (dead []string, err error) {
	// A sign-out with a token that was renewed a moment ago ends the session, although it finds none.
	a.maybeEnded = a.maybeEnded || r.op == opSignOut && raced
	switch {
	case r.state != live || raced || a.state != live:
		return nil, nil
	case a.maybeRenewed:
		a.state = strayed
		return []string{a.token}, nil
	case a.maybeEnded || expiring:
		return a.end(), nil
	}
	return a.end(), fmt.Errorf("%s: the session is gone, %v before it expires", r.op,
		time.Until(r.minExpiry).Round(time.Second))
}

// holds checks values that were read after the counts were as given.
func (a *account) holds(before map[string]count, values map[string]int) error {
	for key, n := range a.counts {
		if got := values[key]; got < before[key].acked || got > n.tried {
			return fmt.Errorf("%s is %d, want %d (acknowledged) to %d (tried)", key, got,
				before[key].acked, n.tried)
		}
	}
	for key, got := range values {
		if got > a.counts[key].tried {
			return fmt.Errorf("%s is %d, and nobody has tried that", key, got)
		}
	}
	return nil
}

// signedIn notes the new token. A sign-out at the same time ends the session under that one too.
func (a *account) signedIn(r *request, p page, token string) (dead []string, err error) {
	now := time.Now()
	switch {
	case token == "" || token == r.token:
		return nil, fmt.Errorf("%s: the token is not new", r.op)
	case p.Deadline.Before(r.began.Add(a.life - leeway)), p.Deadline.After(now.Add(a.life + leeway)):
		return nil, fmt.Errorf("%s: the deadline is in %v, want %v", r.op, time.Until(p.Deadline), a.life)
	case a.state == ended:
		return []string{token}, nil
	}
	dead = []string{a.token}
	a.token, a.renewed, a.deadline = token, true, p.Deadline
	a.minExpiry, a.maxExpiry = time.Time{}, time.Time{}
	a.extend(r, true)
	return dead, nil
}

// extend notes that the session was used, or may have been.
func (a *account) extend(r *request, acked bool) {
	if a.idle == 0 {
		a.minExpiry, a.maxExpiry = a.deadline, a.deadline
		return
	}
	if from := earlier(r.began.Add(a.idle), a.deadline); acked && from.After(a.minExpiry) {
		a.minExpiry = from
	}
	until := earlier(time.Now().Add(a.idle+min(a.idle/10, time.Minute)), a.deadline)
	if until.After(a.maxExpiry) {
		a.maxExpiry = until
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
