package scskit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/tracking"
)

// Unreadable describes a record that a store cannot read.
type Unreadable struct {
	// ID is HashToken of the session's token.
	ID string

	// Err says why. It matches one of:
	//   - ErrCorrupt: no program can read the record.
	//   - ErrUnknownKey: it is sealed under a key that Options.Keys does not have.
	//   - ErrPlaintext: it is not sealed, although Options.Keys is set.
	//   - ErrNewer: a later version of scskit has written it.
	// An error that matches none of them is from Options.Codec. Err holds nothing of the record.
	Err error
}

// UnreadableAction is what a store does with an unreadable record.
type UnreadableAction uint8

const (
	// FailUnreadable keeps the record and fails the request. The session works again once the record
	// can be read.
	FailUnreadable UnreadableAction = iota + 1

	// KeepUnreadable keeps the record until it expires, for an inspection. The request goes on with a
	// new session, so that its user is signed out.
	KeepUnreadable

	// DropUnreadable deletes the record. The request goes on with a new session.
	DropUnreadable
)

// KeepCorrupt is a function for Options.OnUnreadable that keeps damaged records aside until they
// expire. For all others it is like the default.
func KeepCorrupt(_ context.Context, u Unreadable) UnreadableAction {
	if errors.Is(u.Err, ErrCorrupt) {
		return KeepUnreadable
	}
	return FailUnreadable
}

func dropCorrupt(_ context.Context, u Unreadable) UnreadableAction {
	if errors.Is(u.Err, ErrCorrupt) {
		return DropUnreadable
	}
	return FailUnreadable
}

// unreadable reports whether err says that a record cannot be read, as opposed to a failure of the
// backend.
func unreadable(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownKey) ||
		errors.Is(err, ErrPlaintext) || errors.Is(err, ErrNewer)
}

// unreadableKind is the kind of the event for a record of a list. Only damage is corruption.
func unreadableKind(err error) Kind {
	if errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrNewer) {
		return KindUnreadable
	}
	return KindCorrupt
}

// maxUnreadable is how many records in a row may be unreadable before a store stops deleting them.
// A process that reads no other record is more likely misconfigured than each record is damaged.
const maxUnreadable = 10

// quietUnreadable ends a run: damage now and then is no sign of a wrong configuration.
const quietUnreadable = time.Hour

// unreadableRun has the unreadable records since the last readable one. A record that was saved
// after this process has begun does not count as readable: the process reads its own records with
// any configuration.
type unreadableRun struct {
	began time.Time

	n    atomic.Int64 // how many there are, up to one above maxUnreadable
	mu   sync.Mutex
	ids  []string // each once, however many requests are for one record
	last time.Time
}

// add counts a record unless it is in the run already, and returns the length of the run.
func (r *unreadableRun) add(id string, now time.Time) (n int, counted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) > quietUnreadable {
		r.ids = nil
	}
	r.last = now
	if counted = len(r.ids) <= maxUnreadable && !slices.Contains(r.ids, id); counted {
		r.ids = append(r.ids, id)
		r.n.Store(int64(len(r.ids)))
	}
	return len(r.ids), counted
}

// end ends the run if the record, which was readable, is older than this process.
func (r *unreadableRun) end(rec driver.Record) {
	if r.n.Load() == 0 || !rec.Updated.Before(r.began) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = nil
	r.n.Store(0)
}

// dismiss does what Options.OnUnreadable says with a record that a request has found. If it returns
// nil, the request goes on without the session.
func (s *Store) dismiss(ctx context.Context, token, id string, version int64, cause error) error {
	u := Unreadable{ID: s.ids.public(id), Err: cause}
	decide := s.opts.OnUnreadable
	if decide == nil {
		decide = dropCorrupt
	}
	action := decide(tracking.WithoutSession(ctx), u)
	if action != DropUnreadable && action != KeepUnreadable {
		action = FailUnreadable
	}
	run, counted := s.unreadable.add(id, s.opts.Now())
	if run > maxUnreadable && action == DropUnreadable {
		action = FailUnreadable
	}
	if run == maxUnreadable+1 && counted {
		s.warnUnreadable(ctx, u)
	}
	switch action {
	case FailUnreadable:
		return s.failure("find", token, cause)
	case DropUnreadable:
		switch err := s.remove(ctx, id, driver.IfVersion(version)); {
		case errors.Is(err, driver.ErrNotFound):
			return nil // another request has deleted and reported it
		case errors.Is(err, driver.ErrConflict):
			return err
		case err != nil:
			return s.failure("find", token, err)
		}
	}
	s.report(ctx, Event{Kind: KindCorrupt, Outcome: OutcomeOK, ID: u.ID, Err: cause})
	return nil
}

// warnUnreadable reports that a run has become too long.
func (s *Store) warnUnreadable(ctx context.Context, u Unreadable) {
	err := fmt.Errorf("scskit: %d session records in a row could not be read: this process probably "+
		"lacks a key of Options.Keys, or has another codec; it deletes no more records and fails such "+
		"requests until it reads one: %w", maxUnreadable+1, u.Err)
	s.report(ctx, Event{Kind: KindUnreadable, Outcome: OutcomeOK, ID: u.ID, Err: err})
	slog.ErrorContext(tracking.WithoutSession(ctx), err.Error())
}
