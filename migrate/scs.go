package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// SCSOptions describe the manager that has written the sessions of a store of scs.
type SCSOptions struct {
	// Codec is the manager's codec, if it is neither scs.GobCodec nor scskit.Codec. Nil reads both.
	Codec scs.Codec

	// Hashed says that the manager's HashTokenInStore is set.
	Hashed bool

	// Lifetime is the manager's Lifetime. It tells when a session was created, which is also taken
	// for when it was saved and last seen: a store of scs does not keep these. Without it, or if it
	// is less than it was when the session was created, the times are those of 1970.
	Lifetime time.Duration

	// IdleTimeout is the manager's IdleTimeout. A store of scs does not tell when a record expires.
	// So a session lasts as if it had been used when FromSCS was called, and never beyond its
	// deadline.
	IdleTimeout time.Duration
}

// FromSCS returns a source for Copy and Compare with the sessions at rest in a store of scs, such
// as redisstore or postgresstore of github.com/alexedwards/scs. The keys there are tokens, which
// are hashed on the way, unless the target stores tokens too. Values of types that are not
// registered with gob.Register are kept as they are.
//
// The store must implement scs.IterableStore or scs.IterableCtxStore, which hold all sessions in
// memory. The source can be read only. Use it for nothing else.
//
// A store of scs does not know when a session was saved. So a session that was saved in the target
// always wins, and otherwise the one in the source, if it has changed since it was copied. A
// Checkpoint does not help to know which sessions were destroyed in the target: do not copy again
// once the target is in use.
func FromSCS(store scs.Store, opts *SCSOptions) (*scskit.Store, error) {
	d := &scsSource{store: store, now: time.Now()}
	if opts != nil {
		d.opts = *opts
	}
	if store == nil {
		return nil, errors.New("migrate: from scs: the store is nil")
	}
	if _, ours := scskit.StoreOf(store); ours {
		return nil, errors.New("migrate: from scs: the store is a *scskit.Store: pass it to Copy")
	}
	switch store := store.(type) {
	case scs.IterableCtxStore:
		d.all = store.AllCtx
	case scs.IterableStore:
		d.all = func(context.Context) (map[string][]byte, error) { return store.All() }
	default:
		return nil, fmt.Errorf("migrate: from scs: %T cannot list its sessions: %w", store,
			errors.ErrUnsupported)
	}
	if d.opts.Lifetime < 0 || d.opts.IdleTimeout < 0 {
		return nil, errors.New("migrate: from scs: a time of SCSOptions is negative")
	}
	if d.codec = d.opts.Codec; d.codec == nil {
		d.codec = scskit.Codec{}
	}
	return scskit.NewStore(d, &scskit.Options{PlainIDs: !d.opts.Hashed, Codec: d.codec})
}

// scsSource is a store of scs as a driver.
type scsSource struct {
	store scs.Store
	all   func(context.Context) (map[string][]byte, error)
	codec scs.Codec
	opts  SCSOptions
	now   time.Time // when a session was last used at the latest
}

var _ driver.Ranger = (*scsSource)(nil)

// Untimed implements records.Untimed.
func (*scsSource) Untimed() {}

// record makes a record of a session. Its version depends on the content alone, so that it is the
// same whenever the session is.
func (d *scsSource) record(token string, data []byte) driver.Record {
	began := time.Unix(0, 0).UTC()
	expiry := d.now.Add(24 * time.Hour) // of a record that cannot be read, which is reported
	if deadline, _, err := d.codec.Decode(data); err == nil {
		expiry = deadline
		if t := deadline.Add(-d.opts.Lifetime); d.opts.Lifetime > 0 && !t.After(d.now) {
			began = t
		}
		if idle := d.now.Add(d.opts.IdleTimeout); d.opts.IdleTimeout > 0 && idle.Before(expiry) {
			expiry = idle
		}
	}
	sum := sha256.Sum256(data)
	return driver.Record{
		ID: token, Data: data, Expiry: expiry, Created: began, Updated: began, Seen: began,
		Version: int64(binary.BigEndian.Uint64(sum[:])>>1 | 1),
	}
}

func (d *scsSource) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		all, err := d.all(ctx)
		if err != nil {
			yield(driver.Record{}, fmt.Errorf("%T: %w", d.store, err))
			return
		}
		for token, data := range all {
			if err := ctx.Err(); err != nil {
				yield(driver.Record{}, err)
				return
			}
			if !yield(d.record(token, data), nil) {
				return
			}
		}
	}
}

func (d *scsSource) Load(ctx context.Context, id string) (driver.Record, error) {
	var data []byte
	var found bool
	var err error
	if s, ok := d.store.(scs.CtxStore); ok {
		data, found, err = s.FindCtx(ctx, id)
	} else {
		data, found, err = d.store.Find(id)
	}
	switch {
	case err != nil:
		return driver.Record{}, fmt.Errorf("%T: %w", d.store, err)
	case !found:
		return driver.Record{}, driver.ErrNotFound
	}
	return d.record(id, data), nil
}

var errReadOnly = fmt.Errorf("a source from FromSCS can be read only: %w", errors.ErrUnsupported)

func (*scsSource) Save(context.Context, driver.Record, driver.Condition) error {
	return errReadOnly
}

func (*scsSource) Touch(context.Context, driver.Record) error { return errReadOnly }

func (*scsSource) Delete(context.Context, string, driver.Condition) error { return errReadOnly }
