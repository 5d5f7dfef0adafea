package scskit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// NewCarrierStore returns a Store that keeps sessions in the client's cookie. It starts no
// goroutine. Options.PlainIDs and Options.Timeout have no effect.
func NewCarrierStore(c driver.Carrier, opts *Options) (*Store, error) {
	if c == nil {
		return nil, errors.New("scskit: NewCarrierStore: the carrier is nil: pass one")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if len(o.Keys) > 0 {
		return nil, errors.New("scskit: NewCarrierStore: Options.Keys is set, but the carrier seals " +
			"sessions itself: pass the keys to it")
	}
	o.Timeout = -1
	return NewStore(carrierDriver{c}, &o)
}

// carrierDriver is the driver of a store that keeps sessions in cookies. The id of a record is the
// cookie's value.
type carrierDriver struct{ driver.Carrier }

var errNeedsAdapter = errors.New("the session is kept in the cookie, which only an adapter can " +
	"set: change it in a handler behind LoadAndSave")

// backend returns what errors name as the backend.
func (s *Store) backend() any {
	if c, ok := s.driver.(carrierDriver); ok {
		return c.Carrier
	}
	return s.driver
}

// carry returns the cookie's value for a record.
func (s *Store) carry(rec driver.Record) (value string, err error) {
	value, err = s.carrier.Carry(rec)
	var tooLarge *driver.TooLargeError
	if errors.As(err, &tooLarge) && tooLarge.Key == "" {
		tooLarge.Key, tooLarge.KeySize = s.largest(rec.Data)
		err = fmt.Errorf("%w: keep less in the session: the cookies hold no more", err)
	}
	return value, err
}

func (c carrierDriver) Load(ctx context.Context, value string) (driver.Record, error) {
	if err := ctx.Err(); err != nil {
		return driver.Record{}, failed("load", err)
	}
	return c.Open(value)
}

func (carrierDriver) Save(context.Context, driver.Record, driver.Condition) error {
	return errNeedsAdapter
}

func (carrierDriver) Touch(context.Context, driver.Record) error {
	return errNeedsAdapter
}

// Delete does nothing: the adapter expires the cookie.
func (carrierDriver) Delete(context.Context, string, driver.Condition) error { return nil }

// SavedAt returns when the session in a cookie's value was last saved. It is the zero time if the
// value holds no live session, or if the store keeps sessions on a server. If a request has several
// cookies with the same name, the adapters use the one that was saved last.
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
