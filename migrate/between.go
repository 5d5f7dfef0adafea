package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// BetweenOptions are the settings of Between. The zero value and a nil *BetweenOptions move each
// session once.
type BetweenOptions struct {
	// Rollback keeps the old backend up to date, so that the application can go back to it even if
	// the new one is lost: a save succeeds only once both backends have it, and Destroy only once
	// both have lost it. Sessions must fit into both. If the old backend fails, requests that only
	// read sessions of the new one still succeed. A session that is in the middle of its move at the
	// moment when the new backend is lost is lost with it.
	Rollback bool
}

// Pair is a store over two backends; see Between. It is safe for concurrent use.
type Pair struct {
	store *scskit.Store
	d     *pairDriver
}

// Between returns a store over a new backend and the old one, for a change of the backend without a
// downtime. Each session is in one of the two. It moves to the new one at its first use, with its
// values, remaining lifetime, user and times. Move moves those that nobody uses. When Done returns
// true, the old backend can be switched off.
//
//	pair, err := migrate.Between(fresh, old, nil)
//	if err != nil {
//		return err
//	}
//	sessions := scskit.New(pair.Store())
//
// All promises of a scskit.Store hold, however many processes use the pair at the same time. They
// also hold while others use the pair in the other direction, Between(old, fresh, nil): sessions
// then move to and fro. So deploy twice: first Between(old, fresh, nil), which creates sessions
// where processes without a pair find them, and finds those that have moved; and, once all
// processes have it, Between(fresh, old, nil). To go back, deploy the two in the opposite order.
// docs/moving-backends.md has the steps.
//
// Sweep removes expired records from both backends, if the new one needs a sweep. If it does not,
// as Redis, sweep the old one as before. CreateSchema, CheckSchema and DropSchema are for both.
//
// The options of the store, such as UserKey, are those of the first argument. Each backend keeps
// its own Keys and Codec. Both must store hashes of the tokens, or both tokens: PlainIDs must be
// equal. The new backend must not hold sessions of the old one already, as after a Copy.
//
// # Round trips
//
// A session that has moved costs what it costs without a pair. A token of no session costs a load
// from each backend, and a move two loads and four saves, once. Destroy leaves a small record for
// five minutes. If a process of the other order extends the life of a session in the instant
// between a move's load and its second save, the session keeps its earlier expiry.
//
// # Failures
//
// While the old backend fails, sessions that have moved are not affected, and new ones can be
// created. A request with any other token fails, since it may have a session there. While the new
// backend fails, all requests with a session fail, as with any backend. An operation that fails or
// is interrupted between two steps leaves the session in one backend or the other; the next request
// goes on with the move. With Rollback, a save that fails in the old backend is an error although
// the new one has it: the request may or may not have had an effect, and the next save of the
// session brings the old one up to date.
func Between(fresh, old *scskit.Store, opts *BetweenOptions) (*Pair, error) {
	p, err := newPair(fresh, old, opts)
	if err != nil {
		return nil, fmt.Errorf("migrate: between: %w", err)
	}
	return p, nil
}

func newPair(fresh, old *scskit.Store, opts *BetweenOptions) (*Pair, error) {
	other, lead, err := accesses(old, fresh)
	if err != nil {
		return nil, err
	}
	if lead.Plain() != other.Plain() {
		return nil, errors.New("one store has PlainIDs and the other one has not: set it equally")
	}
	for _, s := range []*scskit.Store{fresh, old} {
		backend := records.Of(s).Backend()
		switch _, lists := driver.As[driver.Ranger](s.Driver()); {
		case !records.Of(s).Timed():
			return nil, fmt.Errorf("%T is read-only: use Copy", backend)
		case !lists:
			return nil, fmt.Errorf("%T cannot list sessions: %w", backend, errors.ErrUnsupported)
		case isPair(s):
			return nil, errors.New("a store is one of migrate.Between: pass the backends")
		}
	}
	d := &pairDriver{
		lead:    side{Access: lead.Quiet(), driver: fresh.Driver(), isLead: true},
		other:   side{Access: other.Quiet(), driver: old.Driver()},
		carried: lead.Carried,
	}
	maxSize := lead.MaxSize()
	if opts != nil && opts.Rollback {
		d.both = true
		maxSize = min(maxSize, other.MaxSize())
	}
	timeout := time.Duration(-1)
	if lead.Timeout() > 0 && other.Timeout() > 0 {
		timeout = lead.Timeout() + other.Timeout()
	}
	store, err := lead.Over(d.withOptional(), timeout, maxSize)
	if err != nil {
		return nil, err
	}
	return &Pair{store: store.(*scskit.Store), d: d}, nil
}

// Store returns the store of the pair.
func (p *Pair) Store() *scskit.Store { return p.store }

// Done reports whether the old backend can be switched off, because it holds no session that has
// not moved. It lists both backends, and ends at the first such session. Ask when all processes use
// the pair in this direction, and no request is left that has begun before Move ended.
//
// A session that has moved leaves a small record, without its data, in the old backend until it
// would have expired there. Such records do not count, and neither do records that cannot be read,
// which Move reports.
//
// If it is true, deploy the application with the new store alone. From then on the old backend gets
// no writes, with Rollback neither: going back to it would lose them.
func (p *Pair) Done(ctx context.Context) (bool, error) {
	done, err := p.d.done(ctx)
	if err != nil {
		return false, fmt.Errorf("migrate: done: %w", err)
	}
	return done, nil
}

// Move moves all sessions of the old backend that have not moved, while requests use the pair. It
// returns a report: Copied are those that it has moved, and Unchanged what had moved before. It
// needs no checkpoint: if it is interrupted, even by kill -9, call it again. Several processes may
// call it.
//
// Options.Prune and Checkpoint must not be set, and Skew is not used. A record that cannot be moved
// stays, and the error is a *PartialError at the end. If Done is false afterwards, requests of
// processes without the pair have created sessions in the old backend: call Move again.
func (p *Pair) Move(ctx context.Context, opts *Options) (Report, error) {
	c, err := p.d.mover(opts)
	if err != nil {
		return Report{}, fmt.Errorf("migrate: move: %w", err)
	}
	if err = c.run(ctx); err != nil {
		err = fmt.Errorf("migrate: move: %w", err)
	}
	return c.result(), err
}

// Claim prepares a backend for another move, after the application has gone back to it from a pair
// with BetweenOptions.Rollback, and the other backend was lost or dropped: what the pair has
// mirrored there is the session by now. Call it when no process uses the pair any more. Requests
// may use the backend meanwhile. It returns how many sessions it has claimed, even if it fails.
//
// It is not needed after a move in the other direction; see Between.
func Claim(ctx context.Context, store *scskit.Store) (claimed int, err error) {
	if store == nil {
		return 0, errors.New("migrate: claim: the store is nil")
	}
	if claimed, err = claim(ctx, records.Of(store)); err != nil {
		return claimed, fmt.Errorf("migrate: claim: %w", err)
	}
	return claimed, nil
}

func isPair(store *scskit.Store) bool {
	_, is := driver.As[*pairDriver](store.Driver())
	return is
}
