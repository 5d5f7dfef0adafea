// Package memstore keeps sessions in the memory of the process: for tests, for
// development, and for programs that run as one process and may lose their sessions
// when it ends.
//
// It is bounded (Options.MaxSessions) and starts no goroutine: expired
// sessions are invisible at once, and their memory is taken back by later writes.
package memstore

import (
	"fmt"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

const defaultMaxSessions = 1_000_000

// Options are the settings of a memory store. The zero value, and a nil *Options,
// is the safe default.
type Options struct {
	// Options are the settings that every store shares, with one difference: a
	// Timeout of zero means no bound, because memory keeps nobody waiting.
	scskit.Options

	// MaxSessions is the most sessions that are held. Zero means 1,000,000; a
	// negative value is an error. When they are all taken, a new session takes the
	// place of an expired one, or else of the one that is nearest its
	// expiry: with an idle timeout that is the least recently used, without one the oldest.
	//
	// The bound is on the number of sessions; Options.MaxSize bounds each of them. A
	// million sessions of 300 bytes were measured at 560 MB.
	MaxSessions int
}

// New returns a store that keeps its sessions in memory. Two stores share
// nothing.
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
		shared.Timeout = -1 // saves a timer for each operation
	}
	return scskit.NewStore(d, &shared)
}

func newDriver(opts *Options) (driver.Driver, error) {
	m := &memory{
		records: make(map[string]*entry),
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
