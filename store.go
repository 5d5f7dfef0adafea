package scskit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/seal"
	"github.com/scskit/scskit/internal/tracking"
)

// Store keeps scs sessions in a backend. It implements every store interface of scs. It is safe for
// concurrent use.
//
// In a context from WithTracker, which the adapters provide, concurrent updates are merged and a
// destroyed session is never stored again. In any other context a commit overwrites the stored
// session, as in scs's own stores.
type Store struct {
	origin     *Store // the Store that NewStore returned; WithTimeout returns copies
	driver     driver.Driver
	carrier    driver.Carrier // the driver, or one that it wraps, as a Carrier; nil if there is none
	opts       Options
	codec      storeCodec
	maxSize    int
	indexed    bool // the driver is a driver.UserIndex
	ids        identifier
	mergeLocks *keyedMutex
	lockQueue  *lockQueue
	warned     *sync.Once   // of scs's own LoadAndSave
	sealer     *seal.Sealer // nil without Options.Keys
	unreadable *unreadableRun
}

var (
	_ scs.Store            = (*Store)(nil)
	_ scs.CtxStore         = (*Store)(nil)
	_ scs.IterableStore    = (*Store)(nil)
	_ scs.IterableCtxStore = (*Store)(nil)
)

// NewStore returns a Store over a driver. Applications call the constructor of a store package,
// such as memstore.New, instead. NewStore starts no goroutine.
func NewStore(d driver.Driver, opts *Options) (*Store, error) {
	if d == nil {
		return nil, errors.New("scskit: NewStore: the driver is nil: pass one")
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		driver:     d,
		opts:       o,
		codec:      newStoreCodec(o.Codec),
		maxSize:    o.MaxSize,
		mergeLocks: newKeyedMutex(),
		lockQueue:  new(lockQueue),
		warned:     new(sync.Once),
		unreadable: &unreadableRun{began: o.Now()},
	}
	if s.sealer, err = newSealer(&o); err != nil {
		return nil, err
	}
	s.origin = s
	maxToken := maxTokenBytes
	if s.carrier, _ = driver.As[driver.Carrier](d); s.carrier != nil {
		maxToken = maxCarriedBytes
	}
	if s.ids, err = newIdentifier(o.PlainIDs || s.carrier != nil, maxToken); err != nil {
		return nil, err
	}
	_, s.indexed = driver.As[driver.UserIndex](d)
	if l, ok := driver.As[driver.SizeLimiter](d); ok {
		limit := l.MaxData()
		if s.sealer != nil {
			limit -= seal.RecordOverhead
		}
		s.maxSize = min(s.maxSize, limit)
	}
	return s, nil
}

// WithTimeout returns a copy of s with another Options.Timeout; zero means the default. The copy
// shares everything else with s. Use it to give maintenance more time than requests have.
func (s *Store) WithTimeout(d time.Duration) *Store {
	other := *s
	other.opts.Timeout = d
	if d == 0 {
		other.opts.Timeout = defaultTimeout
	}
	return &other
}

// Driver returns the store's driver. Use driver.As to find out what it supports.
func (s *Store) Driver() driver.Driver { return s.driver }

// Codec returns the codec that the store uses to decode sessions. The session manager must use the
// same one.
func (s *Store) Codec() scs.Codec { return s.codec.Codec }

// TouchInterval returns Options.TouchInterval. The adapters compare it with the manager's idle
// timeout.
func (s *Store) TouchInterval() time.Duration { return s.opts.TouchInterval }

// UserKey returns Options.UserKey, or "".
func (s *Store) UserKey() string { return s.opts.UserKey }

// CookieName returns the name of the cookie that the store makes values for, if the store keeps
// sessions in cookies. Otherwise ok is false.
func (s *Store) CookieName() (name string, ok bool) {
	if s.carrier == nil {
		return "", false
	}
	return s.carrier.CookieName(), true
}

// Find implements scs.Store.
func (s *Store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// FindCtx implements scs.CtxStore. In a context with a tracker, Options.OnUnreadable decides about
// a record that cannot be read. By default a damaged one is deleted, reported as KindCorrupt, and
// not found. Without a tracker it is an error, unless it is not sealed: stores of scs hold any
// bytes.
func (s *Store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	id, ok := s.ids.id(token)
	if !ok {
		return nil, false, nil
	}
	t := trackerFrom(ctx)
	var manager any
	if t != nil {
		manager = t.lastManager() // read it before the load: other managers may replace it meanwhile
	}
	rec, err := s.load(ctx, id)
	alias := "" // the id, if it is not that of the token
	if t != nil && asRenewed(err) == nil && errors.Is(err, driver.ErrNotFound) {
		switch data, failure := s.adopt(ctx, t, token, id, manager); {
		case failure != nil:
			return nil, false, s.failure("find", token, failure)
		case data != nil:
			return data, true, nil
		}
	}
	if renewed := asRenewed(err); t != nil && renewed != nil {
		rec, err = s.successor(ctx, t, token, renewed)
		if alias = rec.ID; alias != "" {
			id = alias
		}
	}
	if errors.Is(err, driver.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil && (t == nil || !unreadable(err)) {
		return nil, false, s.failure("find", token, err)
	}
	if t == nil {
		return rec.Data, true, nil
	}
	if err == nil {
		err = s.readable(rec)
	}
	if err != nil {
		err = s.dismiss(ctx, token, id, rec.Version, err)
		if errors.Is(err, driver.ErrConflict) { // others have saved it since it was loaded
			return s.FindCtx(ctx, token)
		}
		return nil, false, err
	}
	s.unreadable.end(rec)
	if s.codec.ended(rec.Data, s.opts.Now()) {
		return nil, false, nil
	}
	if t.isSource(ctx, s, token) {
		return nil, false, nil
	}
	if alias != "" {
		t.update(s, token, func(n *note) { n.alias = alias })
	}
	return t.loaded(s, token, rec, manager), true, nil
}

// Commit implements scs.Store. It overwrites the stored session.
func (s *Store) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete implements scs.Store.
func (s *Store) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

// All implements scs.IterableStore.
func (s *Store) All() (map[string][]byte, error) {
	return s.AllCtx(context.Background())
}

// AllCtx implements scs.IterableCtxStore. It returns every live session. Its keys work as tokens in
// Find, Commit and Delete of this Store. Unless Options.PlainIDs is set, the store does not know
// the tokens. The keys are then not tokens, and are useless to other processes. A commit under such
// a key changes a live session, never creates one, and does not overwrite what was saved since
// AllCtx returned; see SessionsOf. Records that do not decode are skipped and reported as
// KindCorrupt.
//
// AllCtx holds all sessions in memory. To go through many sessions, use Range.
func (s *Store) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	keys := make(map[string]string) // by id: a record that is saved meanwhile may be listed twice
	bad := make(map[string]bool)
	t := trackerFrom(ctx)
	for rec, err := range s.Range(ctx) {
		if err != nil {
			return nil, err
		}
		if err := s.readable(rec); err != nil {
			if !bad[rec.ID] {
				s.report(ctx, Event{
					Kind: unreadableKind(err), Outcome: OutcomeOK, ID: s.ids.public(rec.ID), Err: err,
				})
			}
			bad[rec.ID] = true
			continue
		}
		key := s.ids.key(rec)
		if t != nil {
			rec.Data = t.loaded(s, key, rec, nil)
		}
		delete(all, keys[rec.ID])
		all[key], keys[rec.ID] = rec.Data, key
	}
	return all, nil
}

// Range yields every live record without holding them all in memory. Records that Options.Keys
// cannot open are skipped and reported, as KindUnreadable if this process lacks the key, and as
// KindCorrupt otherwise. If the backend cannot list its
// sessions, the error matches errors.ErrUnsupported.
func (s *Store) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	r, ok := driver.As[driver.Ranger](s.driver)
	if !ok {
		return func(yield func(driver.Record, error) bool) {
			yield(driver.Record{}, fmt.Errorf("scskit: %T cannot list sessions: %w", s.backend(),
				errors.ErrUnsupported))
		}
	}
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range r.Range(ctx) {
			if err == nil {
				if err := s.open(&rec); err != nil {
					s.report(ctx, Event{
						Kind: unreadableKind(err), Outcome: OutcomeOK, ID: s.ids.public(rec.ID), Err: err,
					})
					continue
				}
				if _, isTombstone := tombstoneOf(rec.Data); isTombstone || isLock(rec.Data) {
					continue
				}
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// Only load, save, touch and remove call the driver. Each applies Options.Timeout and reports an
// event.

// load returns a *renewedError and the tombstone's version if the record is a tombstone. If the
// error says that the record is unreadable, the result is the record without its data.
func (s *Store) load(ctx context.Context, id string) (driver.Record, error) {
	rec, err := s.loadAny(ctx, id)
	if t, isTombstone := tombstoneOf(rec.Data); isTombstone && err == nil {
		rec.Data = nil
		rec, err = driver.Record{Version: rec.Version}, &renewedError{t, rec}
	}
	if err == nil && isLock(rec.Data) {
		rec, err = driver.Record{}, driver.ErrNotFound
	}
	return rec, err
}

// loadAny is load for any record, also a tombstone.
func (s *Store) loadAny(ctx context.Context, id string) (driver.Record, error) {
	op := s.begin(ctx)
	rec, err := s.driver.Load(op.ctx, id)
	if err == nil && !rec.Expiry.After(s.opts.Now()) {
		rec, err = driver.Record{}, driver.ErrNotFound
	}
	err = op.end(KindLoad, id, err)
	if err == nil {
		err = s.open(&rec)
	}
	return rec, err
}

// save stores rec, and sets its User. It returns the value that the cookie must hold instead of the
// token, or "" if it holds the token.
func (s *Store) save(ctx context.Context, kind Kind, rec *driver.Record,
	cond driver.Condition) (value string, err error) {
	op := s.begin(ctx)
	rec.User, err = s.userOf(rec.Data)
	switch {
	case err != nil:
	case s.carrier != nil:
		value, err = s.carry(*rec)
	default:
		err = s.driver.Save(op.ctx, s.sealed(*rec), cond)
	}
	return value, op.end(kind, rec.ID, err)
}

// touch moves the expiry of a stored record to rec.Expiry, and notes that it was seen now.
func (s *Store) touch(ctx context.Context, rec driver.Record) error {
	rec.Seen = s.opts.Now()
	op := s.begin(ctx)
	err := s.driver.Touch(op.ctx, rec)
	return op.end(KindTouch, rec.ID, err)
}

func (s *Store) remove(ctx context.Context, id string, cond driver.Condition) error {
	op := s.begin(ctx)
	err := s.driver.Delete(op.ctx, id, cond)
	return op.end(KindDelete, id, err)
}

// operation is one call of the driver.
type operation struct {
	store  *Store
	parent context.Context
	ctx    context.Context
	bound  *bound.Context // ctx; nil if there is no timeout
	start  time.Time
}

func (s *Store) begin(ctx context.Context) operation {
	op := operation{store: s, parent: ctx, ctx: ctx}
	if s.opts.Timeout > 0 {
		op.bound = trackerFrom(ctx).opContext()
		op.bound.Begin(ctx, s.opts.Timeout)
		op.ctx = op.bound
	}
	if s.opts.Observer != nil {
		op.start = time.Now()
	}
	return op
}

// end reports the event. It returns the error without the id in its text, which may be a token.
func (op *operation) end(kind Kind, id string, err error) error {
	if op.bound != nil {
		op.bound.End()
	}
	if err != nil {
		err = redact(err, id)
	}
	s := op.store
	if s.opts.Observer == nil {
		return err
	}
	e := Event{Kind: kind, Outcome: OutcomeOK, ID: s.ids.public(id), Duration: time.Since(op.start)}
	switch {
	case errors.Is(err, driver.ErrNotFound):
		e.Outcome = OutcomeMissing
	case errors.Is(err, driver.ErrConflict):
		e.Outcome = OutcomeRejected
	case err != nil:
		e.Outcome, e.Err = OutcomeFailed, err
	}
	s.report(op.parent, e)
	return err
}

// Observer returns Options.Observer, or nil. The adapters report events of their own to it.
func (s *Store) Observer() Observer { return s.opts.Observer }

func (s *Store) report(ctx context.Context, e Event) {
	if s.opts.Observer == nil {
		return
	}
	defer func() { _ = recover() }() // a panic in an observer must not break the request
	s.opts.Observer(tracking.WithoutSession(ctx), e)
}

// failure wraps the error of a store operation and removes the token from its text.
func (s *Store) failure(op, token string, err error) error {
	return failed(op, redact(err, token))
}

// version returns a random version for a save; see driver.Record.
func version() int64 { return 1 + rand.Int64N(1<<63-1) }
