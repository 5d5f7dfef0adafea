package scskit

import "time"

// withSlack returns the expiry to store for a session that should expire at expiry. If that is an
// idle timeout, the stored one is later by one touch interval, so that the next requests need not
// write. It is never later than the session's deadline.
func (s *Store) withSlack(l span, expiry time.Time) time.Time {
	if !l.known || !expiry.Before(l.deadline) {
		return ceilMilli(expiry)
	}
	interval := s.opts.TouchInterval
	if interval == 0 {
		interval = min(expiry.Sub(s.opts.Now())/10, time.Minute)
	}
	if interval < 0 {
		interval = 0
	}
	if l.idle > 0 {
		interval = min(interval, l.idle/10) // Options.TouchInterval suits the manager's idle timeout
	}
	if slack := expiry.Add(interval); slack.Before(l.deadline) {
		return ceilMilli(slack)
	}
	return ceilMilli(l.deadline)
}

// ceilMilli rounds up to milliseconds, which every backend can store, so that no session ends
// early.
func ceilMilli(t time.Time) time.Time {
	if r := t.Truncate(time.Millisecond); r.Before(t) {
		return r.Add(time.Millisecond)
	}
	return t
}
