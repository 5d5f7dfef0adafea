package scskit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
)

// ErrNoUserKey is returned by SessionsOf and DestroySessionsOf of a store that has not been told
// where sessions keep their user.
var ErrNoUserKey = errors.New("scskit: Options.UserKey is not set: set it to the session key " +
	"that holds the user's id")

// UserSession is a session as SessionsOf finds it.
type UserSession struct {
	// Key is what Find, Commit and Delete of the same Store take for the token, as the keys of
	// AllCtx. It is as good as a token within this process: do not send it to a browser.
	Key string

	// ID is HashToken of the token. It opens nothing, so that a page can name sessions by it, and it
	// is that of the request's own session if it equals HashToken(sm.Token(ctx)).
	ID string

	// Values are what the session holds, decoded for the caller alone.
	Values map[string]any

	// Deadline is the session's absolute end, and Expiry when the record expires, with an idle
	// time-out mostly earlier.
	Deadline, Expiry time.Time

	// Created and Updated are when the session was stored under its present token, and when it was
	// last saved. Its idle time-out moves Expiry only.
	Created, Updated time.Time
}

// SessionsOf yields every live session of a user: those that have the user, a string, or an integer
// in decimal digits, under Options.UserKey. Each comes once. After an error, which is yielded with
// a zero UserSession, the sequence ends. The body may use the store.
//
// Where the backend keeps an index of users (driver.UserIndex) this costs as much as the user has
// sessions. The index may lag: a session that has only just been signed in may be missing, but none
// of another user is ever yielded. Elsewhere it reads every session that is stored.
//
// An index knows what was saved while Options.UserKey was set. Sessions that were stored before
// are found once they are next saved; to have them found at once, save them all:
//
//	err := sm.Iterate(scskit.WithTracker(ctx), func(ctx context.Context) error {
//		_, _, err := sm.Commit(ctx)
//		return err
//	})
//
// A session that others save meanwhile is merged; without the tracker, a change of it is refused
// with driver.ErrConflict. (Where ids are plain, keys are tokens, and Iterate needs the tracker.)
//
// Only ctx bounds it in time, as Range. The error is ErrNoUserKey if Options.UserKey is empty, and
// matches errors.ErrUnsupported if the backend can do neither.
func (s *Store) SessionsOf(ctx context.Context, user string) iter.Seq2[UserSession, error] {
	return func(yield func(UserSession, error) bool) {
		for rec, err := range s.recordsOf(ctx, user) {
			if err != nil {
				yield(UserSession{}, fmt.Errorf("scskit: sessions of a user: %w", err))
				return
			}
			if _, isTombstone := tombstoneUser(rec.Data); isTombstone {
				continue
			}
			deadline, values, err := s.codec.Decode(rec.Data)
			if err != nil {
				continue
			}
			if !yield(UserSession{
				Key: s.ids.key(rec), ID: s.ids.public(rec.ID), Values: values,
				Deadline: deadline, Expiry: rec.Expiry, Created: rec.Created, Updated: rec.Updated,
			}, nil) {
				return
			}
		}
	}
}

// DestroySessionsOf destroys the sessions that SessionsOf yields, except those of the given tokens,
// and returns how many it destroyed, also when it fails midway. To sign a user out everywhere else,
// except the request's own session:
//
//	n, err := store.DestroySessionsOf(ctx, user, sm.Token(ctx))
//
// Nothing of the user survives that was signed in before the call began: a request in flight brings
// no session back, and one that is renewed meanwhile is followed to its new token. So it looks
// again until there is none left. A session that is signed in during the call may be destroyed or
// not.
//
// A request that has renewed its session keeps it under the new token, which is the one to except.
// ctx must be the request's.
func (s *Store) DestroySessionsOf(ctx context.Context, user string,
	except ...string) (destroyed int, err error) {
	kept, err := s.keptBy(ctx, except)
	if err != nil {
		return 0, fmt.Errorf("scskit: destroy sessions of a user: %w", err)
	}
	for range maxDestroyPasses {
		n, more, err := s.destroySessionsOf(ctx, user, kept)
		destroyed += n
		if err != nil {
			return destroyed, fmt.Errorf("scskit: destroy sessions of a user: %w", err)
		}
		if !more {
			break
		}
	}
	return destroyed, nil
}

// keptBy returns the ids of the sessions with the given tokens. If the request's own is among them,
// those that it carries on and that end when it is stored are kept with it.
func (s *Store) keptBy(ctx context.Context, except []string) (kept []string, err error) {
	t := trackerFrom(ctx)
	var carried []string
	for _, n := range t.predecessors(ctx, s) {
		id, _ := s.ids.id(n.token)
		carried = append(carried, id)
	}
	for _, n := range t.sources(ctx, s) {
		id, _ := s.ids.id(n.token)
		carried = append(carried, id)
	}
	own := false
	for _, token := range except {
		id, ok := s.ids.id(token)
		if !ok {
			continue
		}
		kept = append(kept, id)
		if len(carried) == 0 || own {
			continue
		}
		own = t.get(s, token).state != 0
		if !own { // it is, unless another's is stored under it
			_, err := s.load(ctx, id)
			if own = errors.Is(err, driver.ErrNotFound); err != nil && !own {
				return nil, err
			}
		}
	}
	if own {
		kept = append(kept, carried...)
	}
	return kept, nil
}

// maxDestroyPasses bounds how often DestroySessionsOf looks again, if sessions go on being made.
const maxDestroyPasses = 100

// destroySessionsOf goes through the user's sessions once. more says that there may be others now:
// of what was read before it was renewed, the session under the new token may lie behind.
func (s *Store) destroySessionsOf(ctx context.Context, user string,
	kept []string) (destroyed int, more bool, err error) {
	for rec, err := range s.recordsOf(ctx, user) {
		if err != nil {
			return destroyed, more, err
		}
		if slices.Contains(kept, rec.ID) {
			continue
		}
		_, isTombstone := tombstoneUser(rec.Data)
		switch err := s.remove(ctx, rec.ID); {
		case errors.Is(err, driver.ErrNotFound): // another was faster
			more = true
		case err != nil:
			return destroyed, more, redact(err, rec.ID)
		default:
			more = true
			if !isTombstone {
				destroyed++
			}
		}
	}
	return destroyed, more, nil
}

// recordsOf yields each live record of a user once, tombstones among them. What an index says is
// not taken on trust: the session itself says whose it is.
func (s *Store) recordsOf(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		records, err := s.candidates(ctx, user)
		if err != nil {
			yield(driver.Record{}, err)
			return
		}
		want := hash(user)
		seen := make(map[string]bool)
		for rec, err := range records {
			if err != nil {
				yield(driver.Record{}, err)
				return
			}
			if seen[rec.ID] || !rec.Expiry.After(s.opts.Now()) {
				continue
			}
			if got, err := s.userOf(rec.Data); err != nil || got != want {
				continue
			}
			seen[rec.ID] = true
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// candidates returns the records among which are all of the user's.
func (s *Store) candidates(ctx context.Context,
	user string) (iter.Seq2[driver.Record, error], error) {
	switch {
	case s.opts.UserKey == "":
		return nil, ErrNoUserKey
	case user == "":
		return nil, errors.New("the user is empty: pass the value that sessions hold under Options.UserKey")
	}
	if i, ok := driver.As[driver.UserIndex](s.driver); ok {
		return i.RangeUser(ctx, hash(user)), nil
	}
	if r, ok := driver.As[driver.Ranger](s.driver); ok {
		return r.Range(ctx), nil
	}
	return nil, fmt.Errorf("%T cannot list sessions: use a store that can, such as one for a "+
		"database: %w", s.driver, errors.ErrUnsupported)
}

// userOf returns driver.Record.User for an encoded session. It is empty if the session has no user,
// if users are not asked for, and for data that does not decode, which a store keeps all the same.
func (s *Store) userOf(data []byte) (string, error) {
	if s.opts.UserKey == "" {
		return "", nil
	}
	if user, isTombstone := tombstoneUser(data); isTombstone {
		return user, nil
	}
	v, err := s.codec.pick(data, s.opts.UserKey)
	if err != nil {
		return "", nil //nolint:nilerr // see above
	}
	var user string
	switch v := v.(type) {
	case nil:
	case string:
		user = v
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		user = fmt.Sprint(v)
	default:
		return "", fmt.Errorf("the user, under the key of Options.UserKey, is a %T: it must be a "+
			"string or an integer", v)
	}
	if user == "" {
		return "", nil
	}
	return hash(user), nil
}
