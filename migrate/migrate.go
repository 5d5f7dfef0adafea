// Package migrate moves sessions from one backend to another, without signing anybody out. Between
// does so without a downtime: it is a store over both backends. Copy needs a stop of the
// application for the last copy, and leaves the source as it is:
//
//	report, err := migrate.Copy(ctx, from, to, &migrate.Options{
//		Checkpoint: migrate.File("move.json"),
//	})
//
// Copy may be called as often as you like: each call copies what has changed since. Compare says
// whether both backends hold the same sessions. FromSCS makes a source of a store of scs. The steps
// of a move are in docs/moving-backends.md.
//
// # What is copied
//
// Every live session, with its values, remaining lifetime and user, and the times when it was
// created, saved and last seen. Also the tombstones of renewed sessions, so that a request with an
// old token is still known, and the use of a stolen one shows. Not the locks of requests in flight.
//
// The records are as the target wants them: opened by the source and sealed by the target, under
// the hash of the token or the token itself (see scskit.Options.PlainIDs), in the target's codec.
// From hashed ids to plain ones there is no way, since nobody knows the tokens: Copy returns
// ErrHashedIDs.
//
// # Which record wins
//
// A record in the target is never overwritten by an older one. If both backends have a record under
// the same id:
//
//   - At the same version they are the same, since a version is random and drawn for each save. If
//     the source's was used later, the target gets its expiry and the time when it was last seen.
//   - At different versions the one that was saved later wins, by Updated in milliseconds. If that
//     is equal, the source wins. Updated is by the clocks of the programs that saved the records.
//   - A session never replaces a tombstone. A token that was renewed stays renewed.
//
// Each write is conditional on the version that was compared. After each write Copy reads the
// source again: a session that was destroyed there meanwhile is removed from the target too, and
// one that was saved is copied again.
//
// # Sessions that have ended
//
// With a Checkpoint, Copy does not bring back a session that was destroyed in the target, if the
// source's record was last saved before a copy that has come to the end, or before the one that is
// resumed and at a place that it had passed. Without a Checkpoint Copy cannot know, and copies it
// again. It cannot know either if the session was saved in the source after that copy began, or if
// its record was among those that could not be copied.
//
// A session that is destroyed in the source after it was copied stays in the target, unless
// Options.Prune removes it.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/records"
)

// ErrHashedIDs means that the source has the hashes of the tokens, and the target wants the tokens.
var ErrHashedIDs = errors.New("the source stores hashes of the tokens, and the target wants the " +
	"tokens, which nobody knows: set PlainIDs of the target to false")

// Options are the settings of Copy. The zero value and a nil *Options copy everything, as fast as
// eight connections can.
type Options struct {
	// Checkpoint keeps how far the copy has come, so that it can be resumed after a crash, and what
	// an earlier one has copied; see File. Use one for each pair of backends. Nil keeps nothing: Copy
	// then compares every record of the source with the target.
	Checkpoint Checkpoint

	// DryRun reads both backends and reports what a copy would do. It writes nothing, no checkpoint
	// either.
	DryRun bool

	// Prune removes sessions and tombstones from the target, after the copy, that the source does not
	// have and that were last saved before the copy began. It is for the last copy before the switch,
	// while no program uses the target: sessions of its own would be removed. If the source has no
	// record at all, Copy returns an error instead.
	Prune bool

	// Rate is the maximum number of records per second. Records that the checkpoint lets Copy skip do
	// not count. Zero means no limit.
	Rate float64

	// Concurrency is how many records are copied at the same time. Zero means 8.
	Concurrency int

	// StopOnError ends the copy at the first record that cannot be copied. Otherwise Copy goes on,
	// and returns a *PartialError at the end.
	StopOnError bool

	// Count lists the source once before the copy, so that Progress has Total and Remaining.
	Count bool

	// Progress is called every ProgressInterval, and once at the end, by one goroutine at a time. It
	// must be fast.
	Progress func(Progress)

	// ProgressInterval is the time between two calls of Progress. Zero means a second.
	ProgressInterval time.Duration

	// Skew is by how much the clocks of the programs that save sessions may differ. Sessions that
	// were saved or used no more than Skew before the last copy began are compared again. Zero means
	// a minute, and a negative value none.
	Skew time.Duration
}

const (
	defaultConcurrency = 8
	defaultSkew        = time.Minute
)

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	switch {
	case c.Rate < 0 || math.IsNaN(c.Rate):
		return c, fmt.Errorf("Options.Rate is %v: it must not be negative", c.Rate)
	case c.Concurrency < 0:
		return c, fmt.Errorf("Options.Concurrency is %d: it must not be negative", c.Concurrency)
	case c.ProgressInterval < 0:
		return c, fmt.Errorf("Options.ProgressInterval is %v: it must not be negative",
			c.ProgressInterval)
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.ProgressInterval == 0 {
		c.ProgressInterval = time.Second
	}
	if c.Skew == 0 {
		c.Skew = defaultSkew
	}
	c.Skew = max(c.Skew, 0)
	return c, nil
}

// Copy copies the sessions of one store to another. The package documentation says which, and what
// wins. Requests may use both backends meanwhile. Copy needs a source that can list its records,
// and two stores that keep records on a server: otherwise the error matches errors.ErrUnsupported.
// The target's schema must exist.
//
// If some records could not be copied, the error is a *PartialError. For any other error the copy
// has not come to the end: call Copy again. The Report is valid in any case. If ctx ends, the error
// matches its error.
//
// Copy holds a few records in memory, and what the source's driver reads at a time. An operation
// that fails is repeated twice. If records fail one after the other, the target is taken to be
// down, and Copy ends.
//
// To resume, Copy lists the source from its beginning. If the source lists its records in the order
// of their ids, as the SQL databases and MongoDB do, it does not touch those that are done and that
// nobody has used since. From any other source, such as Redis and DynamoDB, it compares every
// record with the target, at the cost of a read for each. Nothing is copied twice in either case.
func Copy(ctx context.Context, from, to *scskit.Store, opts *Options) (Report, error) {
	c, err := newCopier(from, to, opts)
	if err == nil {
		err = c.run(ctx)
		if ended := ctx.Err(); ended != nil && err != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	if err != nil {
		err = fmt.Errorf("migrate: copy: %w", err)
	}
	if c == nil {
		return Report{}, err
	}
	return c.result(), err
}

// accesses returns the access to both stores, or an error if nothing can be copied between them.
func accesses(from, to *scskit.Store) (source, target records.Access, err error) {
	if from == nil || to == nil {
		return nil, nil, errors.New("a store is nil: pass the source and the target")
	}
	source, target = records.Of(from), records.Of(to)
	switch {
	case from == to || same(source.Backend(), target.Backend()):
		return nil, nil, errors.New("the source and the target are one store: pass two")
	case source.Carries() || target.Carries():
		return nil, nil, fmt.Errorf("sessions that travel in cookies are not on a server: %w",
			errors.ErrUnsupported)
	case !source.Plain() && target.Plain():
		return nil, nil, ErrHashedIDs
	}
	return source, target, nil
}

// same reports whether two drivers are one object.
func same(a, b any) (equal bool) {
	defer func() { _ = recover() }() // a driver that is not a pointer may not be comparable
	return a == b
}
