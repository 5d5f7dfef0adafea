package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// reference is the store for checks of adapters. It is as simple as the driver contract allows, so
// that any failure is the adapter's.
func reference() Store {
	return Store{
		Name: "reference",
		New: func(tb testing.TB) scs.Store {
			return referenceStore(tb, newReferenceDriver(new(backend)))
		},
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			d := s.(*scskit.Store).Driver().(*referenceDriver)
			return referenceStore(tb, newReferenceDriver(d.backend))
		},
	}
}

func referenceStore(tb testing.TB, d driver.Driver) *scskit.Store {
	s, err := scskit.NewStore(d, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// backend holds the records of any number of reference drivers.
type backend struct {
	mu      sync.Mutex
	schema  bool
	records map[string]driver.Record
}

const referenceLimit = 2 << 20

// referenceDriver implements every interface of package driver in the simplest way.
type referenceDriver struct{ backend *backend }

var (
	_ driver.Driver        = (*referenceDriver)(nil)
	_ driver.Ranger        = (*referenceDriver)(nil)
	_ driver.UserIndex     = (*referenceDriver)(nil)
	_ driver.Sweeper       = (*referenceDriver)(nil)
	_ driver.SchemaManager = (*referenceDriver)(nil)
	_ driver.SizeLimiter   = (*referenceDriver)(nil)
)

func newReferenceDriver(b *backend) *referenceDriver {
	d := &referenceDriver{backend: b}
	_ = d.CreateSchema(context.Background())
	return d
}

func (d *referenceDriver) lock(ctx context.Context, op string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reference: %s: %w", op, err)
	}
	d.backend.mu.Lock()
	if !d.backend.schema {
		d.backend.mu.Unlock()
		return nil, fmt.Errorf("reference: %s: %w: call CreateSchema", op, driver.ErrNoSchema)
	}
	return d.backend.mu.Unlock, nil
}

func (d *referenceDriver) live(id string) (driver.Record, bool) {
	rec, ok := d.backend.records[id]
	return rec, ok && rec.Expiry.After(time.Now())
}

func (d *referenceDriver) Load(ctx context.Context, id string) (driver.Record, error) {
	unlock, err := d.lock(ctx, "load")
	if err != nil {
		return driver.Record{}, err
	}
	defer unlock()
	rec, ok := d.live(id)
	if !ok {
		return driver.Record{}, driver.ErrNotFound
	}
	rec.Data = slices.Clone(rec.Data)
	return rec, nil
}

func (d *referenceDriver) Save(
	ctx context.Context, rec driver.Record, cond driver.Condition,
) error {
	unlock, err := d.lock(ctx, "save")
	if err != nil {
		return err
	}
	defer unlock()
	if len(rec.Data) > referenceLimit {
		return fmt.Errorf("reference: save: %w",
			&driver.TooLargeError{Size: len(rec.Data), Limit: referenceLimit})
	}
	old, live := d.live(rec.ID)
	if cond.Absent() && live {
		return driver.ErrConflict
	}
	if v, ok := cond.Match(); ok && (!live || old.Version != v) {
		return driver.ErrConflict
	}
	if live {
		rec.Created = old.Created
	}
	rec.Data = slices.Clone(rec.Data)
	d.backend.records[rec.ID] = rec
	return nil
}

func (d *referenceDriver) Touch(ctx context.Context, rec driver.Record) error {
	unlock, err := d.lock(ctx, "touch")
	if err != nil {
		return err
	}
	defer unlock()
	stored, live := d.live(rec.ID)
	if !live || stored.Version != rec.Version {
		return driver.ErrConflict
	}
	stored.Expiry, stored.Seen = rec.Expiry, rec.Seen
	d.backend.records[rec.ID] = stored
	return nil
}

func (d *referenceDriver) Delete(ctx context.Context, id string, cond driver.Condition) error {
	unlock, err := d.lock(ctx, "delete")
	if err != nil {
		return err
	}
	defer unlock()
	stored, ok := d.backend.records[id]
	if !ok {
		return driver.ErrNotFound
	}
	if v, ok := cond.Match(); ok && stored.Version != v {
		return driver.ErrConflict
	}
	delete(d.backend.records, id)
	return nil
}

func (d *referenceDriver) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		unlock, err := d.lock(ctx, "range")
		if err != nil {
			yield(driver.Record{}, err)
			return
		}
		var ids []string
		for id := range d.backend.records {
			ids = append(ids, id)
		}
		unlock()
		for _, id := range ids {
			rec, err := d.Load(ctx, id)
			if errors.Is(err, driver.ErrNotFound) {
				continue
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

func (d *referenceDriver) RangeUser(
	ctx context.Context, user string,
) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range d.Range(ctx) {
			if (err != nil || rec.User == user) && !yield(rec, err) {
				return
			}
		}
	}
}

func (d *referenceDriver) Sweep(ctx context.Context, limit int) (int, error) {
	unlock, err := d.lock(ctx, "sweep")
	if err != nil {
		return 0, err
	}
	defer unlock()
	n := 0
	for id := range d.backend.records {
		if _, live := d.live(id); !live && n < limit {
			delete(d.backend.records, id)
			n++
		}
	}
	return n, nil
}

func (d *referenceDriver) CreateSchema(context.Context) error {
	d.backend.mu.Lock()
	defer d.backend.mu.Unlock()
	d.backend.schema = true
	if d.backend.records == nil {
		d.backend.records = make(map[string]driver.Record)
	}
	return nil
}

func (d *referenceDriver) CheckSchema(ctx context.Context) error {
	unlock, err := d.lock(ctx, "schema")
	if err != nil {
		return err
	}
	unlock()
	return nil
}

func (d *referenceDriver) DropSchema(context.Context) error {
	d.backend.mu.Lock()
	defer d.backend.mu.Unlock()
	d.backend.schema, d.backend.records = false, nil
	return nil
}

func (d *referenceDriver) Schema() string { return "a map in memory" }

func (d *referenceDriver) MaxData() int { return referenceLimit }
