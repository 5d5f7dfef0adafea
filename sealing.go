package scskit

import (
	"context"
	"errors"
	"fmt"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/seal"
)

// Plaintext says what a store with Options.Keys does with records that are not sealed.
type Plaintext uint8

// To seal the records of a live application, deploy three times: Options.Keys with WritePlaintext,
// so that every process can open sealed records; then ReadPlaintext; and, after Store.Reseal,
// RefusePlaintext. To stop sealing, go back the same way.
const (
	// RefusePlaintext treats a record that is not sealed as unreadable; see ErrPlaintext. Otherwise
	// an attacker who can write to the backend could make up sessions.
	RefusePlaintext Plaintext = iota

	// ReadPlaintext reads such records, and seals them when they are next saved or touched.
	ReadPlaintext

	// WritePlaintext reads them too, and seals nothing. Sealed records can be read.
	WritePlaintext
)

var (
	// ErrUnknownKey means that a record is sealed under a key that Options.Keys does not have.
	ErrUnknownKey = errors.New("session record is sealed under a key that Options.Keys does not have")

	// ErrPlaintext means that a record is not sealed, although Options.Keys is set.
	ErrPlaintext = errors.New("session record is not sealed: set Options.Plaintext to ReadPlaintext " +
		"until all records are")
)

// newSealer returns nil if the options have no keys.
func newSealer(o *Options) (*seal.Sealer, error) {
	switch {
	case o.Plaintext > WritePlaintext:
		return nil, fmt.Errorf("scskit: Options.Plaintext is %d: use one of the constants", o.Plaintext)
	case len(o.Keys) == 0 && o.Plaintext != RefusePlaintext:
		return nil, errors.New("scskit: Options.Plaintext is set, but Options.Keys is empty: set both")
	case len(o.Keys) == 0:
		return nil, nil
	}
	s, err := seal.New(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("scskit: Options.Keys: %w", err)
	}
	return s, nil
}

// seals reports whether a save seals the record.
func (s *Store) seals() bool { return s.sealer != nil && s.opts.Plaintext != WritePlaintext }

// sealed returns the record as the driver gets it.
func (s *Store) sealed(rec driver.Record) driver.Record {
	rec.Rewrite = false
	if s.seals() {
		rec.Data = s.sealer.SealRecord(rec.Data, rec.ID)
	}
	return rec
}

// open replaces the data of a record from the driver by the plaintext. It sets rec.Rewrite if a
// save would store the record in another way. If it returns an error, rec has no data.
func (s *Store) open(rec *driver.Record) error {
	if s.sealer == nil {
		return nil // readable returns ErrUnknownKey for a sealed record
	}
	data, current, err := s.sealer.OpenRecord(rec.Data, rec.ID)
	switch {
	case err == nil:
		rec.Rewrite = rec.Rewrite || !current || !s.seals()
		rec.Data = data
		return nil
	case errors.Is(err, seal.ErrUnknownKey):
		err = ErrUnknownKey
	case !errors.Is(err, seal.ErrNotSealed):
		err = fmt.Errorf("%w: it was damaged, forged, or copied from another id", ErrCorrupt)
	case s.opts.Plaintext != RefusePlaintext:
		rec.Rewrite = rec.Rewrite || s.seals()
		return nil
	default:
		// What is no session either is damage. It must not be kept like one that can still be read.
		if err = s.readable(*rec); err == nil {
			err = ErrPlaintext
		}
	}
	rec.Data = nil
	return err
}

// readable returns nil if the codec can decode the record. A sealed record without keys is not
// damage.
func (s *Store) readable(rec driver.Record) error {
	if _, isTombstone := tombstoneOf(rec.Data); isTombstone || isLock(rec.Data) {
		return nil
	}
	err := s.codec.check(rec.Data)
	if err != nil && s.sealer == nil && seal.IsRecord(rec.Data) {
		return ErrUnknownKey
	}
	return err
}

// Resealed is the result of Store.Reseal.
type Resealed struct {
	Records    int // records that were read
	Resealed   int // records that were saved again
	Unreadable int // records that could not be read, and stay as they are
}

// Reseal saves every record again that a save would store in another way: one that is sealed under
// another key than the first of Options.Keys, that is not sealed (see ReadPlaintext), or, with
// WritePlaintext, that is. It does not change the sessions, and does not sign anybody out.
//
// When Reseal returns no error and Unreadable is 0, every record is sealed under the first key, and
// the other keys can be removed from Options.Keys. This holds only if all processes have had the
// first key first since before the call. See docs/security.md for the steps.
//
// Reseal may be called again after an error, or if ctx ends: records that it has saved cost only
// the read. Requests may use the sessions meanwhile. It pauses between writes for as long as they
// take, to leave the backend time for other work. If the backend cannot list its records, the error
// matches errors.ErrUnsupported.
//
// If a request extends the idle timeout of a session in the moment between Reseal's read and its
// write, that extension is lost, and the session's next request makes it.
func (s *Store) Reseal(ctx context.Context) (r Resealed, err error) {
	ranger, ok := driver.As[driver.Ranger](s.driver)
	switch {
	case s.sealer == nil:
		return r, errors.New("scskit: reseal: Options.Keys is empty: set it")
	case !ok:
		return r, fmt.Errorf("scskit: reseal: %T cannot list sessions: %w", s.backend(),
			errors.ErrUnsupported)
	}
	for rec, err := range ranger.Range(ctx) {
		if err != nil {
			return r, failed("reseal", err)
		}
		r.Records++
		switch done, err := s.reseal(ctx, rec); {
		case unreadable(err):
			r.Unreadable++
			s.report(ctx, Event{
				Kind: unreadableKind(err), Outcome: OutcomeOK, ID: s.ids.public(rec.ID), Err: err,
			})
		case err != nil:
			return r, failed("reseal", err)
		case done:
			r.Resealed++
		}
	}
	return r, nil
}

// reseal saves one record again if necessary, and reports whether it did. A record that others have
// changed or deleted meanwhile is read again.
func (s *Store) reseal(ctx context.Context, rec driver.Record) (done bool, err error) {
	err = s.open(&rec)
	for attempt := range maxAttempts {
		if err != nil || !rec.Rewrite {
			return false, err
		}
		// The listing may be old. Read again, so that hardly any touch can come between.
		start := s.opts.Now()
		if rec, err = s.loadAny(ctx, rec.ID); errors.Is(err, driver.ErrNotFound) {
			return false, nil
		} else if err != nil || !rec.Rewrite {
			return false, err
		}
		op := s.begin(ctx)
		// The version stays: the content does, so a request that has read it may still save.
		err = s.driver.Save(op.ctx, s.sealed(rec), driver.IfVersion(rec.Version))
		err = op.end(KindSave, rec.ID, err)
		if !lostRace(err) {
			if err != nil {
				return false, err
			}
			return true, bound.Sleep(ctx, min(s.opts.Now().Sub(start), maxPause))
		}
		if err = backOff(ctx, attempt+1); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict, maxAttempts)
}
