// Package memstore keeps sessions in the memory of the process. It is for tests, for development,
// and for programs that run as one process and may lose their sessions when it exits.
//
// The number of sessions is limited; see Options.MaxSessions. Expired sessions are invisible at
// once, and later writes free their memory. The store starts no goroutine.
package memstore

import (
	"fmt"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

const defaultMaxSessions = 1_000_000

// Options are the settings of a memory store. The zero value and a nil *Options are safe defaults.
type Options struct {
	// Options are the settings that all stores share, with one difference: a Timeout of zero means
	// no limit, because no operation waits for a backend.
	scskit.Options

	// MaxSessions limits the number of sessions. Zero means 1,000,000; a negative value is an
	// error. When full, a new session evicts an expired one, or else the one closest to expiry.
	// With an idle timeout, that is the least recently used session; without one, the oldest. If
	// Options.UserKey is set, sessions without a user are evicted before any session with one, so
	// that a flood of anonymous clients signs nobody out.
	//
	// Options.MaxSize limits the size of each session. A million sessions of 300 bytes take about
	// 560 MB.
	MaxSessions int
}

// New returns a store that keeps sessions in memory. Two stores share nothing.
func New(opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	d, err := newDriver(opts)
	if err != nil {
		return nil, err
	}
	shared := opts.Options
	if shared.Timeout == 0 {
		shared.Timeout = -1 // saves a timer per operation
	}
	return scskit.NewStore(d, &shared)
}

func newDriver(opts *Options) (driver.Driver, error) {
	m := &memory{
		records: make(map[string]*entry),
		users:   make(map[string]map[*entry]struct{}),
		max:     opts.MaxSessions,
		now:     opts.Now,
	}
	switch {
	case m.max < 0:
		return nil, fmt.Errorf("memstore: Options.MaxSessions is %d: it must not be negative", m.max)
	case m.max == 0:
		m.max = defaultMaxSessions
	}
	if m.now == nil {
		m.now = time.Now
	}
	return m, nil
}
