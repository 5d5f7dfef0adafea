package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// move changes the expiry of a stored record of version 1, and returns the new record.
type move struct {
	how  string
	make func(ctx context.Context, d driver.Driver, rec driver.Record, to time.Time) (
		driver.Record, error)
}

var (
	byTouch = move{"touched", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry = to
		return rec, d.Touch(ctx, rec)
	}}
	bySave = move{"saved over", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("saved over")
		return rec, d.Save(ctx, rec, driver.Always())
	}}
	bySaveIfVersion = move{"saved over its version", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("saved over its version")
		return rec, d.Save(ctx, rec, driver.IfVersion(1))
	}}
	byCreation = move{"deleted and created again", func(
		ctx context.Context, d driver.Driver, rec driver.Record, to time.Time,
	) (driver.Record, error) {
		if err := d.Delete(ctx, rec.ID, driver.Always()); err != nil {
			return rec, err
		}
		rec.Expiry, rec.Version, rec.Data = to, 2, []byte("created again")
		return rec, d.Save(ctx, rec, driver.IfAbsent())
	}}

	moves = []move{byTouch, bySave, bySaveIfVersion, byCreation}
)

// moved stores a record with one expiry and moves it to another.
func (t *checkT) moved(d driver.Driver, m move, rec driver.Record, from, to time.Time) (
	driver.Record, error,
) {
	rec.Expiry = from
	if err := d.Save(t.Context(), rec, driver.IfAbsent()); err != nil {
		return rec, fmt.Errorf("save: %w", err)
	}
	rec, err := m.make(t.Context(), d, rec, to)
	if err != nil {
		err = fmt.Errorf("a record is %s: %w", m.how, err)
	}
	return rec, err
}

// arrangeExpiry calls arrange with an expiry in the near future and returns after it has passed. If
// it passes before arrange returns, because the backend is slow, aged starts again with a later
// one: arrange must create a new driver each time.
func (t *checkT) arrangeExpiry(arrange func(expiry time.Time) error) {
	t.Helper()
	for span := t.short(); ; span *= 4 {
		expiry := in(span).Truncate(time.Millisecond)
		err := arrange(expiry)
		if time.Now().Before(expiry) {
			if err != nil {
				t.Fatal(err)
			}
			t.pause(time.Until(expiry.Add(patience / 2)))
			return
		}
	}
}

// far returns an expiry that does not pass during a check.
func far() time.Time { return in(lifetime).Truncate(time.Millisecond) }

func anyRecord() driver.Record { return record(newID(), "data") }
