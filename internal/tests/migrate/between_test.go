package migrate_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

// `make move-trial` moves 200,000 sessions with 50 clients.
var (
	sessions = flag.Int("sessions", 1200, "how many sessions TestBetween moves from Redis")
	clients  = flag.Int("clients", 12, "how many clients TestBetween has")
)

// TestBetween moves sessions with migrate.Between while clients read, write, sign in and sign out
// through two application processes. Both are deployed anew for each step of the move, one after
// the other, and some are killed. The process that moves is killed twice. The clients check what
// the answers say. In the end each session is checked in the new backend alone.
//
// A request whose answer was lost may or may not have had an effect. Everything else is exact:
// nobody is signed out early, nobody who has signed out is back, no acknowledged write is lost, and
// no session ends more than a second early or late.
func TestBetween(t *testing.T) {
	key := sha256.Sum256([]byte("a key"))
	for _, c := range []struct {
		name     string
		old, new func(*testing.T) string
		sessions int
	}{
		{"redis to postgres", redisURL, postgresURL, *sessions},
		{"postgres to dynamodb", postgresURL, dynamoURL, max(*sessions/10, 300)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deployment{Old: place{URL: c.old(t)}, New: place{URL: c.new(t), Key: key[:]}}
			for _, p := range []place{d.Old, d.New} {
				store := p.open(t)
				must(t, store.CreateSchema(t.Context()))
				t.Cleanup(func() { must(t, store.DropSchema(context.WithoutCancel(t.Context()))) })
			}
			// Many sessions take long to move. So that the move can be killed, few do so too.
			m := mover{From: d.Old, To: d.New, Pair: true}
			span := 10 * time.Minute
			if c.sessions < 10_000 {
				m.Rate, span = float64(c.sessions)/2, 15*time.Second
			}
			begin := time.Now()
			accounts, dead := fillAccounts(t, d.Old.open(t), c.sessions, span)
			t.Logf("%d sessions, %d clients; filled in %v", c.sessions, *clients,
				time.Since(begin).Round(time.Millisecond))
			moveLive(t, d, m, newCrowd(t, accounts, dead, *clients))
		})
	}
}

// The phases of a move, by whose number the clients note how long requests take.
const (
	before int32 = iota
	around       // applications with a pair, and no move
	moving
	after
)

// crashes is how often an application is killed and started again while the other one has the pair
// in the other direction.
const crashes = 3

func moveLive(t *testing.T, d deployment, m mover, c *crowd) {
	deploy := func(i int, to mode, kill bool) {
		d.Mode = to
		c.deploy(i, d, kill)
		c.await(3)
	}
	for i := range c.apps {
		d.Mode = oldAlone
		c.apps[i].Store(d.launch(t))
	}
	c.start()
	defer c.end()
	c.await(5)

	c.phase.Store(around)
	deploy(0, backward, false)
	deploy(1, backward, true)
	deploy(0, forward, false)
	for range crashes { // while sessions move to and fro
		deploy(1, backward, true)
	}
	deploy(1, forward, true)
	pair := d.pair(t)
	done := func() bool {
		t.Helper()
		done, err := pair.Done(t.Context())
		must(t, err)
		return done
	}

	c.phase.Store(moving)
	begin, moved := time.Now(), 0
	for _, kill := range []bool{true, true, false} {
		at := 0
		if kill { // so that some of the unused sessions are left both times
			at = 1 + int(float64(c.unused)*(0.1+0.25*rand.Float64()))
		}
		r := m.run(t, at)
		moved += r.Copied
		if !kill {
			t.Log("move: ", r)
			break
		}
		t.Logf("%s: killed the move when it had moved %d", now(), r.Copied)
		if done() {
			t.Error("Done is true, and sessions are left that nobody has used")
		}
		deploy(rand.IntN(2), forward, true)
	}
	c.await(2) // no request is in the middle of a move any more
	if !done() {
		t.Log("a request has left a copy: move again: ", m.run(t, 0))
		if !done() {
			t.Error("Done is false after two moves")
		}
	}
	took := time.Since(begin)

	c.phase.Store(after)
	deploy(0, newAlone, false)
	deploy(1, newAlone, true)
	c.await(5)
	c.stopAndCheck(d)
	t.Logf("%d sessions moved by Move, and %d times one by a request, in %v: %.0f/s", moved,
		c.carried.Load(), took.Round(time.Millisecond), float64(moved)/took.Seconds())
	c.log()
}
