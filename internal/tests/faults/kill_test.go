package faults_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
)

// kills is how often each server is killed.
const kills = 3

// Servers are killed with SIGKILL while up to 50 clients write, and started again on their data.
// While a server is gone its clients get errors; then all of them go on, without a restart of the
// program. What was acknowledged is there: no session has an older value than the last one that its
// client knows of, nobody gets another's, and who has signed out stays so.
//
// All servers here keep what they have acknowledged, as they are started: Redis with appendonly and
// appendfsync always, PostgreSQL with fsync and synchronous_commit, MariaDB with
// innodb_flush_log_at_trx_commit=1, FerretDB in SQLite files and dynalite in those of LevelDB. For
// the last two that holds for the death of the process, which this is, and is not known of the
// machine's.
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

// The same on a network that goes silent under load, so that every connection of the client's pool
// waits for a reply that never comes: the pool is well again when the network is.
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

// Connections that died without a word fail one request each, at most, and then are replaced: the
// pool heals by itself.
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
		t.Logf("all clients were served again after %s", time.Since(begin).Round(time.Millisecond))
		c.end()
		c.checkAll()
		var failed int64
		for i, now := range c.fails() {
			failed += now - fails[i]
		}
		t.Logf("%d requests failed, %d replies were lost", failed, n.missed.Load())
		if n.missed.Load() == 0 {
			t.Error("no reply was lost: no connection was forgotten")
		}
	})
}

// survive kills what the sessions depend on, so many times.
func survive(t *testing.T, c *crowd, times int, kill, restart func()) {
	t.Helper()
	for range times {
		c.await("at work", c.acks, 5)
		kill()
		c.await("outage", c.fails, 1) // what was under way when the server died has ended
		acks := c.acks()
		c.await("outage", c.fails, 1)
		if now := c.acks(); !slices.Equal(now, acks) {
			t.Errorf("requests succeed without a server: %v, then %v", acks, now)
		}
		restart()
		begin := time.Now()
		c.await("recovery", c.acks, 1)
		took := time.Since(begin)
		c.checkDead(len(c.clients))
		t.Logf("all clients were served %s after the restart", took.Round(time.Millisecond))
	}
	c.end()
	c.checkAll()
	var acks, fails int64
	for i := range c.clients {
		acks, fails = acks+c.acks()[i], fails+c.fails()[i]
	}
	t.Logf("%d requests acknowledged, %d refused, %d sign-outs", acks, fails, len(c.dead))
	if len(c.dead) == 0 {
		t.Error("nobody has signed out")
	}
}
