package scskit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/signin"
)

// ErrTooManySessions is returned by SignIn if the user has SignInOptions.MaxSessions other
// sessions.
var ErrTooManySessions = errors.New("scskit: the user has too many sessions: end one first, for " +
	"example with DestroySessionsOf")

// ErrNotFresh is returned by RequireFresh if the user must authenticate again.
var ErrNotFresh = errors.New("scskit: the sign-in is too long ago: ask for the password again, " +
	"and call SignIn")

// SignInOptions are what SignIn notes and limits. A nil *SignInOptions and the zero value sign the
// user in with the manager's settings, and note only the time.
//
// If the session belongs to the user already, so that SignIn only renews it, a field with its zero
// value keeps what the session has.
type SignInOptions struct {
	// Label is a name for the session, such as "Work laptop". UserAgent and Address say where the user
	// signs in from. Leave out what you may not keep. UserSession shows them, for a page that lists
	// the user's sessions. They come from the client: a page must escape them, and they prove nothing.
	// SignIn removes control characters, and cuts Label after 100 bytes, UserAgent after 256 and
	// Address after 64, between characters.
	Label, UserAgent, Address string

	// RememberMe makes the cookie outlive the browser, if the manager's Cookie.Persist is false. See
	// SessionManager.RememberMe.
	RememberMe bool

	// IdleTimeout gives the session an idle timeout of its own. See SetIdleTimeout.
	IdleTimeout time.Duration

	// Lifetime gives the session a deadline of its own, in place of the manager's Lifetime, such as 30
	// days for a session that is remembered. It counts anew from each SignIn. RenewToken gives the
	// session the manager's Lifetime again; adapters.RenewEvery keeps the deadline.
	Lifetime time.Duration

	// Discard drops what the visitor had put into the session before the sign-in. By default it stays,
	// such as a cart.
	Discard bool

	// MaxSessions is the number of sessions that the user may have, including this one. Zero means no
	// limit. The session that is signed in does not count as another. With a limit, SignIn looks up
	// the user's sessions as SessionsOf does, at its cost.
	//
	// Sign-ins at the same moment do not see each other, nor does an index that lags see them. The
	// user may then have more sessions, until the next sign-in.
	MaxSessions int

	// EndOldest says what happens at the limit. If it is false, SignIn fails with ErrTooManySessions.
	// If it is true, SignIn ends the sessions of the user that were signed in first, as many as are
	// too many. They have ended even if the request fails afterwards.
	EndOldest bool
}

// SignIn makes the session in ctx a session of user. Call it when the user has authenticated, and
// pass the id of the user, a string or an integer. The session then has the user under
// Options.UserKey, as the basic type: a UserID declared as int64 becomes an int64.
//
// SignIn renews the token, so that one which an attacker has planted before never opens the session
// (session fixation, OWASP Session Management Cheat Sheet). If the session belonged to another
// user, it ends first, and nothing of it survives, not even what a concurrent request stores. The
// session gets a new deadline, as with RenewToken. SignIn notes the time, for RequireFresh, under a
// session key of its own, "__signIn".
//
// Call SignIn again for the same user when the user has authenticated again. It then renews the
// token and the time, and keeps all else.
//
// The sign-in takes effect at the commit, and not at all if the commit fails; an adapter then
// answers with an error. If SignIn returns an error, it has signed nobody in. The error matches
// ErrNoUserKey, ErrTooManySessions, ErrLate, one of the backend, or errors.ErrUnsupported if there
// is a limit and the backend cannot list sessions.
func SignIn[U ~string | ~int | ~int8 | ~int16 | ~int32 | ~int64 |
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](
	ctx context.Context, sm *scs.SessionManager, user U, opts *SignInOptions) error {
	if opts == nil {
		opts = &SignInOptions{}
	}
	if err := signIn(ctx, sm, basic(user), opts); err != nil {
		return failed("sign in", err)
	}
	return nil
}

func signIn(ctx context.Context, sm *scs.SessionManager, user any, opts *SignInOptions) error {
	s, err := storeOf(sm)
	if err != nil {
		return err
	}
	name := fmt.Sprint(user)
	switch {
	case s.opts.UserKey == "":
		return ErrNoUserKey
	case name == "":
		return errors.New("the user is empty: pass the user's id")
	case opts.IdleTimeout < 0 || opts.Lifetime < 0 || opts.MaxSessions < 0:
		return fmt.Errorf("SignInOptions.IdleTimeout is %v, Lifetime is %v and MaxSessions is %d: they "+
			"must not be negative", opts.IdleTimeout, opts.Lifetime, opts.MaxSessions)
	}
	id, token := hash(name), sm.Token(ctx)
	if trackerFrom(ctx).late(s, token) {
		return ErrLate // before anything ends
	}
	if opts.MaxSessions > 0 {
		if err := s.limitSessions(ctx, id, token, opts); err != nil {
			return err
		}
	}
	facts, whose := s.belongsTo(ctx, sm, id)
	if whose == anothers || whose == nobodys && opts.Discard {
		// Destroy, not Clear: the commit of a renewed session merges what others store meanwhile.
		if err := sm.Destroy(ctx); err != nil {
			return err
		}
	}
	if err := sm.RenewToken(ctx); err != nil {
		return err
	}
	facts.User, facts.At = id[:factsUserLength], s.opts.Now()
	facts.Label = cmp.Or(opts.Label, facts.Label)
	facts.UserAgent = cmp.Or(opts.UserAgent, facts.UserAgent)
	facts.Address = cmp.Or(opts.Address, facts.Address)
	facts.Idle = cmp.Or(opts.IdleTimeout, facts.Idle)
	if facts.Life = cmp.Or(opts.Lifetime, facts.Life); facts.Life > 0 {
		sm.SetDeadline(ctx, s.opts.Now().Add(facts.Life))
	}
	sm.Put(ctx, s.opts.UserKey, user)
	putFacts(ctx, sm, &facts)
	if opts.RememberMe {
		sm.RememberMe(ctx, true)
	}
	if whose == theirs { // the user has not changed, and must not lose against a concurrent change
		Overwrite(ctx, s.opts.UserKey)
	}
	return nil
}

// ownership says whose a session is, from the view of a user.
type ownership uint8

const (
	nobodys  ownership = iota
	theirs             // the user's
	anothers           // another user's, or it has been
)

// belongsTo says whose the session in ctx is, from the view of the user with the hash. If it is
// theirs, belongsTo returns its facts too.
func (s *Store) belongsTo(ctx context.Context, sm *scs.SessionManager,
	user string) (signin.Facts, ownership) {
	value := sm.Get(ctx, signin.Key)
	facts, _ := signin.Parse(value)
	switch now, err := s.userIn(sm.Get(ctx, s.opts.UserKey)); {
	case err != nil || now != "" && now != user,
		facts.User != "" && facts.User != user[:factsUserLength]:
		return signin.Facts{}, anothers
	case now == "":
		return signin.Facts{}, nobodys
	}
	return facts, theirs
}

// SignOut ends the session in ctx: it deletes the session at once, and the adapter expires the
// cookie. A request that is still running does not bring the session back. SignOut is
// SessionManager.Destroy; what is put into the session afterwards begins a new one. To sign the
// user out on all devices, call Store.DestroySessionsOf.
func SignOut(ctx context.Context, sm *scs.SessionManager) error {
	if err := sm.Destroy(ctx); err != nil {
		return failed("sign out", err)
	}
	return nil
}

// RequireFresh returns nil if the user of the session in ctx has authenticated within maxAge: that
// is, if SignIn was called for the user that the session has now, less than maxAge ago. Call it
// before a sensitive action, such as a change of the password or a payment (OWASP Authentication
// Cheat Sheet). Otherwise it returns ErrNotFresh: ask the user to authenticate, and call SignIn
// again. A session without a user, or with one that was put there in another way, is never fresh.
//
// The clock is Options.Now. Other errors mean that the manager's store is not a *Store, or match
// ErrNoUserKey.
func RequireFresh(ctx context.Context, sm *scs.SessionManager, maxAge time.Duration) error {
	s, err := storeOf(sm)
	if err == nil && s.opts.UserKey == "" {
		err = ErrNoUserKey
	}
	if err != nil {
		return fmt.Errorf("scskit: require a fresh sign-in: %w", err)
	}
	user, err := s.userIn(sm.Get(ctx, s.opts.UserKey))
	if err != nil || user == "" {
		return ErrNotFresh
	}
	facts := factsOf(sm.Get(ctx, signin.Key), user)
	age := s.opts.Now().Sub(facts.At)
	if facts.At.IsZero() || age >= maxAge || age < -maxClockError {
		return ErrNotFresh
	}
	return nil
}

// maxClockError is by how much the clock of the process that signed a user in may be ahead.
const maxClockError = time.Minute

// factsUserLength is how much of a user's hash the facts hold, which is enough to tell users apart.
const factsUserLength = 16

// factsOf returns the facts in a session value if they are about the user with the hash. All but
// the idle timeout is about a user.
func factsOf(value any, user string) signin.Facts {
	facts, _ := signin.Parse(value)
	if len(user) < factsUserLength || facts.User != user[:factsUserLength] {
		return signin.Facts{Idle: facts.Idle}
	}
	return facts
}

// limitSessions makes room for one more session of the user with the hash.
func (s *Store) limitSessions(ctx context.Context, user, token string, opts *SignInOptions) error {
	kept, err := s.keptBy(ctx, []string{token})
	if err != nil {
		return err
	}
	type other struct {
		id      string
		version int64
		since   time.Time
	}
	var others []other
	for rec, err := range s.recordsOf(ctx, user) {
		if err != nil {
			return err
		}
		if _, isTombstone := tombstoneOf(rec.Data); isTombstone || slices.Contains(kept, rec.ID) {
			continue
		}
		value, _ := s.codec.pick(rec.Data, signin.Key)
		since := factsOf(value, user).At
		if since.IsZero() {
			since = rec.Created
		}
		others = append(others, other{rec.ID, rec.Version, since})
	}
	extra := len(others) - (opts.MaxSessions - 1)
	if extra <= 0 {
		return nil
	}
	if !opts.EndOldest {
		return ErrTooManySessions
	}
	slices.SortStableFunc(others, func(a, b other) int { return a.since.Compare(b.since) })
	e := ending{store: s, user: user, kept: kept}
	for _, o := range others[:extra] {
		e.steps = 0
		if _, err := e.end(ctx, driver.Record{ID: o.id, Version: o.version}); err != nil {
			return err
		}
	}
	return nil
}

// basic returns a string or an integer as its basic type, which every codec can encode.
func basic(user any) any {
	v := reflect.ValueOf(user)
	for _, t := range []any{"", 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0),
		uint32(0), uint64(0)} {
		if t := reflect.TypeOf(t); t.Kind() == v.Kind() {
			return v.Convert(t).Interface()
		}
	}
	return user // unreachable: SignIn accepts no other kinds
}
