package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableUserChecks cover Options.UserKey and Store.SessionsOf. An index may lag: checks wait for
// sessions that it must find, but fail at once on a session that it must not find.
var portableUserChecks = []check{
	{"user/sessions-of", LevelPortable, userSessionsOf,
		"Store.SessionsOf: yields the live sessions of the user, each once and whole, and no others"},
	{"user/follows-change", LevelPortable, userFollowsChange,
		"Store.SessionsOf: follows a sign-in, a change of the user and a " +
			"sign-out, also through a merge"},
	{"user/integers", LevelPortable, userIntegers,
		"Options.UserKey: an integer is the same user as the string of its digits, and " +
			"any other type fails the commit"},
	{"user/needs-key", LevelPortable, userNeedsKey,
		"ErrNoUserKey: without Options.UserKey the store does not guess the user"},
	{"user/hides-names", LevelPortable, userHidesNames,
		"no id, Record.User, event or error holds the name of a user"},
}

// newUserPortable returns a store over a fresh driver of the subject. There is no tap, because it
// would hide the index.
func (t *checkT) newUserPortable(opts scskit.Options) portable {
	t.Helper()
	s, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	return t.portableOver(s.Driver(), &opts)
}

func (t *checkT) userPortable() portable {
	t.Helper()
	return t.newUserPortable(scskit.Options{UserKey: "user"})
}

// sessionsOf returns the sessions of the user by their ids.
func (t *checkT) sessionsOf(s portable, user string) map[string]scskit.UserSession {
	t.Helper()
	all := make(map[string]scskit.UserSession)
	for session, err := range s.SessionsOf(t.Context(), user) {
		if errors.Is(err, errors.ErrUnsupported) {
			t.notApplicable("the store cannot list its sessions")
		}
		if err != nil {
			t.Fatalf("sessions of a user: %v", err)
		}
		if _, again := all[session.ID]; again {
			t.Fatal("sessions of a user: got a session twice")
		}
		all[session.ID] = session
	}
	return all
}

// wantSessions ends the check unless the user soon has the sessions of these tokens, and never any
// other.
func (t *checkT) wantSessions(
	s portable, user string, tokens ...string,
) map[string]scskit.UserSession {
	t.Helper()
	var all map[string]scskit.UserSession
	t.soon(fmt.Sprintf("the user has %d sessions", len(tokens)), func() bool {
		all = t.sessionsOf(s, user)
		for id := range all {
			if !slices.ContainsFunc(tokens, func(token string) bool { return idOf(token) == id }) {
				t.Fatal("sessions of a user: got a session that is not, or no longer, the user's")
			}
		}
		return len(all) == len(tokens)
	})
	return all
}

func userSessionsOf(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	tokens := make(map[string][]string)
	for i := range 12 {
		user := []string{"alice", "bob", "ALICE", ""}[i%4]
		pairs := []any{"n", i}
		if user != "" {
			pairs = append(pairs, "user", user)
		}
		tokens[user] = append(tokens[user], t.begin(sm, pairs...))
	}
	t.commit(s, newToken(), t.encode(map[string]any{"user": ""}), in(lifetime))
	t.commit(s, newToken(), t.encode(map[string]any{"name": "alice"}), in(lifetime))
	t.commit(s, newToken(), []byte("what does not decode is nobody's: alice"), in(lifetime))
	deleted, expired := newToken(), newToken()
	for _, token := range []string{deleted, expired} {
		t.commit(s, token, t.encode(map[string]any{"user": "alice"}), in(t.short()))
	}
	t.remove(s, deleted)
	t.until(in(t.short()+2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, expired) })

	t.wantSessions(s, "carol")
	t.wantSessions(s, "bob", tokens["bob"]...)
	t.wantSessions(s, "ALICE", tokens["ALICE"]...)
	var numbers []int
	for _, session := range t.wantSessions(s, "alice", tokens["alice"]...) {
		n, _ := session.Values["n"].(int)
		numbers = append(numbers, n)
		if len(session.Values) != 2 || session.Values["user"] != "alice" {
			t.Errorf("a session of alice holds %v", session.Values)
		}
		for what, at := range map[string]time.Time{"created": session.Created, "updated": session.Updated,
			"deadline": session.Deadline.Add(-lifetime), "expiry": session.Expiry.Add(-lifetime)} {
			if time.Since(at).Abs() > time.Minute {
				t.Errorf("%s differs by %v from the expected time", what, time.Since(at))
			}
		}
		if _, found := t.find(s, session.Key); !found {
			t.Error("the key does not find the session")
		}
	}
	if slices.Sort(numbers); !slices.Equal(numbers, []int{0, 4, 8}) {
		t.Errorf("alice's sessions hold %v, want 0, 4 and 8", numbers)
	}
	for _, err := range s.SessionsOf(t.Context(), "alice") {
		if err != nil {
			t.Errorf("sessions of a user, with a break: %v", err)
		}
		break
	}
	for _, err := range s.SessionsOf(t.Context(), "") {
		if err == nil {
			t.Error("sessions of the empty user: got no error")
		}
	}
}

func userFollowsChange(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	t.wantSessions(s, "alice")
	change := func(f func(r *request), meanwhile ...func(r *request)) {
		t.Helper()
		r := t.request(sm, token)
		f(r)
		for _, other := range meanwhile {
			o := t.request(sm, token)
			other(o)
			o.end()
		}
		if _, state := r.end(); state != scskit.CommitStored {
			t.Fatalf("commit: state %d, want Stored", state)
		}
	}
	be := func(user string) func(r *request) {
		return func(r *request) { r.sm.Put(r.ctx, "user", user) }
	}
	put := func(r *request) { r.sm.Put(r.ctx, newToken(), 1) }

	change(be("alice"))
	t.wantSessions(s, "alice", token)
	change(put)
	t.wantSessions(s, "alice", token)
	change(be("bob"))
	t.wantSessions(s, "bob", token)
	t.wantSessions(s, "alice")
	change(func(r *request) { r.sm.Remove(r.ctx, "user") })
	t.wantSessions(s, "bob")

	change(be("alice"), put) // the sign-in merges
	t.wantSessions(s, "alice", token)
	change(put, be("bob")) // the merge keeps the other request's sign-in
	t.wantSessions(s, "bob", token)
	t.wantSessions(s, "alice")
	change(put, func(r *request) { r.sm.Remove(r.ctx, "user") })
	t.wantSessions(s, "bob")
}

func userIntegers(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	tokens := []string{t.begin(sm, "user", 42), t.begin(sm, "user", int64(42)),
		t.begin(sm, "user", uint8(42)), t.begin(sm, "user", "42")}
	t.begin(sm, "user", 4)
	t.wantSessions(s, "42", tokens...)
	for _, v := range []any{4.2, true, []string{"42"}, time.Duration(42)} {
		r := t.request(sm, tokens[0])
		sm.Put(r.ctx, "user", v)
		if _, _, err := sm.Commit(r.ctx); err == nil {
			t.Errorf("commit of a user that is a %T: got no error", v)
		}
	}
	t.wantSessions(s, "42", tokens...)
}

func userNeedsKey(t *checkT) {
	s := t.newUserPortable(scskit.Options{})
	token := t.begin(manager(s), "user", "alice")
	n := 0
	for _, err := range s.SessionsOf(t.Context(), "alice") {
		n++
		if !errors.Is(err, scskit.ErrNoUserKey) {
			t.Errorf("sessions of a user: got error %v, want ErrNoUserKey", err)
		}
	}
	if n != 1 {
		t.Errorf("sessions of a user: yielded %d times, want 1", n)
	}
	if n, err := s.DestroySessionsOf(t.Context(), "alice"); n != 0 ||
		!errors.Is(err, scskit.ErrNoUserKey) {
		t.Errorf("destroy: %d, %v, want ErrNoUserKey", n, err)
	}
	if t.gone(s, token) {
		t.Error("a session was destroyed without a user key")
	}
}

// listener is a driver that records ids and users, and whose Range can fail.
type listener struct {
	driver.Driver
	mu   sync.Mutex
	seen []string
	fail error
}

func (l *listener) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	l.note(rec.ID, rec.User)
	return l.Driver.Save(ctx, rec, cond)
}

func (l *listener) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	l.note(user)
	return l.Range(ctx)
}

// Range implements driver.Ranger for a driver that does, or wraps one.
func (l *listener) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	if l.fail != nil {
		return func(yield func(driver.Record, error) bool) { yield(driver.Record{}, l.fail) }
	}
	ranger, _ := driver.As[driver.Ranger](l.Driver)
	return ranger.Range(ctx)
}

func (l *listener) note(seen ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, seen...)
}

func userHidesNames(t *checkT) {
	const name = "alice.liddell"
	first, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	if _, ok := driver.As[driver.Ranger](first.Driver()); !ok {
		t.notApplicable("the store cannot list its sessions")
	}
	l := &listener{Driver: first.Driver()}
	s := t.portableOver(l, &scskit.Options{UserKey: "user",
		Observer: func(_ context.Context, e scskit.Event) { l.note(fmt.Sprintf("%+v", e)) }})
	sm := manager(s)
	token := t.begin(sm, "user", name)
	t.wantSessions(s, name, token)
	r := t.request(sm, token)
	sm.Put(r.ctx, "user", []string{name})
	_, _, err := sm.Commit(r.ctx)
	if err == nil {
		t.Error("commit of a user that is a list: got no error")
	}
	l.note(fmt.Sprint(err))
	for _, session := range t.sessionsOf(s, name) {
		l.note(session.ID, session.Key)
	}
	l.fail = errDown
	for _, err := range s.SessionsOf(t.Context(), name) {
		if !errors.Is(err, errDown) {
			t.Errorf("sessions of a user, with a failing index: got error %v, want the backend's", err)
		}
		l.note(fmt.Sprint(err))
	}
	_, err = s.DestroySessionsOf(t.Context(), name)
	l.note(fmt.Sprint(err))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seen := range l.seen {
		if strings.Contains(seen, name) {
			t.Fatal("the name of a user is in an id, a record, an event or an error")
		}
	}
}
