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
	"github.com/scskit/scskit/internal/tracking"
)

// Store keeps scs sessions in a backend. It implements every store interface of
// scs, and is safe for concurrent use.
//
// In a context from WithTracker, which the adapters provide, it keeps the promises that
// stock stores cannot: no lost updates and no resurrection. Without one it
// behaves as scs's own stores do: a commit overwrites.
type Store struct {
	origin  *Store // the one that NewStore returned, which WithTimeout copies
	driver  driver.Driver
	carrier driver.Carrier // the driver, or one inside, if it is one; else nil
	opts    Options
	codec   storeCodec
	maxSize int
	ids     identifier
	turns   *turns
	warned  *sync.Once // of stock middleware
}

var (
	_ scs.Store            = (*Store)(nil)
	_ scs.CtxStore         = (*Store)(nil)
	_ scs.IterableStore    = (*Store)(nil)
	_ scs.IterableCtxStore = (*Store)(nil)
)

// NewStore returns a store over a driver. Applications call the constructor of a
// backend's package instead. It starts no goroutine.
func NewStore(d driver.Driver, opts *Options) (*Store, error) {
	if d == nil {
		return nil, errors.New("scskit: driver is nil")
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{driver: d, opts: o, codec: newStoreCodec(o.Codec), maxSize: o.MaxSize,
		turns: newTurns(), warned: new(sync.Once)}
	s.origin = s
	maxToken := maxTokenBytes
	if s.carrier, _ = driver.As[driver.Carrier](d); s.carrier != nil {
		maxToken = maxCarriedBytes
	}
	if s.ids, err = newIdentifier(o.PlainIDs || s.carrier != nil, maxToken); err != nil {
		return nil, err
	}
	if l, ok := driver.As[driver.SizeLimiter](d); ok && l.MaxData() < s.maxSize {
		s.maxSize = l.MaxData()
	}
	return s, nil
}

// WithTimeout returns the same store with another Options.Timeout. It shares everything with s, so
// that a program can give its maintenance more time than its requests have.
func (s *Store) WithTimeout(d time.Duration) *Store {
	other := *s
	other.opts.Timeout = d
	if d == 0 {
		other.opts.Timeout = defaultTimeout
	}
	return &other
}

// Driver returns the driver under the store, for programs that create schemas or
// inspect what its backend can do.
func (s *Store) Driver() driver.Driver { return s.driver }

// Codec returns the codec with which the store decodes sessions. The manager must use
// the same.
func (s *Store) Codec() scs.Codec { return s.codec.Codec }

// TouchInterval returns Options.TouchInterval, for adapters to compare with the idle time-out.
func (s *Store) TouchInterval() time.Duration { return s.opts.TouchInterval }

// CookieName returns the name of the cookie that the store makes values for, if it keeps
// sessions in the client. Otherwise ok is false.
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

// FindCtx implements scs.CtxStore. In a context with a tracker, a record
// that is damaged, which ErrCorrupt says, is dropped, reported and not found.
func (s *Store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	id, ok := s.ids.id(token)
	if !ok {
		return nil, false, nil
	}
	t := trackerFrom(ctx)
	var manager any
	if t != nil {
		manager = t.lastAsked() // before others ask, while the backend is busy
	}
	rec, err := s.load(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.failure("find", token, err)
	}
	if t == nil {
		return rec.Data, true, nil
	}
	switch err := s.codec.check(rec.Data); {
	case errors.Is(err, ErrCorrupt):
		return nil, false, s.drop(ctx, token, id, err)
	case err != nil: // another process may be able to read it
		return nil, false, s.failure("find", token, err)
	}
	if t.hasAbsorbed(ctx, s, token) {
		return nil, false, nil
	}
	return t.loaded(s, token, rec, manager), true, nil
}

// drop deletes a record that does not decode. Of several requests that find it so,
// only the one that deletes it reports it.
func (s *Store) drop(ctx context.Context, token, id string, cause error) error {
	err := s.remove(ctx, id)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return nil
	case err != nil:
		return s.failure("find", token, err)
	}
	s.report(ctx, Event{Kind: KindCorrupt, Outcome: OutcomeOK, ID: s.ids.public(id), Err: cause})
	return nil
}

// Commit implements scs.Store: it overwrites.
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

// AllCtx implements scs.IterableCtxStore: it returns every live session, under keys that
// Find, Commit and Delete of this very Store take for its tokens. Where ids are hashed the
// tokens are not known, and the keys are neither tokens nor worth anything to another
// process. A commit under such a key changes a live session but never creates one, and
// overwrites nothing that was saved since: see SessionsOf. Records that do not decode are
// passed over, and reported.
//
// All of it is held in memory: to go through many sessions, use Range.
func (s *Store) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	t := trackerFrom(ctx)
	for rec, err := range s.Range(ctx) {
		if err != nil {
			return nil, err
		}
		if err := s.codec.check(rec.Data); err != nil {
			s.report(ctx, Event{Kind: KindCorrupt, Outcome: OutcomeOK, ID: s.ids.public(rec.ID), Err: err})
			continue
		}
		key := s.ids.key(rec)
		if t != nil {
			rec.Data = t.loaded(s, key, rec, nil)
		}
		all[key] = rec.Data
	}
	return all, nil
}

// Range yields every live record, as a stream. The error matches errors.ErrUnsupported
// if the backend cannot list its sessions.
func (s *Store) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	r, ok := driver.As[driver.Ranger](s.driver)
	if !ok {
		return func(yield func(driver.Record, error) bool) {
			yield(driver.Record{}, fmt.Errorf("scskit: %T cannot list sessions: %w", s.driver,
				errors.ErrUnsupported))
		}
	}
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range r.Range(ctx) {
			if _, dead := buried(rec.Data); dead && err == nil {
				continue
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// load, save, touch and remove are the only callers of the driver: each bounds the
// operation in time and reports it.

// load finds no session where there is a tombstone, of which it returns the version; see
// errRenewed.
func (s *Store) load(ctx context.Context, id string) (driver.Record, error) {
	op := s.begin(ctx)
	rec, err := s.driver.Load(op.ctx, id)
	if err == nil && !rec.Expiry.After(s.opts.Now()) {
		rec, err = driver.Record{}, driver.ErrNotFound
	} else if _, dead := buried(rec.Data); dead && err == nil {
		rec, err = driver.Record{Version: rec.Version}, errRenewed
	}
	op.end(KindLoad, id, err)
	return rec, err
}

// save returns the value that the cookie must hold in place of the token, if any.
func (s *Store) save(ctx context.Context, kind Kind, rec driver.Record,
	cond driver.Condition) (value string, err error) {
	op := s.begin(ctx)
	rec.User, err = s.userOf(rec.Data)
	switch {
	case err != nil:
	case s.carrier != nil:
		value, err = s.carrier.Carry(rec)
	default:
		err = s.driver.Save(op.ctx, rec, cond)
	}
	op.end(kind, rec.ID, err)
	return value, err
}

func (s *Store) touch(ctx context.Context, id string, version int64, expiry time.Time) error {
	op := s.begin(ctx)
	err := s.driver.Touch(op.ctx, id, version, expiry)
	op.end(KindTouch, id, err)
	return err
}

func (s *Store) remove(ctx context.Context, id string) error {
	op := s.begin(ctx)
	err := s.driver.Delete(op.ctx, id)
	op.end(KindDelete, id, err)
	return err
}

// operation is one call of the driver.
type operation struct {
	store  *Store
	parent context.Context
	ctx    context.Context
	bound  *bound.Context // ctx, unless there is no time-out
	start  time.Time
}

func (s *Store) begin(ctx context.Context) operation {
	op := operation{store: s, parent: ctx, ctx: ctx}
	if s.opts.Timeout > 0 {
		op.bound = trackerFrom(ctx).room()
		op.bound.Begin(ctx, s.opts.Timeout)
		op.ctx = op.bound
	}
	if s.opts.Observer != nil {
		op.start = time.Now()
	}
	return op
}

func (op *operation) end(kind Kind, id string, err error) {
	if op.bound != nil {
		op.bound.End()
	}
	s := op.store
	if s.opts.Observer == nil {
		return
	}
	e := Event{Kind: kind, Outcome: OutcomeOK, ID: s.ids.public(id), Duration: time.Since(op.start)}
	switch {
	case errors.Is(err, driver.ErrNotFound):
		e.Outcome = OutcomeMissing
	case errors.Is(err, driver.ErrConflict):
		e.Outcome = OutcomeRejected
	case err != nil:
		e.Outcome, e.Err = OutcomeFailed, redact(err, id)
	}
	s.report(op.parent, e)
}

// Observer returns the Observer of the store's options, or nil. The adapters
// tell it what only they can see.
func (s *Store) Observer() Observer { return s.opts.Observer }

func (s *Store) report(ctx context.Context, e Event) {
	if s.opts.Observer == nil {
		return
	}
	defer func() { _ = recover() }() // an observer must not break a request
	s.opts.Observer(tracking.WithoutSession(ctx), e)
}

// failure is the error of a store operation, without the token.
func (s *Store) failure(op, token string, err error) error {
	return fmt.Errorf("scskit: %s: %w", op, redact(err, token))
}

// version draws the version of a save; see driver.Record.
func version() int64 { return 1 + rand.Int64N(1<<63-1) }
