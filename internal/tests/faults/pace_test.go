package faults_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/stats"
)

// pace is the duration of a request without faults, measured at the start of a test. All durations
// in these tests derive from it, so that a slow machine makes the tests slower but not fail.
type pace time.Duration

// measure returns the median duration of a few requests without faults.
func (s *site) measure(t *testing.T) pace {
	t.Helper()
	token := s.open(t, "v")
	var took []time.Duration
	for range 7 {
		a, _ := s.until(t, "/put", token, url.Values{"v": {"v"}})
		took = append(took, a.took)
	}
	return pace(stats.Median(took))
}

// pace measures the pace over a direct connection.
func (b target) pace(t *testing.T) pace {
	t.Helper()
	opts := scskit.Options{Timeout: -1}
	return newSite(t, 0, opts, func(opts scskit.Options) (*scskit.Store, error) {
		return b.open(t, b.url, b.name, direct, opts)
	}).measure(t)
}

func (p pace) times(n int) time.Duration { return time.Duration(n) * time.Duration(p) }

// patience is the timeout of a store during faults. Operations without faults take far less.
func (p pace) patience() time.Duration { return max(time.Second, p.times(20)) }

// watchdog is the time after which a test fails.
func (p pace) watchdog() time.Duration { return max(time.Minute, p.times(600)) }

// size is the number of clients of a crowd: as many requests as the server handles in a quarter of
// a second, rounded down to complete groups that share a session.
func (p pace) size() int {
	served := int(250 * time.Millisecond / max(time.Duration(p), 1))
	return min(max(served/sharedSize*sharedSize, sharedSize), maxClients)
}

// crowdPatience is the timeout of a store with a crowd.
func (p pace) crowdPatience() time.Duration { return max(3*time.Second, p.times(4*p.size())) }
