package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// mover returns a copier that moves the sessions of the other side.
func (p *pairDriver) mover(opts *Options) (*copier, error) {
	o, err := opts.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case o.Prune:
		return nil, errors.New("Options.Prune is set: a move removes nothing")
	case o.Checkpoint != nil:
		return nil, errors.New("Options.Checkpoint is set: a move needs none")
	}
	c := newCopierBetween(p.other.Access, p.lead.Access, o)
	c.one = func(ctx context.Context, j job, repeated bool) (outcome, error) {
		return p.moveListed(ctx, j.rec, repeated, o.DryRun)
	}
	c.after = func(ctx context.Context) error { return p.clean(ctx, c) }
	return c, nil
}

// moveListed moves a record that the other side has listed.
func (p *pairDriver) moveListed(ctx context.Context, rec driver.Record,
	repeated, dryRun bool) (outcome, error) {
	id := rec.ID
	kind, err := p.other.Open(&rec)
	moving := kind == records.Lock && !leads(rec.Version)
	switch {
	case !rec.Expiry.After(p.other.Now()) || err == nil && p.other.Ended(rec):
		return outcome{what: expired}, nil
	case err != nil && leads(rec.Version):
		return outcome{}, err
	case kind == records.Lock && !moving:
		return outcome{what: locked}, nil
	case dryRun && leads(rec.Version):
		return outcome{what: copied, kind: kind}, nil
	case dryRun:
		return outcome{what: unchanged}, nil
	case !leads(rec.Version) && !moving: // a mirror, or a copy of a move in the other direction
		return outcome{what: unchanged}, p.resume(ctx, id)
	case !moving && !repeated:
		// In most cases nobody has asked for it yet. The listing may be old.
		fresh, kind, err := p.other.raw(ctx, id)
		if err != nil || fresh.ID == "" || !leads(fresh.Version) || kind == records.Lock {
			break
		}
		if _, err = p.move(ctx, fresh, kind, driver.Record{}); !errors.Is(err, errAgain) {
			return outcome{what: copied, kind: kind}, err
		}
	}
	_, _, err = p.find(ctx, id)
	switch {
	case moving && (err == nil || errors.Is(err, driver.ErrNotFound)):
		return outcome{what: unchanged}, nil
	case errors.Is(err, driver.ErrNotFound):
		return outcome{what: gone}, nil
	}
	return outcome{what: copied, kind: kind}, err
}

// resume ends a move in the other direction that has left a copy in the other side, and brings the
// mirror up to date.
func (p *pairDriver) resume(ctx context.Context, id string) error {
	_, _, err := p.find(ctx, id)
	if err != nil && !errors.Is(err, driver.ErrNotFound) && !isUnreadable(err) {
		return err
	}
	if p.both {
		return p.sync(ctx, id)
	}
	return nil
}

// clean removes from the lead the copies of moves that were given up because the session had ended,
// ends the moves that were interrupted, and brings the mirror up to date.
func (p *pairDriver) clean(ctx context.Context, c *copier) error {
	if c.opts.DryRun {
		return nil
	}
	for rec, err := range p.lead.Range(ctx) {
		if err != nil {
			return fmt.Errorf("list the target: %w", redact(err, rec.ID))
		}
		switch {
		case !leads(rec.Version):
			err = p.settle(ctx, rec)
		case p.both:
			err = p.sync(ctx, rec.ID)
		}
		if err != nil {
			return redact(err, rec.ID)
		}
	}
	return nil
}

// settle ends the move of a copy in the lead, or removes it.
func (p *pairDriver) settle(ctx context.Context, rec driver.Record) error {
	kind, err := p.lead.Unseal(&rec)
	readable := err == nil
	if readable && kind == records.Lock {
		return nil
	}
	var held driver.Record
	_, held, err = p.find(ctx, rec.ID)
	if !errors.Is(err, driver.ErrNotFound) {
		if isUnreadable(err) {
			err = nil
		}
		return err
	}
	if !readable || held.ID == "" || held.Version != rec.Version {
		return nil // it may be a marker whose key this process does not have
	}
	err = p.lead.Delete(ctx, rec.ID, driver.IfVersion(rec.Version))
	if lostRace(err) {
		return nil
	}
	return err
}

// done reports whether all sessions have moved. Those that have not lead in the other side, or have
// half moved there. Copies in the lead count too: their move was interrupted, or a store without
// the pair would take them for sessions.
func (p *pairDriver) done(ctx context.Context) (bool, error) {
	for _, s := range []side{p.other, p.lead} {
		for rec, err := range s.Range(ctx) {
			if err != nil {
				return false, redact(err, rec.ID)
			}
			kind, err := s.Open(&rec)
			if s.isLead && !leads(rec.Version) && (err != nil || kind == records.Lock) {
				half, err := p.halfMoved(ctx, rec)
				if half || err != nil {
					return false, err
				}
			}
			switch {
			case err != nil, kind == records.Lock, leads(rec.Version) == s.isLead,
				!rec.Expiry.After(s.Now()), s.Ended(rec):
			default:
				return false, nil
			}
		}
	}
	return true, nil
}

// halfMoved reports whether a record in the lead is the marker, or the copy, of a session that has
// half moved.
func (p *pairDriver) halfMoved(ctx context.Context, marker driver.Record) (bool, error) {
	rec, _, err := p.other.raw(ctx, marker.ID)
	if err != nil && !isUnreadable(err) {
		return false, redact(err, marker.ID)
	}
	return rec.ID != "" && rec.Version == marker.Version, nil
}
