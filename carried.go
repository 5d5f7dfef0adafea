package scskit

import (
	"context"
	"time"
)

// SavedAt returns when the session that travels in a cookie's value was last saved. It is the zero
// time if the value holds no session that is live, or if the store keeps sessions on a server. Of
// several cookies of one name the adapters take the one that was saved last.
func (s *Store) SavedAt(ctx context.Context, value string) time.Time {
	if s.carrier == nil {
		return time.Time{}
	}
	rec, err := s.carrier.Load(ctx, value)
	if err != nil || !rec.Expiry.After(s.opts.Now()) {
		return time.Time{}
	}
	return rec.Updated
}
