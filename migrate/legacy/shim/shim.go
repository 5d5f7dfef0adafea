// Package shim lets an application that is written for gorilla/sessions, gin-contrib/sessions or
// echo-contrib/session use a manager of scskit without a change of its handlers. A Store is a
// sessions.Store of gorilla:
//
//	store := shim.New(shim.Managers{"app": manager}, nil)
//	server.Handler = scshttp.LoadAndSave(manager)(handlers)
//
// Handlers call store.Get, session.Values, session.AddFlash, session.Save and sessions.Save as
// before. The section "Without changing the call sites" of docs/moving.md in the repository shows
// all of it.
//
// # What is kept
//
// The sessions keep the promises of scskit, since Save does not write a session as a whole. It puts
// into the manager's session what the handler has changed in Values since Get, key by key. The
// middleware stores that before the response begins, and merges it with what other requests have
// stored. So requests that change different keys lose nothing, and a session that was destroyed
// does not come back.
//
// # Sign-in and sign-out
//
// If a handler puts a user into Values, under the UserKey of the manager's store, Save calls
// scskit.SignIn, so that the session gets a new token. A handler may also call it, with the context
// of the request. A Save with a negative Options.MaxAge is scskit.SignOut. Removing the user from
// Values is not: the session then goes on without a user.
//
// # What differs
//
//   - Save reports only its own errors. If the session cannot be stored afterwards, the middleware
//     replaces the response by an error.
//   - Keys of Values that are not strings must be named in Options.Keys.
//   - Values are the session as it was at the first Get of a request, with the handler's changes.
//     What the request puts into the manager's session in another way is not in them, and stays.
//     So do the notes of scskit.SignIn and of RememberMe.
//   - The ID is a hash of the token. A handler that sets it to "", to get a new one, renews the
//     token.
//   - Of a session's Options, only MaxAge has an effect. If it is not what the session had, Save
//     sets the deadline, which stays with the session. Path, Domain, Secure, HttpOnly and SameSite
//     are settings of the manager's Cookie: one response cannot change them, as a later one may
//     have to send the cookie again.
package shim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/signin"
)

// Managers are the managers of an application's sessions, by the names that handlers pass to Get.
// Each name needs a manager of its own, with another name of the cookie and another store, such as
// one with another prefix or table. One manager for several names would not do: to destroy one
// session would be to destroy all.
type Managers map[string]*scs.SessionManager

// Options are the options of New. A nil *Options and the zero value are ready to use.
type Options struct {
	// Keys are the keys of Values that are not strings, such as a constant of a type of the
	// application's own. In the manager's session they have the names that legacy.StringKeys gives
	// them, such as "main.key:user". A session with another such key cannot be saved.
	Keys []any
}

// Store is a sessions.Store of gorilla/sessions over managers. It is safe for concurrent use; as
// with gorilla's stores, a session is for one goroutine at a time.
type Store struct {
	managers Managers
	keys     map[string]any // the keys that are not strings, by their names

	// states has a *state for each session that New has made. The pointers are weak: a state is
	// removed when its session is no longer in use.
	states sync.Map
}

var _ sessions.Store = (*Store)(nil)

// New returns a store over managers. A request must pass through LoadAndSave of an adapter for each
// manager before it uses the store. With adapters.Lazy, a session costs nothing in requests that do
// not Get it.
//
// New panics if there is no manager, if two names have the same one, or if a key in the Options is
// unusable.
func New(managers Managers, opts *Options) *Store {
	s := &Store{managers: maps.Clone(managers), keys: make(map[string]any)}
	if len(managers) == 0 {
		panic("shim: there are no managers: pass one for each name of a session")
	}
	names := make(map[*scs.SessionManager]string)
	for name, sm := range managers {
		if sm == nil {
			panic(fmt.Sprintf("shim: the manager for %q is nil", name))
		}
		if other, ok := names[sm]; ok {
			panic(fmt.Sprintf("shim: %q and %q have the same manager: each needs its own", name, other))
		}
		names[sm] = name
	}
	if opts != nil {
		for _, key := range opts.Keys {
			s.addKey(key)
		}
	}
	return s
}

// Get returns the session with the name, the same one at each call in a request. It is an error if
// there is no manager for the name, or if the request did not pass through LoadAndSave. The session
// is not nil then, but its Save returns the error too.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(within{s, r}, name)
}

// New returns a session with the name, and with the values of the manager's session. Each call
// returns another one. Errors are those of Get.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(within{s, r}, name)
	session.IsNew = true
	st := &state{}
	if st.err = s.load(r, session, st); st.err != nil {
		st.err = fmt.Errorf("shim: load session %q: %w", name, st.err)
	}
	key := weak.Make(session)
	s.states.Store(key, st)
	runtime.AddCleanup(session, func(key weak.Pointer[sessions.Session]) { s.states.Delete(key) }, key)
	return session, st.err
}

// state is what a Store knows about a session. It does not lead to the session or its request, or
// neither would ever be collected.
type state struct {
	err    error  // of New
	id     string // the session's ID
	maxAge int    // the MaxAge of its Options
	base   []byte // its Values, encoded by the manager's Codec
}

func (s *Store) load(r *http.Request, session *sessions.Session, st *state) error {
	sm, err := s.manager(r.Context(), session.Name())
	if err != nil {
		return err
	}
	ctx := r.Context()
	values := make(map[string]any)
	for _, key := range sm.Keys(ctx) {
		if key != signin.Key && key != rememberMe { // a handler that clears the session keeps them
			values[key] = sm.Get(ctx, key)
		}
	}
	if st.base, err = sm.Codec.Encode(time.Time{}, values); err != nil {
		return err
	}
	// The session gets copies: a change inside a value must not reach the manager without Save.
	if _, values, err = sm.Codec.Decode(st.base); err != nil {
		return err
	}
	for name, value := range values {
		session.Values[s.key(name)] = value
	}
	c := sm.Cookie
	session.Options = &sessions.Options{
		Path: c.Path, Domain: c.Domain, Secure: c.Secure, HttpOnly: c.HttpOnly, SameSite: c.SameSite,
	}
	if c.Persist || sm.GetBool(ctx, rememberMe) {
		session.Options.MaxAge = int(sm.Lifetime / time.Second)
	}
	session.ID = idOf(ctx, sm)
	session.IsNew = session.ID == ""
	st.id, st.maxAge = session.ID, session.Options.MaxAge
	return nil
}

// rememberMe is the key of SessionManager.RememberMe.
const rememberMe = "__rememberMe"

// manager returns the manager of a session, if ctx has one of its sessions.
func (s *Store) manager(ctx context.Context, name string) (*scs.SessionManager, error) {
	sm := s.managers[name]
	switch {
	case sm == nil:
		return nil, errors.New("there is no manager for this name: pass one to shim.New")
	case !adapters.HasSession(ctx, sm):
		return nil, errors.New("the request has no session: use the store inside LoadAndSave of the " +
			"manager's adapter")
	}
	return sm, nil
}

// idOf returns a name for the session that may be shown, or "" for a new session.
func idOf(ctx context.Context, sm *scs.SessionManager) string {
	token := sm.Token(ctx)
	if token == "" {
		return ""
	}
	return scskit.HashToken(token)
}

// within is the store of a session. It has the request of Get or New. gorilla's registry calls the
// store with the first request that had a registry, which may be one outside LoadAndSave.
type within struct {
	*Store
	r *http.Request
}

func (w within) New(r *http.Request, name string) (*sessions.Session, error) {
	return w.Store.New(w.inside(r, name), name)
}

func (w within) Save(r *http.Request, rw http.ResponseWriter, session *sessions.Session) error {
	return w.Store.Save(w.inside(r, session.Name()), rw, session)
}

func (w within) inside(r *http.Request, name string) *http.Request {
	if r != nil {
		if _, err := w.manager(r.Context(), name); err == nil {
			return r
		}
	}
	return w.r
}
