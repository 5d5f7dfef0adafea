package migrate

import (
	"context"
	"fmt"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// mirrored returns a record of the lead as the mirror has it.
func (p *pairDriver) mirrored(rec driver.Record) (driver.Record, error) {
	mirror, err := p.other.Convert(p.lead.Access, rec, p.lead.KindOf(rec.Data))
	mirror.Version = copyVersion(rec.Version)
	return mirror, err
}

// reflect stores what was saved in the lead under a condition in the mirror too.
func (p *pairDriver) reflect(ctx context.Context, mirror driver.Record,
	cond driver.Condition) error {
	if held, match := cond.Match(); match && leads(held) {
		err := p.other.Save(ctx, mirror, driver.IfVersion(copyVersion(held)))
		if !lostRace(err) {
			return err
		}
	}
	return p.sync(ctx, mirror.ID)
}

// sync makes the mirror of a session what the lead has. It reads the mirror before the lead, and
// saves on condition of what it has read, so that it never stores an older state over a newer one.
// After it has created a mirror, it looks again whether the session has ended meanwhile.
func (p *pairDriver) sync(ctx context.Context, id string) error {
	for attempt := range 4 * maxAttempts {
		if err := pause(ctx, attempt-1); err != nil {
			return err
		}
		mirror, kind, err := p.other.raw(ctx, id)
		if err != nil && !isUnreadable(err) {
			return err
		}
		if mirror.ID != "" && leads(mirror.Version) {
			return nil // the session has moved there
		}
		rec, leadKind, err := p.lead.raw(ctx, id)
		switch {
		case err != nil:
			return err
		case rec.ID == "" || !leads(rec.Version):
			if mirror.ID == "" || kind == records.Lock ||
				leadKind == records.Lock && rec.Version == mirror.Version { // it has half moved there
				return nil
			}
			err = p.other.Delete(ctx, id, driver.IfVersion(mirror.Version))
			if !lostRace(err) {
				return err
			}
			continue
		case leadKind == records.Lock:
			return nil
		}
		current, err := p.mirrored(rec)
		switch {
		case err != nil:
			return err
		case kind != records.Lock && mirror.Version == current.Version:
			// Backends keep milliseconds at least.
			if mirror.Expiry.UnixMilli() >= current.Expiry.UnixMilli() &&
				mirror.Seen.UnixMilli() >= current.Seen.UnixMilli() {
				return nil
			}
			err = p.other.Touch(ctx, current)
		default:
			err = p.other.Save(ctx, current, over(mirror))
		}
		if err != nil && !lostRace(err) {
			return err
		}
	}
	return fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict, 4*maxAttempts)
}

// dropMirror removes the mirror of a session.
func (p *pairDriver) dropMirror(ctx context.Context, id string) error {
	for attempt := range maxAttempts {
		if err := pause(ctx, attempt); err != nil {
			return err
		}
		mirror, kind, err := p.other.raw(ctx, id)
		switch {
		case err != nil && !isUnreadable(err):
			return err
		case mirror.ID == "", leads(mirror.Version), kind == records.Lock:
			return nil
		}
		if err := p.other.Delete(ctx, id, driver.IfVersion(mirror.Version)); !lostRace(err) {
			return err
		}
	}
	return driver.ErrConflict
}

// claim makes sessions of all mirrors.
func claim(ctx context.Context, a records.Access) (n int, err error) {
	for rec, err := range a.Range(ctx) {
		if err != nil {
			return n, redact(err, rec.ID)
		}
		if kind, err := a.Unseal(&rec); leads(rec.Version) || err != nil || kind == records.Lock {
			continue
		}
		held := rec.Version
		rec.Version = newVersion()
		switch err := a.Save(ctx, rec, driver.IfVersion(held)); {
		case err == nil:
			n++
		case !lostRace(err): // otherwise a request has saved or destroyed it
			return n, err
		}
	}
	return n, nil
}
