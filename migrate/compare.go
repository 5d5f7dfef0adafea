package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// maxDifferences is how many differences Compare lists.
const maxDifferences = 1000

// Comparison is the result of Compare.
type Comparison struct {
	From, To Side

	Missing   int // in the source only
	Extra     int // in the target only
	Different int // in both, not equal

	// Differences are the first 1000 of Missing, Extra and Different, in no order.
	Differences []Difference
}

// Equal reports whether both backends hold the same sessions and tombstones, and nothing that
// cannot be read.
func (c Comparison) Equal() bool {
	return c.From == c.To && c.From.Unreadable == 0 && c.Missing+c.Extra+c.Different == 0
}

// Side is what one backend holds.
type Side struct {
	Sessions   int
	Tombstones int // of renewed sessions
	Unreadable int // not part of the digest

	// Digest is a checksum of all sessions and tombstones, whatever their order: of ids, values,
	// users and times, in milliseconds. It is that of the records as the target keeps them, before
	// they are sealed. Compare it with the other side's only.
	Digest string
}

// Difference is a record that the backends do not both hold in the same state.
type Difference struct {
	ID string // the hash of the session's token

	// What says how they differ: "missing", "extra", or the parts that are not equal, such as
	// "values", "expiry", "seen". It has nothing of the session.
	What []string
}

// Compare compares all sessions of two backends, as Copy copies them. It writes nothing. Locks and
// expired records do not count.
//
// It lists both backends, and again, once each, if the digests differ. It then reads each record
// that may differ again, so that requests that use the sessions meanwhile make few differences that
// are none. If programs still use the source, sessions that were used since the last copy do
// differ. The memory grows with the number of differences only.
//
// The errors are those of Copy.
func Compare(ctx context.Context, from, to *scskit.Store) (Comparison, error) {
	c := comparer{buckets: make([]bucket, 1<<16)}
	var err error
	if c.from, c.to, err = accesses(from, to); err == nil {
		err = c.run(ctx)
	}
	if err != nil {
		return Comparison{}, fmt.Errorf("migrate: compare: %w", err)
	}
	return c.result, nil
}

// comparer divides the records into buckets by their ids, so that only the records of buckets that
// differ must be looked at again.
type comparer struct {
	from, to records.Access
	buckets  []bucket

	mu     sync.Mutex
	result Comparison
}

type bucket struct{ from, to tally }

// tally is what one side has in a bucket. The sum is the same in any order.
type tally struct {
	sessions, tombstones int
	sum                  [2]uint64
}

func (t *tally) add(other tally) {
	t.sessions += other.sessions
	t.tombstones += other.tombstones
	t.sum[0] += other.sum[0]
	t.sum[1] += other.sum[1]
}

// item is a record as the target keeps it.
type item struct {
	rec     driver.Record
	kind    records.Kind
	source  string // the id in the source
	key     uint64 // of the id
	content []byte
}

func (c *comparer) run(ctx context.Context) error {
	differ := make(map[int]bool)
	for it, err := range c.items(ctx, c.from, &c.result.From.Unreadable) {
		if err != nil {
			return err
		}
		c.bucket(it.key).from.add(it.tally())
	}
	for it, err := range c.items(ctx, c.to, &c.result.To.Unreadable) {
		if err != nil {
			return err
		}
		c.bucket(it.key).to.add(it.tally())
	}
	for i, b := range c.buckets {
		if b.from != b.to {
			differ[i] = true
			c.buckets[i] = bucket{}
		}
	}
	if len(differ) > 0 {
		if err := c.again(ctx, differ); err != nil {
			return err
		}
	}
	var all bucket
	for _, b := range c.buckets {
		all.from.add(b.from)
		all.to.add(b.to)
	}
	for _, side := range []struct {
		t tally
		s *Side
	}{{all.from, &c.result.From}, {all.to, &c.result.To}} {
		side.s.Sessions, side.s.Tombstones = side.t.sessions, side.t.tombstones
		side.s.Digest = fmt.Sprintf("%016x%016x", side.t.sum[0], side.t.sum[1])
	}
	return nil
}

func (c *comparer) index(key uint64) int { return int(key % uint64(len(c.buckets))) }

func (c *comparer) bucket(key uint64) *bucket { return &c.buckets[c.index(key)] }

// again lists the records of buckets that differ, each once, and compares them one by one.
func (c *comparer) again(ctx context.Context, differ map[int]bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ignored int
	source := make(map[uint64]bool)
	list := func(a records.Access, seen map[uint64]bool, count func(item) *tally) func(
		func(item, error) bool) {
		return func(yield func(item, error) bool) {
			for it, err := range c.items(ctx, a, &ignored) {
				if err == nil && (!differ[c.index(it.key)] || seen[it.key]) {
					continue
				}
				if err == nil {
					seen[it.key] = true
					count(it).add(it.tally())
				}
				if !yield(it, err) {
					return
				}
			}
		}
	}
	inFrom := list(c.from, source, func(it item) *tally { return &c.bucket(it.key).from })
	err := each(ctx, defaultConcurrency, inFrom, func(it item) {
		if err := c.counterpart(ctx, it); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return err
	}
	inTo := list(c.to, make(map[uint64]bool), func(it item) *tally { return &c.bucket(it.key).to })
	return each(ctx, defaultConcurrency, inTo, func(it item) {
		if source[it.key] {
			return
		}
		if err := c.extra(ctx, it); err != nil {
			cancel(err)
		}
	})
}

// counterpart compares a record of the source with that of the target.
func (c *comparer) counterpart(ctx context.Context, it item) error {
	held, heldKind, err := c.to.Load(ctx, it.rec.ID)
	if isUnreadable(err) {
		c.differs(&c.result.Different, it, "unreadable in the target")
		return nil
	}
	missing := errors.Is(err, driver.ErrNotFound)
	if err != nil && !missing {
		return err
	}
	what := []string{"missing"}
	if !missing {
		what = it.differences(c.item(held, heldKind, held.ID))
	}
	if len(what) == 0 {
		return nil
	}
	// The listing may be old.
	rec, kind, err := c.from.Load(ctx, it.source)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return nil // if the target has it, it is extra by now; the next comparison says so
	case isUnreadable(err):
	case err != nil:
		return err
	default:
		if rec, err = c.to.Convert(c.from, rec, kind); err != nil || missing {
			break
		}
		if what = c.item(rec, kind, it.source).differences(c.item(held, heldKind, "")); len(what) == 0 {
			return nil
		}
	}
	if missing {
		c.differs(&c.result.Missing, it, what...)
	} else {
		c.differs(&c.result.Different, it, what...)
	}
	return nil
}

// extra counts a record that the source has not listed, unless it is gone from the target by now or
// the source has it after all.
func (c *comparer) extra(ctx context.Context, it item) error {
	if _, _, err := c.to.Load(ctx, it.rec.ID); errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if c.from.Plain() == c.to.Plain() {
		_, _, err := c.from.Load(ctx, it.rec.ID)
		if err == nil || isUnreadable(err) {
			return nil
		}
		if !errors.Is(err, driver.ErrNotFound) {
			return err
		}
	}
	c.differs(&c.result.Extra, it, "extra")
	return nil
}

func (c *comparer) differs(count *int, it item, what ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*count++
	if len(c.result.Differences) < maxDifferences {
		c.result.Differences = append(c.result.Differences,
			Difference{ID: c.to.Public(it.rec.ID), What: what})
	}
}

// items yields the sessions and tombstones of one side as the target keeps them.
func (c *comparer) items(ctx context.Context, a records.Access, unreadable *int) func(
	func(item, error) bool) {
	return func(yield func(item, error) bool) {
		for rec, err := range a.Range(ctx) {
			if err != nil {
				yield(item{}, fmt.Errorf("list: %w", redact(err, rec.ID)))
				return
			}
			source := rec.ID
			kind, err := a.Open(&rec)
			if kind == records.Lock || !rec.Expiry.After(a.Now()) || err == nil && a.Ended(rec) {
				continue
			}
			if err == nil && a == c.from {
				rec, err = c.to.Convert(a, rec, kind)
			}
			if err != nil {
				*unreadable++
				continue
			}
			if !yield(c.item(rec, kind, source), nil) {
				return
			}
		}
	}
}

func (c *comparer) item(rec driver.Record, kind records.Kind, source string) item {
	sum := sha256.Sum256([]byte(rec.ID))
	return item{
		rec: rec, kind: kind, source: source, key: binary.BigEndian.Uint64(sum[:]),
		content: c.to.Canonical(rec, kind),
	}
}

func (it item) tally() (t tally) {
	h := sha256.New()
	for _, part := range []string{it.rec.ID, it.rec.User, string(it.content)} {
		_ = binary.Write(h, binary.BigEndian, int64(len(part)))
		_, _ = h.Write([]byte(part))
	}
	r := it.rec
	for _, n := range []int64{
		int64(it.kind), r.Expiry.UnixMilli(), r.Created.UnixMilli(), r.Updated.UnixMilli(),
		r.Seen.UnixMilli(),
	} {
		_ = binary.Write(h, binary.BigEndian, n)
	}
	sum := h.Sum(nil)
	t.sum = [2]uint64{binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])}
	if it.kind == records.Tombstone {
		t.tombstones = 1
	} else {
		t.sessions = 1
	}
	return t
}

// differences returns the names of what is not equal.
func (it item) differences(other item) (what []string) {
	a, b := it.rec, other.rec
	for _, part := range []struct {
		name string
		same bool
	}{
		{"kind", it.kind == other.kind},
		{"values", string(it.content) == string(other.content)},
		{"user", a.User == b.User},
		{"expiry", a.Expiry.UnixMilli() == b.Expiry.UnixMilli()},
		{"created", a.Created.UnixMilli() == b.Created.UnixMilli()},
		{"updated", a.Updated.UnixMilli() == b.Updated.UnixMilli()},
		{"seen", a.Seen.UnixMilli() == b.Seen.UnixMilli()},
	} {
		if !part.same {
			what = append(what, part.name)
		}
	}
	return what
}
