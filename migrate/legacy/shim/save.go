package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"time"
	"weak"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/codec"
	"github.com/scskit/scskit/internal/tracking"
)

// ErrLate is returned by Save if the session has changed, but the response has begun, so that the
// session is stored already.
var ErrLate = errors.New("the response has begun, and the changes are lost: save before the " +
	"first write or flush")

// Save puts what has changed in the session since Get, New or the last Save into the manager's
// session. The middleware stores it. Save does not use the ResponseWriter, which may be nil.
//
// A value has changed if it is not equal to the one that the session had. To put an equal one, so
// that it wins against a concurrent request, call Put of the manager and scskit.Overwrite.
//
// If the Options have a negative MaxAge, Save destroys the manager's session, at once. Otherwise it
// puts all changes or returns an error and puts none. The error matches ErrLate, ErrEncode of
// scskit for a value that cannot be stored, or one of Get, SignIn or RenewToken.
func (s *Store) Save(r *http.Request, _ http.ResponseWriter, session *sessions.Session) error {
	found, ok := s.states.Load(weak.Make(session))
	if !ok {
		return fmt.Errorf("shim: save session %q: it is not from this store: use Get or New",
			session.Name())
	}
	st := found.(*state)
	if st.err != nil {
		return st.err
	}
	sm, err := s.manager(r.Context(), session.Name())
	if err == nil {
		err = s.save(r.Context(), sm, session, st)
	}
	if err != nil {
		return fmt.Errorf("shim: save session %q: %w", session.Name(), err)
	}
	return nil
}

func (s *Store) save(
	ctx context.Context, sm *scs.SessionManager, session *sessions.Session, st *state,
) error {
	maxAge := st.maxAge
	if session.Options != nil {
		maxAge = session.Options.MaxAge
	}
	if maxAge < 0 {
		if st.maxAge >= 0 { // the request may have a new session since the last Save
			if err := scskit.SignOut(ctx, sm); err != nil {
				return err
			}
		}
		// The values of the destroyed session do not come back, but the handler may put equal ones into
		// the next.
		clear(session.Values)
		var err error
		if st.base, err = s.encode(sm, session); err != nil {
			return err
		}
		st.maxAge, st.id, session.ID = maxAge, "", ""
		return nil
	}
	after, err := s.encode(sm, session)
	if err != nil {
		return err
	}
	c, err := compare(sm, st.base, after)
	if err != nil {
		return err
	}
	c.renew = session.ID == "" && st.id != ""
	c.deadline = maxAge != st.maxAge && maxAge > 0
	c.remember = maxAge != st.maxAge && !sm.Cookie.Persist
	if c.any() {
		if t := tracking.From(ctx); t != nil && t.Began() {
			return ErrLate
		}
		if err := c.apply(ctx, sm, maxAge); err != nil {
			return err
		}
	}
	st.base, st.maxAge, st.id = after, maxAge, idOf(ctx, sm)
	session.ID = st.id
	return nil
}

// encode returns the Values of a session as the manager's session would have them.
func (s *Store) encode(sm *scs.SessionManager, session *sessions.Session) ([]byte, error) {
	values, err := s.strings(session.Values)
	if err != nil {
		return nil, err
	}
	return sm.Codec.Encode(time.Time{}, values)
}

// changes are what a handler has changed in a session.
type changes struct {
	put     map[string]any
	removed []string

	renew, deadline, remember bool
}

func (c *changes) any() bool {
	return len(c.put)+len(c.removed) > 0 || c.renew || c.deadline || c.remember
}

// compare returns the values that differ. They are copies of those in the session.
func compare(sm *scs.SessionManager, before, after []byte) (*changes, error) {
	c := &changes{put: make(map[string]any)}
	if bytes.Equal(before, after) {
		return c, nil
	}
	_, was, err := sm.Codec.Decode(before)
	if err != nil {
		return nil, err
	}
	_, is, err := sm.Codec.Decode(after)
	if err != nil {
		return nil, err
	}
	for key, value := range is {
		if old, ok := was[key]; !ok || !codec.Equal(value, old) {
			c.put[key] = value
		}
	}
	for key := range was {
		if _, ok := is[key]; !ok {
			c.removed = append(c.removed, key)
		}
	}
	return c, nil
}

func (c *changes) apply(ctx context.Context, sm *scs.SessionManager, maxAge int) error {
	signedIn, err := c.signIn(ctx, sm)
	if err == nil && c.renew && !signedIn {
		err = sm.RenewToken(ctx)
	}
	if err != nil {
		return err
	}
	for key, value := range c.put {
		sm.Put(ctx, key, value)
	}
	for _, key := range c.removed {
		sm.Remove(ctx, key)
	}
	if c.deadline {
		const longest = math.MaxInt64 / int64(time.Second)
		life := time.Duration(min(int64(maxAge), longest)) * time.Second
		sm.SetDeadline(ctx, time.Now().Add(life))
	}
	if c.remember {
		sm.RememberMe(ctx, maxAge > 0)
	}
	return nil
}

// signIn signs the user in whom the handler has put into the session, if it has.
func (c *changes) signIn(ctx context.Context, sm *scs.SessionManager) (bool, error) {
	store, ok := scskit.StoreOf(sm.Store)
	if !ok || store.UserKey() == "" {
		return false, nil
	}
	user := reflect.ValueOf(c.put[store.UserKey()])
	switch {
	case !user.IsValid(), user.Kind() == reflect.String && user.Len() == 0:
		return false, nil // nobody
	case user.Kind() == reflect.String:
		return true, scskit.SignIn(ctx, sm, user.String(), nil)
	case user.CanInt():
		return true, scskit.SignIn(ctx, sm, user.Int(), nil)
	case user.CanUint():
		return true, scskit.SignIn(ctx, sm, user.Uint(), nil)
	}
	return false, fmt.Errorf("the user under %q is a %s: it must be a string or an integer",
		store.UserKey(), user.Type())
}
