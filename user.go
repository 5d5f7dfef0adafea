package scskit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/signin"
)

// ErrNoUserKey is returned by SessionsOf, DestroySessionsOf, SignIn and RequireFresh if
// Options.UserKey is not set.
var ErrNoUserKey = errors.New("scskit: Options.UserKey is not set: set it to the session key " +
	"that holds the user's id")

// UserSession is a session that SessionsOf has found.
type UserSession struct {
	// Key works like the session's token in Find, Commit and Delete of the same Store, as the keys of
	// AllCtx do. Within this process it is as powerful as the token: do not send it to a browser.
	Key string

	// ID is HashToken of the token. It gives no access to the session, so a page may show it. To end
	// the session, pass it to DestroySessionOf.
	ID string

	// Values is the decoded session. The caller may change it.
	Values map[string]any

	// Deadline is when the session ends in any case. Expiry is when the record expires, which is
	// usually earlier if the manager has an idle timeout.
	Deadline, Expiry time.Time

	// Created is when the session was stored under its current token. Updated is when it was last
	// saved.
	Created, Updated time.Time

	// Current says that the request in ctx has loaded this session. It needs a context with a tracker.
	Current bool

	// Seen is when a request last used the session. It may be older than the last request by one
	// touch interval. If the manager has no idle timeout, it is when a request last changed it.
	Seen time.Time

	// AuthenticatedAt is when SignIn was last called for the user, and Label, UserAgent and Address
	// are what it was given: text from the client, without control characters. They are zero if the
	// user was signed in without SignIn.
	AuthenticatedAt           time.Time
	Label, UserAgent, Address string
}

// SessionsOf yields every live session of a user once. These are the sessions that have the user
// under Options.UserKey, as a string or as an integer in decimal digits. After an error, which
// comes with a zero UserSession, the sequence ends. The loop body may use the store.
//
// If the backend has an index of users (driver.UserIndex), the cost depends only on the number of
// the user's sessions. The index may lag, so that a session which was signed in a moment ago is
// missing, but SessionsOf never yields a session of another user. Without an index it reads every
// stored session.
//
// An index holds the sessions that were saved while Options.UserKey was set. Older sessions are
// found after they are next saved. To save them all at once:
//
//	err := sm.Iterate(scskit.WithTracker(ctx), func(ctx context.Context) error {
//		_, _, err := sm.Commit(ctx)
//		return err
//	})
//
// With the tracker, changes that others save meanwhile are merged. Without it, a commit that
// changes a session which others have saved meanwhile fails with driver.ErrConflict. (If
// Options.PlainIDs is set, keys are tokens, and Iterate needs the tracker.)
//
// As in Range, only ctx bounds the time. The error is ErrNoUserKey if Options.UserKey is empty, and
// matches errors.ErrUnsupported if the backend can neither index users nor list sessions.
func (s *Store) SessionsOf(ctx context.Context, user string) iter.Seq2[UserSession, error] {
	return func(yield func(UserSession, error) bool) {
		want, err := s.indexedUser(user)
		if err != nil {
			yield(UserSession{}, failed("sessions of a user", err))
			return
		}
		for rec, err := range s.recordsOf(ctx, want) {
			if err != nil {
				yield(UserSession{}, failed("sessions of a user", err))
				return
			}
			if _, isTombstone := tombstoneOf(rec.Data); isTombstone {
				continue
			}
			deadline, values, err := s.codec.Decode(rec.Data)
			if err != nil {
				continue
			}
			facts := factsOf(values[signin.Key], hash(user))
			if !yield(UserSession{
				Key: s.ids.key(rec), ID: s.ids.public(rec.ID), Values: values,
				Deadline: deadline, Expiry: rec.Expiry, Created: rec.Created, Updated: rec.Updated,
				Seen: rec.Seen, Current: trackerFrom(ctx).has(s, rec.ID), AuthenticatedAt: facts.At,
				Label: facts.Label, UserAgent: facts.UserAgent, Address: facts.Address,
			}, nil) {
				return
			}
		}
	}
}

// DestroySessionsOf destroys the sessions that SessionsOf yields, except those with the given
// tokens. It returns how many it destroyed, even if it fails. To sign a user out everywhere except
// in the current session:
//
//	n, err := store.DestroySessionsOf(ctx, user, sm.Token(ctx))
//
// It destroys every session of the user that was signed in before the call began, however many
// requests save, renew or sign in meanwhile. A request that is running at the same time does not
// bring a session back. If a session is renewed during the call, DestroySessionsOf also destroys it
// under its new token. A session that is signed in during the call may or may not be destroyed.
//
// Where the index lags, as on DynamoDB, a session that was signed in a moment ago may stay: call it
// again a second later. A session that is being renewed may count twice.
//
// If the request has renewed its own session, pass the new token. ctx must be the request's
// context.
func (s *Store) DestroySessionsOf(ctx context.Context, user string,
	except ...string) (destroyed int, err error) {
	want, err := s.indexedUser(user)
	if err == nil {
		destroyed, err = s.destroySessionsOf(ctx, want, except)
	}
	if err != nil {
		return destroyed, failed("destroy sessions of a user", err)
	}
	return destroyed, nil
}

// DestroySessionOf destroys the session of a user that has the given UserSession.ID, as for a page
// that lists the user's devices. It never destroys a session of another user. destroyed says
// whether there was one. If the session was renewed since the ID was read, it ends under its new
// token: up to five minutes after a sign-in, and an hour after adapters.RenewEvery has renewed it.
// With Options.PlainIDs, it must still have the ID.
//
// The errors are those of SessionsOf.
func (s *Store) DestroySessionOf(ctx context.Context, user, id string) (destroyed bool, err error) {
	want, err := s.indexedUser(user)
	if err == nil {
		destroyed, err = s.destroySessionOf(ctx, want, id)
	}
	if err != nil {
		return destroyed, failed("destroy a session of a user", err)
	}
	return destroyed, nil
}

func (s *Store) destroySessionOf(ctx context.Context, user, id string) (destroyed bool, err error) {
	e := ending{store: s, user: user}
	if id == "" || len(id) > maxTokenBytes {
		return false, nil
	}
	if !s.opts.PlainIDs {
		_, err := e.end(ctx, driver.Record{ID: id})
		return e.found > 0, err
	}
	for rec, err := range s.recordsOf(ctx, user) {
		if err == nil && s.ids.public(rec.ID) != id {
			continue
		}
		if err == nil {
			_, err = e.end(ctx, rec)
		}
		return e.found > 0, err
	}
	return false, nil
}

// keptBy returns the ids of the sessions with the given tokens. If the request's own session is
// among them, the result includes the sessions that its commit retires.
func (s *Store) keptBy(ctx context.Context, except []string) (kept []string, err error) {
	t := trackerFrom(ctx)
	var carried []string
	for _, n := range t.predecessors(ctx, s) {
		carried = append(carried, s.idOf(&n.note))
	}
	for _, n := range t.sources(ctx, s) {
		carried = append(carried, s.idOf(&n))
	}
	own := false
	for _, token := range except {
		id, ok := s.ids.id(token)
		if !ok {
			continue
		}
		chain, found, err := s.successors(ctx, id)
		if err != nil {
			return nil, err
		}
		kept = append(kept, chain...)
		// It is the request's own if it was loaded, or nothing is stored under it yet.
		own = own || len(carried) > 0 && (t.get(s, token).state != 0 || !found)
	}
	if own {
		kept = append(kept, carried...)
	}
	return kept, nil
}

// successors returns the id and those of the sessions that have replaced the session. found says
// that there is a record with the id.
func (s *Store) successors(ctx context.Context, id string) (ids []string, found bool, err error) {
	ids = []string{id}
	for i := 0; i < len(ids) && i < maxRenewals; i++ {
		_, err := s.load(ctx, ids[i])
		renewed := asRenewed(err)
		missing := renewed == nil && errors.Is(err, driver.ErrNotFound)
		if i == 0 {
			found = !missing
		}
		switch {
		case renewed != nil:
			for _, next := range renewed.next {
				if next.why != byMerge && !slices.Contains(ids, next.id) {
					ids = append(ids, next.id)
				}
			}
		case err != nil && !missing && !unreadable(err):
			return nil, false, err
		}
	}
	return ids, found, nil
}

// destroySessionsOf destroys the sessions of the user with the hash. One listing is enough: it has
// every session that is older than the call, or the tombstone that leads to its successor.
func (s *Store) destroySessionsOf(ctx context.Context, user string,
	except []string) (destroyed int, err error) {
	var listed []driver.Record
	var failed error // of the listing; what it has found ends all the same
	for rec, err := range s.recordsOf(ctx, user) {
		if err != nil {
			failed = err
			break
		}
		if _, isTombstone := tombstoneOf(rec.Data); !isTombstone {
			rec.Data = nil
		}
		listed = append(listed, rec)
	}
	// After the listing, which may have the successor of a session that is kept.
	kept, err := s.keptBy(ctx, except)
	if err != nil {
		return 0, err
	}
	// Sessions first, and then the latest tombstones, so that no long chain is followed to its end.
	slices.SortStableFunc(listed, func(a, b driver.Record) int {
		if (a.Data == nil) != (b.Data == nil) {
			return cmp.Compare(len(a.Data), len(b.Data))
		}
		return b.Updated.Compare(a.Updated)
	})
	e := ending{store: s, user: user, kept: kept}
	for _, rec := range listed {
		if slices.Contains(kept, rec.ID) {
			continue
		}
		e.steps = 0
		if _, err := e.end(ctx, rec); err != nil {
			return e.found, err
		}
	}
	return e.found, failed
}

// recordsOf yields each live record of the user with the given hash once. These include tombstones,
// and records that cannot be opened, which have no data. It checks the user in the session itself,
// since an index may be wrong.
func (s *Store) recordsOf(ctx context.Context, want string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		records, err := s.candidates(ctx, want)
		if err != nil {
			yield(driver.Record{}, err)
			return
		}
		seen := make(map[string]bool)
		for rec, err := range records {
			if err != nil {
				yield(driver.Record{}, err)
				return
			}
			if seen[rec.ID] || !rec.Expiry.After(s.opts.Now()) {
				continue
			}
			err := s.open(&rec)
			if s.ownerOf(rec, err) != want {
				continue
			}
			seen[rec.ID] = true
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// ownerOf returns the hash of the user of a record, given the error of opening it. If it cannot be
// read, the backend's word must do: signing out everywhere must end the session.
func (s *Store) ownerOf(rec driver.Record, err error) string {
	if err == nil {
		err = s.readable(rec)
	}
	if err != nil {
		return rec.User
	}
	user, err := s.userOf(rec.Data)
	if err != nil { // no session with such a user can be saved
		return ""
	}
	return user
}

// indexedUser returns driver.Record.User for a user.
func (s *Store) indexedUser(user string) (string, error) {
	switch {
	case s.opts.UserKey == "":
		return "", ErrNoUserKey
	case user == "":
		return "", errors.New("the user is empty: pass the value under Options.UserKey")
	}
	return hash(user), nil
}

// candidates returns records that include all of the user's.
func (s *Store) candidates(ctx context.Context,
	user string) (iter.Seq2[driver.Record, error], error) {
	if i, ok := driver.As[driver.UserIndex](s.driver); ok {
		return i.RangeUser(ctx, user), nil
	}
	if r, ok := driver.As[driver.Ranger](s.driver); ok {
		return r.Range(ctx), nil
	}
	return nil, fmt.Errorf("%T cannot list sessions: use a store that can, such as one for a "+
		"database: %w", s.backend(), errors.ErrUnsupported)
}

// userOf returns driver.Record.User for an encoded session. It is empty if the session has no user,
// if Options.UserKey is empty, and for data that does not decode, which a Store accepts.
func (s *Store) userOf(data []byte) (string, error) {
	if s.opts.UserKey == "" {
		return "", nil
	}
	if t, isTombstone := tombstoneOf(data); isTombstone {
		return t.user, nil
	}
	v, err := s.codec.pick(data, s.opts.UserKey)
	if err != nil {
		return "", nil //nolint:nilerr // see above
	}
	return s.userIn(v)
}

// userIn returns driver.Record.User for the value under Options.UserKey.
func (s *Store) userIn(v any) (string, error) {
	var user string
	switch v := v.(type) {
	case nil:
	case string:
		user = v
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		user = fmt.Sprint(v)
	case Unknown:
		return "", fmt.Errorf("the user, under the key of Options.UserKey, is %v: it must be a string "+
			"or an integer", v)
	default:
		return "", fmt.Errorf("the user, under the key of Options.UserKey, is a %T: it must be a "+
			"string or an integer", v)
	}
	if user == "" {
		return "", nil
	}
	return hash(user), nil
}
