package faults_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/stats"
)

// pace is how long a server takes for a plain request, as it was measured when a test began. Every
// time in these tests follows from it: a slow machine makes them slower, and nothing else.
type pace time.Duration

// measure asks a site for a few plain requests, with no fault about, and returns their median.
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

// pace measures the server, on the way without faults.
func (b target) pace(t *testing.T) pace {
	t.Helper()
	opts := scskit.Options{Timeout: -1}
	return newSite(t, 0, opts, func(opts scskit.Options) (*scskit.Store, error) {
		return b.open(t, b.url, b.name, direct, opts)
	}).measure(t)
}

func (p pace) times(n int) time.Duration { return time.Duration(n) * time.Duration(p) }

// patience is the time-out of a store that meets a fault: healthy operations are well within it.
func (p pace) patience() time.Duration { return max(time.Second, p.times(20)) }

// watchdog is when a test gives up on what should have happened long before.
func (p pace) watchdog() time.Duration { return max(time.Minute, p.times(600)) }

// size is how many clients make a crowd: as many as the server serves in a quarter of a second, one
// after the other, in whole groups that share a session.
func (p pace) size() int {
	served := int(250 * time.Millisecond / max(time.Duration(p), 1))
	return min(max(served/sharedSize*sharedSize, sharedSize), crowdSize)
}

// crowdPatience is the time-out of a store that serves a crowd.
func (p pace) crowdPatience() time.Duration { return max(3*time.Second, p.times(4*p.size())) }
