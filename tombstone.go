package scskit

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scskit/scskit/driver"
)

// A tombstone replaces the record of a session that continues in others, its successors, after
// RenewToken or MergeSession. It is not a session. It lasts for tombstoneLife, so that requests
// which began with the old session find it, and longer after a periodic renewal, so that the use of
// a stolen token shows. It holds the hash of the user, so that DestroySessionsOf finds it, and the
// ids of the successors. There is more than one if several requests have renewed the session at the
// same time.
type tombstone struct {
	user   string // driver.Record.User
	closed bool   // those who renew the session from now on are too late, as if it was destroyed
	next   []successor
}

// successor is a session that continues another.
type successor struct {
	why replacement
	id  string
}

// replacement is why a session was replaced by another.
type replacement byte

const (
	byRenewal replacement = 'r'
	byAdapter replacement = 'p' // a periodic renewal: nobody signed in, so the old token may go on
	byMerge   replacement = 'm'
)

const (
	tombstoneMark = "\x00scskit: renewed\x00"
	tombstoneLife = 5 * time.Minute
	periodicLife  = time.Hour

	// renewalGrace is how long the old token of a renewed session is no sign of an attack: requests
	// that the browser sent before it got the new cookie arrive with it.
	renewalGrace = 10 * time.Second

	maxSuccessors = 64
)

// periodic returns the successor if the session was renewed without a sign-in.
func (t tombstone) periodic() (id string, ok bool) {
	if len(t.next) == 0 || t.next[0].why != byAdapter {
		return "", false
	}
	return t.next[0].id, true
}

func (t tombstone) has(id string) bool {
	return slices.ContainsFunc(t.next, func(s successor) bool { return s.id == id })
}

// data returns the content of the record: the mark, the user, NUL, "!" if it is closed, and for
// each successor a letter, the length of its id, a colon and the id.
func (t tombstone) data() []byte {
	data := []byte(tombstoneMark + t.user + "\x00")
	if t.closed {
		data = append(data, '!')
	}
	for _, s := range t.next {
		data = append(data, byte(s.why))
		data = strconv.AppendInt(data, int64(len(s.id)), 10)
		data = append(data, ':')
		data = append(data, s.id...)
	}
	return data
}

// tombstoneOf returns the content of a tombstone's data. ok is false if data is not a tombstone. It
// ignores what does not follow the format.
func tombstoneOf(data []byte) (t tombstone, ok bool) {
	if len(data) < len(tombstoneMark) || data[0] != tombstoneMark[0] {
		return tombstone{}, false
	}
	rest, ok := strings.CutPrefix(string(data), tombstoneMark)
	if !ok {
		return tombstone{}, false
	}
	t.user, rest, _ = strings.Cut(rest, "\x00")
	rest, t.closed = strings.CutPrefix(rest, "!")
	for rest != "" && len(t.next) < maxSuccessors {
		why := replacement(rest[0])
		digits, after, ok := strings.Cut(rest[1:], ":")
		n, err := strconv.ParseUint(digits, 10, 16)
		if !ok || err != nil || int(n) > len(after) {
			break
		}
		t.next = append(t.next, successor{why, after[:n]})
		rest = after[n:]
	}
	return t, true
}

// retire replaces a session by a tombstone if the session is still at the version in the note. It
// returns the tombstone's version.
func (s *Store) retire(ctx context.Context, old *note, next successor) (int64, error) {
	user, err := s.userOf(old.data)
	if err != nil {
		user = "" // a session without a valid user cannot be saved, so there is none to find
	}
	now := s.opts.Now()
	expiry := now.Add(tombstoneLife)
	if next.why == byAdapter {
		// No longer than the session would have lasted, but long enough for requests in flight.
		if last := now.Add(periodicLife); old.expiry.After(expiry) {
			expiry = old.expiry
			if expiry.After(last) {
				expiry = last
			}
		}
	}
	t := tombstone{user: user, next: []successor{next}}
	if old.extras().adopted && old.alias == "" {
		return s.retireAdopted(ctx, old, t)
	}
	return s.resave(ctx, driver.Record{
		ID: s.idOf(old), Expiry: ceilMilli(expiry), Created: old.created, Updated: now, Seen: now,
		Version: old.version,
	}, t)
}

// resave saves a tombstone over the record if that is still at its version. It returns the
// tombstone's version.
func (s *Store) resave(ctx context.Context, rec driver.Record, t tombstone) (int64, error) {
	return s.saveTombstone(ctx, rec, t, driver.IfVersion(rec.Version))
}

func (s *Store) saveTombstone(ctx context.Context, rec driver.Record, t tombstone,
	cond driver.Condition) (int64, error) {
	rec.Data, rec.User, rec.Version, rec.Rewrite = t.data(), t.user, version(), false
	op := s.begin(ctx)
	err := s.driver.Save(op.ctx, s.sealed(rec), cond)
	return rec.Version, op.end(KindDelete, rec.ID, err)
}

// link adds a successor to a tombstone, for a request that has renewed the session too.
func (s *Store) link(ctx context.Context, renewed *renewedError, next successor) error {
	switch {
	case renewed.has(next.id): // the reply to an earlier attempt was lost
		return nil
	case len(renewed.next) == maxSuccessors:
		return errTooManyRenewals
	}
	rec, t := renewed.rec, renewed.tombstone
	t.next = append(slices.Clone(t.next), next)
	if least := ceilMilli(s.opts.Now().Add(tombstoneLife)); rec.Expiry.Before(least) {
		rec.Expiry = least
	}
	_, err := s.resave(ctx, rec, t)
	return err
}
