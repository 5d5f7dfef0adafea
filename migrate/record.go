package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/records"
)

// what has become of a record.
type what uint8

const (
	copied what = iota
	replaced
	prolonged
	unchanged
	newer
	ended
	gone
	expired
	locked
	unreadable
	failed
)

// count returns the field that counts the records of which this has become.
func (r *Report) count(w what) *int {
	return [...]*int{
		copied: &r.Copied, replaced: &r.Replaced, prolonged: &r.Prolonged, unchanged: &r.Unchanged,
		newer: &r.Newer, ended: &r.Ended, gone: &r.Gone, expired: &r.Expired, locked: &r.Locks,
		unreadable: &r.Unreadable, failed: &r.Failed,
	}[w]
}

type outcome struct {
	what    what
	kind    records.Kind
	err     error // of a record that could not be copied
	backend bool  // err is a failure of a backend
}

const (
	tries       = 3  // of an operation that fails
	maxAttempts = 16 // at a record that others change meanwhile
)

// refusal is the error of a target that can store a record in no state.
type refusal struct{ error }

func (e refusal) Unwrap() error { return e.error }

// record copies one record. After a failure of a backend it tries again.
func (c *copier) record(ctx context.Context, j job) outcome {
	for try := 1; ; try++ {
		o, err := c.one(ctx, j, try > 1)
		var bad *records.Unreadable
		var refused refusal
		switch {
		case err == nil:
			return o
		case errors.As(err, &bad):
			return outcome{what: unreadable, err: bad.Err}
		case errors.As(err, &refused) || errors.Is(err, driver.ErrTooLarge):
			return outcome{what: failed, err: err}
		}
		if try == tries || bound.Sleep(ctx, 100*time.Millisecond<<(2*try-2)) != nil {
			return outcome{what: failed, err: err, backend: true}
		}
	}
}

// once copies one record, in the state that the source has at last. maybe says that an earlier
// attempt may have stored it.
//
// The source is read again after each write, since its record may have ended between the listing
// and the write. Whatever ends a session in both backends must therefore end it in the source
// first. Nothing may remove a live session from the source during a copy, in order to move it: its
// record in the target would be taken for one that has ended.
func (c *copier) once(ctx context.Context, j job, maybe bool) (o outcome, err error) {
	rec, wrote := j.rec, false
	kind, err := c.from.Open(&rec)
	for range maxAttempts {
		switch {
		case !rec.Expiry.After(c.from.Now()) || err == nil && c.from.Ended(rec):
			return outcome{what: expired}, nil
		case err != nil:
			return outcome{}, err
		case kind == records.Lock:
			return outcome{what: locked}, nil
		}
		out, err := c.to.Convert(c.from, rec, kind)
		if err != nil {
			return outcome{}, refusal{redact(err, rec.ID)}
		}
		put, changed, err := c.put(ctx, out, kind, j.create)
		if err != nil {
			return outcome{}, err
		}
		if !wrote || writes(put) {
			o = outcome{what: put, kind: kind}
		}
		if !changed && !maybe || c.opts.DryRun {
			return o, nil
		}
		wrote, maybe = true, false
		var fresh driver.Record
		fresh, kind, err = c.from.Load(ctx, rec.ID)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			// It has ended since it was listed. What others have stored in the target stays.
			err := c.to.Delete(ctx, out.ID, driver.IfVersion(out.Version))
			if err != nil && !lostRace(err) {
				return outcome{}, err
			}
			return outcome{what: gone}, nil
		case isUnreadable(err) || err == nil && fresh.Version == rec.Version:
			return o, nil
		case err != nil:
			return outcome{}, err
		}
		rec, j.create = fresh, true
	}
	return o, nil // it changes all the time, and its latest state is for the next copy
}

func writes(w what) bool { return w <= prolonged }

// put stores a record in the target, if the target should have it. changed says that it did, or
// that it may have: the client of a database may repeat a save whose reply was lost, and conflict
// with itself.
func (c *copier) put(ctx context.Context, rec driver.Record, kind records.Kind,
	create bool) (w what, changed bool, err error) {
	ask := c.ask || c.opts.DryRun || !create || c.had.Load()
	for attempt := range maxAttempts {
		w, held := copied, driver.Record{}
		if ask {
			var heldKind records.Kind
			held, heldKind, err = c.to.Load(ctx, rec.ID)
			c.had.Store(err == nil)
			switch {
			case errors.Is(err, driver.ErrNotFound) && !create:
				return ended, attempt > 0, nil
			case errors.Is(err, driver.ErrNotFound):
			case err != nil && !isUnreadable(err):
				return w, false, err
			default:
				w = choose(rec, kind, held, heldKind, errors.Is(err, scskit.ErrCorrupt))
			}
		}
		switch {
		case !writes(w) || c.opts.DryRun:
			return w, attempt > 0, nil
		case w == copied:
			err = c.to.Save(ctx, rec, driver.IfAbsent())
		case w == replaced:
			err = c.to.Save(ctx, rec, driver.IfVersion(held.Version))
		default:
			err = c.to.Touch(ctx, driver.Record{
				ID: rec.ID, Version: held.Version, User: held.User, Expiry: rec.Expiry, Seen: rec.Seen,
			})
		}
		if !lostRace(err) {
			return w, true, err
		}
		ask = true
	}
	return w, false, fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict, maxAttempts)
}

// choose compares a record with the one that the target has under its id. damaged says that nobody
// can read that one.
func choose(rec driver.Record, kind records.Kind, held driver.Record, heldKind records.Kind,
	damaged bool) what {
	switch {
	case damaged && rec.Version == held.Version:
		return replaced
	case rec.Version == held.Version:
		seen, heldSeen := rec.Seen.UnixMilli(), held.Seen.UnixMilli()
		if seen > heldSeen || seen == heldSeen && rec.Expiry.UnixMilli() > held.Expiry.UnixMilli() {
			return prolonged
		}
		return unchanged
	case kind == records.Session && heldKind == records.Tombstone,
		rec.Updated.UnixMilli() < held.Updated.UnixMilli():
		return newer
	}
	return replaced
}

func lostRace(err error) bool {
	return errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrNotFound)
}

func isUnreadable(err error) bool {
	var bad *records.Unreadable
	return errors.As(err, &bad)
}

// redact returns an error whose text does not have the id, which may be a token.
func redact(err error, id string) error {
	if id == "" || !strings.Contains(err.Error(), id) {
		return err
	}
	return redacted{err, id}
}

type redacted struct {
	err error
	id  string
}

func (e redacted) Error() string { return strings.ReplaceAll(e.err.Error(), e.id, "[redacted]") }

func (e redacted) Is(target error) bool { return errors.Is(e.err, target) }

func (e redacted) As(target any) bool { return errors.As(e.err, target) }
