package faults_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
)

// kills is the number of kills of each server.
const kills = 3

// TestKilledServer kills servers with SIGKILL while up to 50 clients write, and starts them again
// with their data. While a server is down, the clients get errors. Afterwards all of them continue
// without a restart of the application. Every acknowledged write is there: no session has an older
// value, no client gets the session of another, and no signed-out session exists.
//
// The servers run with settings for durability: Redis with appendonly and appendfsync always,
// PostgreSQL with fsync and synchronous_commit, MariaDB with innodb_flush_log_at_trx_commit=1,
// FerretDB on SQLite files and dynalite on LevelDB files. The last two survive the kill of the
// process, which this test does. Whether they survive a crash of the machine is not known.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.kind.String()+b.client, func(t *testing.T) {
			t.Parallel()
			enter(t, t.Name())
			server, name := testenv.Start(t, b.kind), testenv.Name(t)
			b.schema(t, server.URL(), name)
			p := target{b, server.URL(), name, nil}.pace(t)
			opts := scskit.Options{Timeout: p.crowdPatience()}
			s := newSite(t, p, opts, func(opts scskit.Options) (*scskit.Store, error) {
				return b.open(t, server.URL(), name, direct, opts)
			})
			c := newCrowd(t, s)
			survive(t, c, kills, server.Kill, server.Restart)
		})
	}
}

// TestHangUnderLoad is the same with a network that hangs under load: every connection of the
// client's pool waits for a reply that never comes. The pool recovers with the network.
func TestHangUnderLoad(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		enter(t, b.url)
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: p.crowdPatience()})
		c := newCrowd(t, s)
		survive(t, c, 1, func() { n.each((*testenv.Proxy).Hang) }, n.enable)
	})
}

// TestForgottenConnections checks that the pool of a client replaces connections on which no
// replies arrive any more.
func TestForgottenConnections(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		enter(t, b.url)
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: p.crowdPatience()})
		c := newCrowd(t, s)
		c.await("at work", c.acks, 5)
		fails := c.fails()
		n.forget()
		begin := time.Now()
		c.await("recovery", c.acks, 5)
		t.Logf("all clients recovered after %s", time.Since(begin).Round(time.Millisecond))
		c.end()
		c.checkAll()
		var failed int64
		for i, now := range c.fails() {
			failed += now - fails[i]
		}
		t.Logf("%d requests failed, %d replies were lost", failed, n.missed.Load())
		if n.missed.Load() == 0 {
			t.Error("no reply was lost, so the test did not break any connection")
		}
	})
}

// survive checks that the crowd recovers from a number of outages.
func survive(t *testing.T, c *crowd, times int, kill, restart func()) {
	t.Helper()
	for range times {
		c.await("at work", c.acks, 5)
		kill()
		c.await("outage", c.fails, 1) // requests from before the kill have ended
		acks := c.acks()
		c.await("outage", c.fails, 1)
		if now := c.acks(); !slices.Equal(now, acks) {
			t.Errorf("requests succeed during the outage: %v, then %v", acks, now)
		}
		restart()
		begin := time.Now()
		c.await("recovery", c.acks, 1)
		took := time.Since(begin)
		c.checkDead(len(c.clients))
		t.Logf("all clients recovered %s after the restart", took.Round(time.Millisecond))
	}
	c.end()
	c.checkAll()
	var acks, fails int64
	for i := range c.clients {
		acks, fails = acks+c.acks()[i], fails+c.fails()[i]
	}
	t.Logf("%d requests acknowledged, %d refused, %d sign-outs", acks, fails, len(c.dead))
	if len(c.dead) == 0 {
		t.Error("no client signed out")
	}
}
