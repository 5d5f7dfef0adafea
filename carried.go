package scskit

import (
	"context"
	"errors"
	"time"

	"github.com/scskit/scskit/driver"
)

// NewCarrierStore returns a store whose sessions travel in the client's cookie. It starts no
// goroutine. Options.PlainIDs and Options.Timeout have no effect: nothing is stored or waited for.
func NewCarrierStore(c driver.Carrier, opts *Options) (*Store, error) {
	if c == nil {
		return nil, errors.New("scskit: carrier is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Timeout = -1
	return NewStore(carried{c}, &o)
}

// carried is the driver of a store whose sessions travel in the cookie: the id of a record is the
// value of the cookie.
type carried struct{ driver.Carrier }

var errCarried = errors.New("the session travels in the cookie: only an adapter can save it")

func (c carried) Load(ctx context.Context, value string) (driver.Record, error) {
	if err := ctx.Err(); err != nil {
		return driver.Record{}, err
	}
	return c.Open(value)
}

func (carried) Save(context.Context, driver.Record, driver.Condition) error { return errCarried }

func (carried) Touch(context.Context, string, int64, time.Time) error { return errCarried }

// Delete has nothing to delete: the adapter expires the cookie.
func (carried) Delete(context.Context, string) error { return nil }

// SavedAt returns when the session that travels in a cookie's value was last saved. It is the zero
// time if the value holds no session that is live, or if the store keeps sessions on a server. Of
// several cookies of one name the adapters take the one that was saved last.
func (s *Store) SavedAt(value string) time.Time {
	if s.carrier == nil {
		return time.Time{}
	}
	rec, err := s.carrier.Open(value)
	if err != nil || !rec.Expiry.After(s.opts.Now()) {
		return time.Time{}
	}
	return rec.Updated
}
