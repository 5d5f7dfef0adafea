package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// portableSignInChecks cover scskit.SignIn, RequireFresh and the limit of sessions.
var portableSignInChecks = []check{
	{"signin/renews", LevelPortable, signInRenews,
		"OWASP session fixation: a token from before the sign-in never opens the signed-in session, " +
			"and nothing that is stored under it later gets in; the visitor's values stay"},
	{"signin/facts", LevelPortable, signInFacts,
		"Store.SessionsOf shows when and from where a user signed in, in texts of limited length"},
	{"signin/other-user", LevelPortable, signInOtherUser,
		"nothing of a session gets to another user who signs in with it, not even what a concurrent " +
			"request of the earlier user stores"},
	{"signin/discard", LevelPortable, signInDiscard,
		"SignInOptions.Discard: the user gets nothing that the visitor had stored, or stores meanwhile"},
	{"signin/failed", LevelPortable, signInFailed,
		"a sign-in whose commit fails signs nobody in, and leaves the visitor's session unchanged"},
	{"signin/again", LevelPortable, signInAgain,
		"signing in again renews the token and the time, and keeps all else, also concurrent changes"},
	{"signin/fresh", LevelPortable, signInFresh,
		"RequireFresh: only SignIn, for the user that the session has now, makes it fresh, and not for " +
			"longer than asked"},
	{"signin/limit", LevelPortable, signInLimit,
		"SignInOptions.MaxSessions: a sign-in at the limit is refused, or ends the sessions that were " +
			"signed in first, never the own one and never those of others"},
}

// signIn signs a user in.
func (r *request) signIn(user string, opts *scskit.SignInOptions) {
	r.t.Helper()
	err := scskit.SignIn(r.ctx, r.sm, user, opts)
	if errors.Is(err, errors.ErrUnsupported) {
		r.t.notApplicable("the store cannot list its sessions")
	}
	if err != nil {
		r.t.Fatalf("sign in: %v", err)
	}
}

// signedIn creates a session of a user with other values, and returns its token.
func (t *checkT) signedIn(sm *scs.SessionManager, user string, opts *scskit.SignInOptions,
	pairs ...any) string {
	t.Helper()
	r := t.request(sm, "")
	r.signIn(user, opts)
	for p := range slices.Chunk(pairs, 2) {
		sm.Put(r.ctx, p[0].(string), p[1])
	}
	return r.stored()
}

// stored ends a request whose changes must be stored, and returns the token.
func (r *request) stored() string {
	r.t.Helper()
	token, state := r.end()
	if state != scskit.CommitStored {
		r.t.Fatalf("commit: state %d, want Stored", state)
	}
	return token
}

// wantSignIn checks the values of a signed-in session, without the facts of the sign-in.
func (t *checkT) wantSignIn(s portable, token, want string) {
	t.Helper()
	values := t.values(s, token)
	if _, ok := values[signInKey].(string); !ok {
		t.Errorf("the session has no facts of the sign-in under %q", signInKey)
	}
	delete(values, signInKey)
	t.wantValues(values, want)
}

// signInKey is the session key of the facts, which is part of the stored format.
const signInKey = "__signIn"

// put stores a value in a request of its own.
func (t *checkT) put(sm *scs.SessionManager, token, key string, value any) {
	t.Helper()
	r := t.request(sm, token)
	sm.Put(r.ctx, key, value)
	r.end()
}

// clock is a clock for Options.Now that a check can put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func (t *checkT) signInPortable(c *clock) (portable, *tap, *scs.SessionManager) {
	t.Helper()
	opts := &scskit.Options{UserKey: "user"}
	if c != nil {
		opts.Now = c.Now
	}
	s, d := t.newPortable(opts)
	return s, d, manager(s)
}

func signInRenews(t *checkT) {
	s, _, sm := t.signInPortable(nil)
	planted := t.begin(sm, "cart", "tea") // the attacker has this token too
	late := t.request(sm, planted)
	sm.Put(late.ctx, "planted", "late")
	r := t.request(sm, planted)
	r.signIn("ada", nil)
	token := r.stored()
	if _, state := late.end(); state != scskit.CommitGone {
		t.Errorf("commit of a request that began before the sign-in: state %d, want Gone", state)
	}
	if token == planted {
		t.Fatal("the session kept its token")
	}
	t.wantNone(s, planted)
	t.put(sm, planted, "planted", "later")
	t.wantNone(s, planted)
	t.wantSignIn(s, token, "map[cart:tea user:ada]")

	made := newToken() // by the attacker, without a session
	r = t.request(sm, made)
	r.signIn("ada", nil)
	r.stored()
	t.wantNone(s, made)
}

func signInFacts(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	before := time.Now().Truncate(time.Millisecond)
	full := t.signedIn(sm, "ada", &scskit.SignInOptions{
		Label: "Work laptop ☃\x00\n", UserAgent: strings.Repeat("é", 200),
		Address: "2001:db8::1\xff" + strings.Repeat("\x1b\"<\u2028", 1000),
	})
	bare := t.signedIn(sm, "ada", nil)
	sessions := t.wantSessions(s, "ada", full, bare)
	for _, session := range sessions {
		if at := session.AuthenticatedAt; at.Before(before) || at.After(time.Now()) {
			t.Errorf("the time of the sign-in is %v, want about %v", at, before)
		}
	}
	if got := sessions[idOf(full)]; got.Label != "Work laptop ☃" ||
		got.UserAgent != strings.Repeat("é", 128) || len(got.Address) > 64 ||
		!strings.HasPrefix(got.Address, "2001:db8::1\ufffd\"<") {
		t.Errorf("label %q, user agent %q, address %q", got.Label, got.UserAgent, got.Address)
	}
	if got := sessions[idOf(bare)]; got.Label+got.UserAgent+got.Address != "" {
		t.Errorf("label %q, user agent %q, address %q: want none", got.Label, got.UserAgent, got.Address)
	}

	t.put(sm, full, "user", "bob") // not by SignIn
	for _, session := range t.wantSessions(s, "bob", full) {
		if !session.AuthenticatedAt.IsZero() || session.Label != "" {
			t.Error("a user who was put there has the facts of another user's sign-in")
		}
	}
}

func signInOtherUser(t *checkT) {
	for name, end := range map[string]func(r *request){
		"signed in":          func(*request) {},
		"signed out by hand": func(r *request) { r.sm.Remove(r.ctx, "user") },
	} {
		s, d, sm := t.signInPortable(nil)
		old := t.signedIn(sm, "ada", &scskit.SignInOptions{Label: "hers", IdleTimeout: time.Minute},
			"secret", "ada's")
		r := t.request(sm, old)
		end(r)
		r.end()
		concurrent, r := t.request(sm, old), t.request(sm, old)
		r.signIn("bob", nil)
		sm.Put(concurrent.ctx, "late", "ada's")
		concurrent.end()
		token := r.stored()
		t.wantSignIn(s, token, "map[user:bob]")
		if text := fmt.Sprint(t.values(s, token)[signInKey]); strings.Contains(text, "hers") {
			t.Errorf("%s: bob's session notes %s", name, text)
		}
		if left := time.Until(t.stored(d, token).Expiry); left < lifetime/2 {
			t.Errorf("%s: bob's session lasts %v: it has the idle timeout of ada's", name, left)
		}
		t.wantNone(s, old)
	}
}

func signInDiscard(t *checkT) {
	s, _, sm := t.signInPortable(nil)
	old := t.begin(sm, "cart", "tea")
	concurrent, r := t.request(sm, old), t.request(sm, old)
	r.signIn("ada", &scskit.SignInOptions{Discard: true})
	sm.Put(concurrent.ctx, "late", "tea")
	concurrent.end()
	token := r.stored()
	t.wantSignIn(s, token, "map[user:ada]")
	t.wantNone(s, old)

	t.put(sm, token, "mine", 1)
	r = t.request(sm, token)
	r.signIn("ada", &scskit.SignInOptions{Discard: true})
	t.wantSignIn(s, r.stored(), "map[mine:1 user:ada]") // it was not a visitor's
}

func signInFailed(t *checkT) {
	s, d, sm := t.signInPortable(nil)
	old := t.begin(sm, "cart", "tea")
	r := t.request(sm, old)
	r.signIn("ada", nil)
	d.refuse(errDown, "save")
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Errorf("commit: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantNone(s, sm.Token(r.ctx))
	t.wantValues(t.values(s, old), "map[cart:tea]")
	if n := len(t.sessionsOf(s, "ada")); n != 0 {
		t.Errorf("the user has %d sessions, want none", n)
	}
}

func signInAgain(t *checkT) {
	c := &clock{}
	s, _, sm := t.signInPortable(c)
	opts := &scskit.SignInOptions{Label: "Laptop", IdleTimeout: time.Hour}
	old := t.signedIn(sm, "ada", opts, "k", 1)
	c.forward(10 * time.Minute)
	again := t.request(sm, old)
	t.put(sm, old, "late", 2)
	out := t.request(sm, old)
	sm.Remove(out.ctx, "user")
	sm.Put(out.ctx, signInKey, "{}")
	out.end()
	again.signIn("ada", &scskit.SignInOptions{Address: "::1"})
	token := again.stored()
	t.wantSignIn(s, token, "map[k:1 late:2 user:ada]")
	t.wantNone(s, old)
	session := t.wantSessions(s, "ada", token)[idOf(token)]
	if session.Label != "Laptop" || session.Address != "::1" {
		t.Errorf("label %q and address %q, want Laptop and ::1", session.Label, session.Address)
	}
	if age := c.Now().Sub(session.AuthenticatedAt); age > 5*time.Minute {
		t.Errorf("the time of the sign-in is %v old, want that of the second one", age)
	}
}

func signInFresh(t *checkT) {
	c := &clock{}
	_, _, sm := t.signInPortable(c)
	sm.Lifetime = 48 * time.Hour
	fresh := func(token string, within time.Duration, want bool) {
		t.Helper()
		r := t.request(sm, token)
		err := scskit.RequireFresh(r.ctx, sm, within)
		if want && err != nil || !want && !errors.Is(err, scskit.ErrNotFresh) {
			t.Errorf("within %v: got error %v, want fresh: %v", within, err, want)
		}
	}
	fresh("", time.Hour, false)
	fresh(t.begin(sm, "user", "ada"), time.Hour, false)

	token := t.signedIn(sm, "ada", nil)
	fresh(token, 10*time.Hour, true)
	fresh(token, 0, false)
	c.forward(5 * time.Hour)
	fresh(token, 10*time.Hour, true)
	c.forward(6 * time.Hour)
	fresh(token, 10*time.Hour, false)
	fresh(token, 20*time.Hour, true)

	r := t.request(sm, token)
	r.signIn("ada", nil)
	token = r.stored()
	fresh(token, 10*time.Hour, true)
	t.put(sm, token, "user", "bob")
	fresh(token, 10*time.Hour, false)
	t.put(sm, token, "user", "ada")
	fresh(token, 10*time.Hour, true)
	t.put(sm, token, "user", "")
	fresh(token, 10*time.Hour, false)
	t.put(sm, token, "user", "ada")
	c.forward(-5 * time.Hour) // a clock was wrong, and has been set
	fresh(token, 10*time.Hour, false)
}

func signInLimit(t *checkT) {
	c := &clock{}
	s, _, sm := t.signInPortable(c)
	two := &scskit.SignInOptions{MaxSessions: 2}
	other := t.signedIn(sm, "bob", nil)
	var tokens []string
	for range 2 {
		tokens = append(tokens, t.signedIn(sm, "ada", two))
		c.forward(time.Second)
	}
	visitor := t.begin(sm, "cart", "tea")
	r := t.request(sm, visitor)
	if err := scskit.SignIn(r.ctx, sm, "ada", two); !errors.Is(err, scskit.ErrTooManySessions) {
		t.Errorf("third sign-in: got error %v, want ErrTooManySessions", err)
	}
	r.end()
	t.wantValues(t.values(s, visitor), "map[cart:tea]")
	t.wantSessions(s, "ada", tokens...)

	r = t.request(sm, tokens[0])
	r.signIn("ada", two) // its own session does not count
	first := r.stored()
	c.forward(time.Second)
	t.wantSessions(s, "ada", first, tokens[1])
	newest := t.signedIn(sm, "ada", nil) // without a limit
	c.forward(time.Second)
	// The second session was signed in before the first was signed in again.
	last := t.signedIn(sm, "ada", &scskit.SignInOptions{MaxSessions: 3, EndOldest: true})
	t.wantSessions(s, "ada", first, newest, last)
	t.wantNone(s, tokens[1])
	c.forward(time.Second)
	r = t.request(sm, last)
	r.signIn("ada", &scskit.SignInOptions{MaxSessions: 1, EndOldest: true})
	t.wantSessions(s, "ada", r.stored())
	t.wantSessions(s, "bob", other)
}
