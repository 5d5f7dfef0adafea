package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// errAgain means that others have changed the record, so that it must be read again.
var errAgain = errors.New("changed meanwhile")

// find returns the session with the id, which it moves to the lead first. If there is none, held is
// what the lead has under the id all the same. An *Unreadable comes with the ID and the version of
// the record that it is about.
func (p *pairDriver) find(ctx context.Context, id string) (rec, held driver.Record, err error) {
	for attempt := range 4 * maxAttempts {
		if err := pause(ctx, attempt); err != nil {
			return driver.Record{}, held, err
		}
		var kind records.Kind
		var failed error
		held, kind, failed = p.lead.raw(ctx, id)
		switch {
		case held.ID != "" && leads(held.Version):
			return held, driver.Record{}, failed
		case failed != nil && !isUnreadable(failed):
			return driver.Record{}, held, failed
		}
		rec, err = p.follow(ctx, id, held, kind, failed)
		if !errors.Is(err, errAgain) {
			return rec, held, err
		}
	}
	return driver.Record{}, held, fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict,
		4*maxAttempts)
}

// follow looks for a session that does not lead in p.lead, where held was found. bad says that held
// cannot be read.
func (p *pairDriver) follow(ctx context.Context, id string, held driver.Record,
	heldKind records.Kind, bad error) (driver.Record, error) {
	rec, kind, err := p.other.raw(ctx, id)
	switch {
	case err != nil && !isUnreadable(err):
		return driver.Record{}, err
	case rec.ID == "", leads(rec.Version) && kind == records.Lock: // a lock does not move
		return driver.Record{}, driver.ErrNotFound
	case leads(rec.Version) && err == nil:
		return p.move(ctx, rec, kind, held)
	case leads(rec.Version):
		return rec, err
	case rec.Version == held.Version && (bad != nil || err != nil):
		// It has half moved, and this process cannot tell the copy from the marker, or has no data.
		return driver.Record{ID: id, Version: held.Version}, cmp.Or(bad, err)
	case rec.Version == held.Version && heldKind != kind && kind == records.Lock:
		return p.finish(ctx, held, rec)
	case rec.Version == held.Version && heldKind != kind:
		// It has half moved in the other direction.
		back := pairDriver{lead: p.other, other: p.lead, both: p.both}
		if _, err := back.finish(ctx, rec, held); err != nil {
			return driver.Record{}, err
		}
		return driver.Record{}, errAgain
	}
	// The session has moved away from there: to the lead, after that was read, unless it has ended.
	fresh, _, err := p.lead.raw(ctx, id)
	switch {
	case err != nil && !isUnreadable(err):
		return driver.Record{}, err
	case fresh.ID == held.ID && fresh.Version == held.Version:
		return driver.Record{}, driver.ErrNotFound
	}
	return driver.Record{}, errAgain
}

// move moves a session from the other side to the lead, which has held under its id.
func (p *pairDriver) move(ctx context.Context, rec driver.Record, kind records.Kind,
	held driver.Record) (moved driver.Record, err error) {
	start := time.Now()
	defer func() {
		if !errors.Is(err, errAgain) {
			p.carried(ctx, rec.ID, time.Since(start), err)
		}
	}()
	copied, err := p.convert(rec, kind)
	if isUnreadable(err) {
		rec.Data = nil
		return rec, err
	}
	if err != nil {
		return driver.Record{}, fmt.Errorf("carry over: %w", err)
	}
	copied.Version = copyVersion(rec.Version)
	if held.Version != copied.Version || held.Expiry.UnixMilli() != copied.Expiry.UnixMilli() {
		if err := again(p.lead.Save(ctx, copied, over(held))); err != nil {
			return driver.Record{}, err
		}
	}
	// The marker keeps the user, so that a listing of the user's sessions that has missed the session
	// in the one backend finds where it was in the other.
	marker := rec
	marker.Data, marker.Version, marker.Rewrite = []byte(records.Marker), copied.Version, false
	if err := again(p.other.Save(ctx, marker, driver.IfVersion(rec.Version))); err != nil {
		return driver.Record{}, err
	}
	return p.finish(ctx, copied, marker)
}

// convert returns a record of the other side as the lead keeps it. Only a record that one of them
// must encode or seal in another way has to be readable: a Store holds any bytes.
func (p *pairDriver) convert(rec driver.Record, kind records.Kind) (driver.Record, error) {
	bad := p.other.Readable(rec)
	if errors.Is(bad, scskit.ErrUnknownKey) && (p.lead.Keyed() || p.other.Keyed()) {
		return driver.Record{}, bad
	}
	copied, err := p.lead.Convert(p.other.Access, rec, kind)
	if err != nil && bad != nil {
		return driver.Record{}, bad
	}
	return copied, err
}

// finish makes a session of the copy whose marker the other side has.
func (p *pairDriver) finish(ctx context.Context,
	copied, marker driver.Record) (driver.Record, error) {
	rec := copied
	rec.Version, rec.Rewrite = newVersion(), false
	if marker.Expiry.After(rec.Expiry) { // it was used between two attempts to move it
		rec.Expiry, rec.Seen = marker.Expiry, marker.Seen
	}
	err := again(p.lead.Save(ctx, rec, driver.IfVersion(copied.Version)))
	if err != nil {
		return driver.Record{}, err
	}
	settled := marker
	settled.Version = -newVersion()
	if p.both {
		if settled, err = p.mirrored(rec); err != nil {
			return driver.Record{}, err
		}
	}
	err = p.other.Save(ctx, settled, driver.IfVersion(marker.Version))
	if p.both && err != nil && !lostRace(err) { // otherwise it does no harm
		return driver.Record{}, err
	}
	return rec, nil
}

// again returns errAgain for a lost race.
func again(err error) error {
	if lostRace(err) {
		return errAgain
	}
	return err
}

// fetch moves a session to the lead if it is at the version in the other side, and returns its new
// version. Otherwise the error is driver.ErrConflict.
func (p *pairDriver) fetch(ctx context.Context, id string, version int64) (int64, error) {
	rec, kind, err := p.other.raw(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case rec.ID == "", rec.Version != version, !leads(version), kind == records.Lock:
		return 0, driver.ErrConflict
	}
	held, _, err := p.lead.raw(ctx, id)
	switch {
	case err != nil && !isUnreadable(err):
		return 0, err
	case held.ID != "" && leads(held.Version):
		return 0, driver.ErrConflict
	}
	rec, err = p.move(ctx, rec, kind, held)
	return rec.Version, conflict(err)
}
