package migrate

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// Range implements driver.Ranger. Without an index it also serves to find the sessions of a user.
func (p *pairDriver) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return p.list(ctx, !p.indexed, func(s side) iter.Seq2[driver.Record, error] {
		return s.Range(ctx)
	})
}

// withOptional returns the driver with the optional interfaces that the backends have.
func (p *pairDriver) withOptional() (d driver.Driver) {
	d = p
	_, leadSweeps := driver.As[driver.Sweeper](p.lead.driver)
	if leadSweeps {
		d = sweptPair{d, p}
	}
	if p.hasSchema() {
		d = schemaPair{d, p}
	}
	_, leadIndex := driver.As[driver.UserIndex](p.lead.driver)
	if _, both := driver.As[driver.UserIndex](p.other.driver); both && leadIndex {
		p.indexed = true
		d = indexedPair{d, p}
	}
	return d
}

// indexedPair is the driver if both backends have an index of users.
type indexedPair struct {
	driver.Driver
	pair *pairDriver
}

// Unwrap implements driver.Decorator.
func (p indexedPair) Unwrap() driver.Driver { return p.Driver }

// RangeUser implements driver.UserIndex.
func (p indexedPair) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return p.pair.list(ctx, true, func(s side) iter.Seq2[driver.Record, error] {
		index, _ := driver.As[driver.UserIndex](s.driver)
		return index.RangeUser(ctx, user)
	})
}

// list yields the records that lead in the sides, without their seals, and the sessions that have
// half moved. A session that moves from the other side to the lead is found in one of them, since
// they are listed in this order. If it may also move back meanwhile, toAndFro makes the list go
// where the markers lead: a backend that has ever had a session has it or its marker.
func (p *pairDriver) list(ctx context.Context, toAndFro bool,
	listing func(side) iter.Seq2[driver.Record, error]) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for _, s := range []side{p.other, p.lead} {
			for rec, err := range listing(s) {
				if err != nil {
					yield(driver.Record{}, err)
					return
				}
				kind, err := s.Unseal(&rec) // without its data, the Store knows it for unreadable
				if !leads(rec.Version) {
					if !toAndFro && (err != nil || kind == records.Lock) {
						continue
					}
					rec, _, err = p.find(ctx, rec.ID)
					switch {
					case errors.Is(err, driver.ErrNotFound):
						continue
					case err != nil && !isUnreadable(err):
						yield(driver.Record{}, err)
						return
					}
				}
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// sweptPair is the driver if the backend that leads must be swept.
type sweptPair struct {
	driver.Driver
	pair *pairDriver
}

// Unwrap implements driver.Decorator.
func (p sweptPair) Unwrap() driver.Driver { return p.Driver }

// Sweep implements driver.Sweeper. A session may leave a record in both backends. So the result is
// the larger number of the two: below the limit, there are no more in either.
func (p sweptPair) Sweep(ctx context.Context, limit int) (int, error) {
	most := 0
	for _, s := range []side{p.pair.lead, p.pair.other} {
		sweeper, ok := driver.As[driver.Sweeper](s.driver)
		if !ok {
			continue
		}
		n, err := sweeper.Sweep(ctx, limit)
		most = max(most, n)
		if err != nil {
			return most, err
		}
	}
	return most, nil
}

// schemaPair is the driver if one of the backends needs a schema.
type schemaPair struct {
	driver.Driver
	pair *pairDriver
}

// Unwrap implements driver.Decorator.
func (p schemaPair) Unwrap() driver.Driver { return p.Driver }

func (p *pairDriver) hasSchema() (has bool) {
	_ = schemaPair{p, p}.schemas(func(driver.SchemaManager) error {
		has = true
		return nil
	})
	return has
}

// schemas calls f for both sides, if they have a schema.
func (p schemaPair) schemas(f func(driver.SchemaManager) error) error {
	var errs []error
	for _, s := range []side{p.pair.lead, p.pair.other} {
		if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
			errs = append(errs, f(m))
		}
	}
	return errors.Join(errs...)
}

// CreateSchema implements driver.SchemaManager.
func (p schemaPair) CreateSchema(ctx context.Context) error {
	return p.schemas(func(m driver.SchemaManager) error { return m.CreateSchema(ctx) })
}

// CheckSchema implements driver.SchemaManager.
func (p schemaPair) CheckSchema(ctx context.Context) error {
	return p.schemas(func(m driver.SchemaManager) error { return m.CheckSchema(ctx) })
}

// DropSchema implements driver.SchemaManager.
func (p schemaPair) DropSchema(ctx context.Context) error {
	return p.schemas(func(m driver.SchemaManager) error { return m.DropSchema(ctx) })
}

// Schema implements driver.SchemaManager.
func (p schemaPair) Schema() string {
	var parts []string
	_ = p.schemas(func(m driver.SchemaManager) error {
		parts = append(parts, m.Schema())
		return nil
	})
	return strings.Join(parts, "\n\n")
}
