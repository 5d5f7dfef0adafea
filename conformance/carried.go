package conformance

import (
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// carrierOf returns the driver of a store whose sessions travel in the cookie, and nothing of other
// stores.
func carrierOf(s scs.Store) (driver.Carrier, bool) {
	p, ok := s.(*scskit.Store)
	if !ok {
		return nil, false
	}
	c, ok := driver.As[driver.Carrier](p.Driver())
	return c, ok
}

// carried reports whether the sessions of the site travel in the cookie. Then each value of the
// cookie is a session of its own, and no two responses set the same.
func (s *site) carried() bool {
	_, ok := carrierOf(s.store)
	return ok
}

// record returns the record of the session that the browser has a cookie for.
func (b *browser) record(d driver.Driver) driver.Record {
	b.s.t.Helper()
	id := b.token()
	if !b.s.carried() {
		id = idOf(id)
	}
	rec, err := d.Load(b.s.t.Context(), id)
	if err != nil {
		b.s.t.Fatalf("driver: load: %v", err)
	}
	return rec
}

// plant has the session that the browser has a cookie for be data until expiry, past the adapter.
func (b *browser) plant(data []byte, expiry time.Time) {
	b.s.t.Helper()
	c, ok := carrierOf(b.s.store)
	if !ok {
		b.s.t.commit(b.s.store, b.token(), data, expiry)
		return
	}
	rec := b.record(b.s.store.(*scskit.Store).Driver())
	rec.Data, rec.Expiry = data, expiry
	value, err := c.Carry(rec)
	if err != nil {
		b.s.t.Fatalf("driver: carry: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies[c.CookieName()] = value
}

// nearExpiry makes the session one that any request under an idle timeout has to write again.
func (b *browser) nearExpiry() {
	b.s.t.Helper()
	data, found := b.s.t.find(b.s.store, b.token())
	if !found {
		b.s.t.Fatal("find: the session is not found")
	}
	b.plant(data, in(time.Minute))
}
