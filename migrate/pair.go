package migrate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/records"
)

// A session is live in the backend that has a record of it at a positive version. That backend
// leads. At most one does, at any time. A record at a negative version is no proof of a session:
//
//   - A copy has the session's data. It was made for a move that is under way or was given up, or
//     it is the mirror of BetweenOptions.Rollback.
//   - A marker has no data. It stands where a session has moved away.
//
// The version of a copy, and of the marker of its move, is the negative of the version that was
// copied. A session moves in four steps, each a save on condition of what the step before has seen:
//
//  1. The new backend gets a copy.
//  2. In the old one, the session is replaced by a marker. This is the moment of the move: whoever
//     saved or destroyed the session before has made the step fail, and whoever comes later finds
//     that it is not there.
//  3. The copy becomes the session: it gets a version of its own. Anybody who finds the marker and
//     its copy can do this step, so a move that was interrupted goes on at the next request.
//  4. The marker gets another version, so that no copy belongs to it, or it becomes the mirror.
//
// A copy without its marker is dead: it does not bring back what was destroyed. No version is ever
// positive twice, since saves and moves draw new ones. So each move happens once.
//
// If the fourth step is missing, a copy that a slow request stores after the session has ended
// would find the marker. So a session that is destroyed leaves a marker too, for longer than a
// request lasts: no copy can be stored over it.
//
// The rules are the same for both backends. So processes with one order and with the other may run
// at the same time.

// side is one of the two backends.
type side struct {
	records.Access
	driver driver.Driver
	isLead bool
}

// pairDriver is the driver of a Pair. lead is where sessions are created and move to.
type pairDriver struct {
	lead, other side
	both        bool // the other side mirrors the lead
	indexed     bool // both sides have an index of users
	locks       lockVersions
	carried     func(ctx context.Context, id string, took time.Duration, err error)
}

var (
	_ driver.Driver        = (*pairDriver)(nil)
	_ driver.Ranger        = (*pairDriver)(nil)
	_ driver.Sweeper       = sweptPair{}
	_ driver.SchemaManager = schemaPair{}
	_ driver.UserIndex     = indexedPair{}
)

// leads reports whether a record with the version is live. Zero is no version of a Store.
func leads(version int64) bool { return version >= 0 }

// copyVersion returns the version of copies of a record, and of the marker of its move.
func copyVersion(version int64) int64 {
	if version == 0 {
		return math.MinInt64
	}
	return -version
}

func newVersion() int64 { return 1 + rand.Int64N(math.MaxInt64) }

// over returns the condition of a save over a record that does not lead, or over none.
func over(held driver.Record) driver.Condition {
	if held.ID == "" {
		return driver.IfAbsent()
	}
	return driver.IfVersion(held.Version)
}

// raw returns the record of a side, or a zero Record if there is none. An error that is an
// *Unreadable comes with a record without data.
func (s side) raw(ctx context.Context, id string) (driver.Record, records.Kind, error) {
	rec, kind, err := s.Raw(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return driver.Record{}, kind, nil
	}
	rec.ID = id
	return rec, kind, err
}

// pause waits before another attempt.
func pause(ctx context.Context, attempt int) error {
	if attempt <= 0 {
		return ctx.Err()
	}
	return bound.Sleep(ctx, rand.N(time.Millisecond<<min(attempt, 6)))
}

// Load implements driver.Driver.
func (p *pairDriver) Load(ctx context.Context, id string) (driver.Record, error) {
	rec, _, err := p.find(ctx, id)
	var bad *records.Unreadable
	if errors.As(err, &bad) {
		err = bad.Err
	}
	return rec, err
}

// Save implements driver.Driver.
func (p *pairDriver) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if _, match := cond.Match(); match {
		return p.put(ctx, rec, cond)
	}
	// A Store creates records only under ids that it has just drawn, or looked for. So the other side
	// is asked only if the lead has something.
	if cond.Absent() {
		if err := p.put(ctx, rec, cond); !errors.Is(err, driver.ErrConflict) {
			return err
		}
	}
	end, err := p.lead.Turn(ctx, rec.ID)
	if err != nil {
		return err
	}
	defer end()
	for attempt := range 4 * maxAttempts {
		if err := pause(ctx, attempt); err != nil {
			return err
		}
		found, held, err := p.find(ctx, rec.ID)
		exists := err == nil || isUnreadable(err)
		switch {
		case exists && cond.Absent():
			return driver.ErrConflict
		case exists && err == nil:
			err = p.put(ctx, rec, driver.IfVersion(found.Version))
		case exists:
			if err = p.remove(ctx, rec.ID, found.Version); err == nil {
				err = driver.ErrConflict // and once more
			}
		case errors.Is(err, driver.ErrNotFound):
			err = p.put(ctx, rec, over(held))
		}
		if !lostRace(err) {
			return err
		}
	}
	return driver.ErrConflict
}

// put saves a record in the lead, and in its mirror.
func (p *pairDriver) put(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	var mirror driver.Record
	isLock := string(rec.Data) == records.Marker
	if isLock {
		p.locks.add(rec.Version)
	}
	if p.both && !isLock {
		var err error
		if mirror, err = p.mirrored(rec); err != nil {
			return err
		}
	}
	err := p.lead.Save(ctx, rec, cond)
	if lostRace(err) {
		if version, match := cond.Match(); match {
			if version, err = p.fetch(ctx, rec.ID, version); err == nil {
				cond = driver.IfVersion(version)
				err = p.lead.Save(ctx, rec, cond)
			}
		}
	}
	if err == nil && p.both && !isLock {
		return p.reflect(ctx, mirror, cond)
	}
	return conflict(err)
}

// conflict returns driver.ErrConflict for a lost race. That there is no session is for Load to say.
func conflict(err error) error {
	if lostRace(err) || errors.Is(err, errAgain) {
		return driver.ErrConflict
	}
	return err
}

// Touch implements driver.Driver.
func (p *pairDriver) Touch(ctx context.Context, rec driver.Record) error {
	err := p.lead.Touch(ctx, rec)
	if lostRace(err) {
		if rec.Version, err = p.fetch(ctx, rec.ID, rec.Version); err == nil {
			err = p.lead.Touch(ctx, rec)
		}
	}
	if err != nil || !p.both {
		return conflict(err)
	}
	mirror := rec
	mirror.Version = copyVersion(rec.Version)
	if err = p.other.Touch(ctx, mirror); lostRace(err) {
		err = p.sync(ctx, rec.ID)
	}
	return err
}

// Delete implements driver.Driver.
func (p *pairDriver) Delete(ctx context.Context, id string, cond driver.Condition) error {
	if version, ok := cond.Match(); ok {
		return p.remove(ctx, id, version)
	}
	for attempt := range maxAttempts {
		if err := pause(ctx, attempt); err != nil {
			return err
		}
		rec, _, err := p.find(ctx, id)
		if err != nil && !isUnreadable(err) {
			return err
		}
		if err = p.remove(ctx, id, rec.Version); !lostRace(err) {
			return err
		}
	}
	return driver.ErrConflict
}

// remove ends the session at the version, wherever it leads. Its mirror goes first, so that it
// never outlives its session, and whatever is there afterwards, in case a save has stored it
// meanwhile.
func (p *pairDriver) remove(ctx context.Context, id string, version int64) error {
	if p.locks.remove(version) {
		return p.lead.Delete(ctx, id, driver.IfVersion(version))
	}
	if p.both && leads(version) {
		err := p.other.Delete(ctx, id, driver.IfVersion(copyVersion(version)))
		if err != nil && !lostRace(err) {
			return err
		}
	}
	err := p.lead.end(ctx, id, version)
	if lostRace(err) {
		// A session that cannot be read does not move.
		if err = p.other.end(ctx, id, version); lostRace(err) {
			err = driver.ErrConflict
		}
		if p.both && err != nil { // the session may be there, at another version
			err = errors.Join(err, p.sync(ctx, id))
		}
		return err
	}
	if err == nil && p.both {
		err = p.dropMirror(ctx, id)
	}
	return err
}

// endedLife is how long the marker of a session stays that was destroyed. It is longer than any
// request lasts.
const endedLife = 5 * time.Minute

// end replaces a record by a marker.
func (s side) end(ctx context.Context, id string, version int64) error {
	now := s.Now()
	return s.Save(ctx, driver.Record{
		ID: id, Data: []byte(records.Marker), Expiry: now.Add(endedLife).Truncate(time.Millisecond),
		Created: now, Updated: now, Seen: now, Version: -newVersion(),
	}, driver.IfVersion(version))
}

// lockVersions are the versions of the locks that this process has saved. A lock never moves, so it
// needs no marker when it ends. One that is not known here leaves a marker, which does no harm.
type lockVersions struct {
	mu  sync.Mutex
	all map[int64]bool
}

// maxLocks bounds the versions of locks whose lease ended before they were released.
const maxLocks = 10_000

func (l *lockVersions) add(version int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= maxLocks || l.all == nil {
		l.all = make(map[int64]bool)
	}
	l.all[version] = true
}

func (l *lockVersions) remove(version int64) (known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known = l.all[version]
	delete(l.all, version)
	return known
}
