package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/tracking"
)

// portableRenewalChecks cover sessions that are renewed while other requests use them.
var portableRenewalChecks = []check{
	{"renewal/two-at-once", LevelPortable, renewalTwoAtOnce,
		"two requests that renew one session have both authenticated: each gets its own " +
			"session, and the old one is dead"},
	{"renewal/after-logout", LevelPortable, renewalAfterLogout,
		"no resurrection: a session that is destroyed while another request renews it stays destroyed"},
	{"renewal/before-logout", LevelPortable, renewalBeforeLogout,
		"no resurrection: Destroy ends a session that others have renewed since the request loaded it"},
	{"renewal/keeps-writes", LevelPortable, renewalKeepsWrites,
		"no lost updates: the renewed session has what other requests save during the renewal"},
	{"renewal/failed", LevelPortable, renewalFailed,
		"a renewal that cannot be stored, or whose context ends, leaves the session " +
			"unchanged and creates no other"},
	{"renewal/given-up", LevelPortable, renewalGivenUp,
		"a renewal that is never committed, as after a panic, leaves the session unchanged and " +
			"does not affect later renewals"},
	{"renewal/again", LevelPortable, renewalAgain,
		"a request may renew its session more than once, before and after a commit"},
	{"renewal/then-destroyed", LevelPortable, renewalThenDestroyed,
		"OWASP: Destroy ends the session also after the same request has " +
			"renewed it; so does its deadline"},
	{"renewal/late", LevelPortable, renewalLate,
		"once the response has begun no cookie can carry a new token: RenewToken " +
			"fails, and the session goes on"},
	{"renewal/fresh-after-logout", LevelPortable, renewalFreshAfterLogout,
		"a request whose Destroy finds the session destroyed can create a new session, and renew it"},
	{"renewal/two-managers", LevelPortable, renewalTwoManagers,
		"if two managers share a store and a request, RenewToken of one does not " +
			"renew the session of the other"},
	{"renewal/unlisted", LevelPortable, renewalUnlisted,
		"the record that a renewal leaves behind is no session: it is not " +
			"found, not listed and not counted"},
}

func renewalTwoAtOnce(t *checkT) {
	for _, interleaved := range []bool{true, false} {
		s, sm := t.idleManager()
		token := t.begin(sm, "user", "ada")
		one, two := t.request(sm, token), t.request(sm, token)
		one.renew()
		if interleaved {
			two.renew()
		}
		first, _ := one.end()
		if !interleaved {
			two.renew()
		}
		second, state := two.end()
		if state != scskit.CommitStored || first == second {
			t.Fatalf("second renewal (interleaved: %v): state %d, want Stored under a token of its own",
				interleaved, state)
		}
		for _, token := range []string{first, second} {
			t.wantValues(t.values(s, token), "map[user:ada]")
		}
		t.wantNone(s, token)
	}
}

func renewalAfterLogout(t *checkT) {
	for _, before := range []bool{true, false} {
		s, d := t.newPortable(nil)
		sm := manager(s)
		token := t.begin(sm, "user", "ada")
		r := t.request(sm, token)
		if before {
			t.signOut(sm, token)
			r.renew()
		} else {
			r.renew()
			t.signOut(sm, token)
		}
		sm.Put(r.ctx, "user", "bob")
		renewed, state := r.end()
		if state != scskit.CommitGone {
			t.Errorf("commit of a renewal after a sign-out: state %d, want Gone", state)
		}
		t.wantNone(s, token)
		t.wantNone(s, renewed)
		if _, err := d.Driver.Load(t.Context(), idOf(renewed)); !errors.Is(err, driver.ErrNotFound) {
			t.Error("the new session is in the backend")
		}
	}
}

func renewalBeforeLogout(t *checkT) {
	for _, renewals := range []int{1, 3} {
		s, d := t.newPortable(nil)
		sm := manager(s)
		token := t.begin(sm, "user", "ada")
		leaves, latest := t.request(sm, token), token
		for range renewals {
			r := t.request(sm, latest)
			r.renew()
			latest, _ = r.end()
		}
		t.wantValues(t.values(s, latest), "map[user:ada]")
		if err := sm.Destroy(leaves.ctx); err != nil {
			t.Fatalf("destroy: %v", err)
		}
		t.wantNone(s, token)
		t.wantNone(s, latest)
		if _, err := d.Driver.Load(t.Context(), idOf(latest)); !errors.Is(err, driver.ErrNotFound) {
			t.Error("the renewed session is in the backend")
		}
	}
}

func renewalKeepsWrites(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 1, "b", 1)
	r := t.request(sm, token)
	writer := t.request(sm, token)
	sm.Put(writer.ctx, "a", 2)
	writer.end()
	r.renew()
	sm.Put(r.ctx, "user", "ada")
	writer = t.request(sm, token)
	sm.Put(writer.ctx, "b", 2)
	writer.end()
	renewed, _ := r.end()
	t.wantValues(t.values(s, renewed), "map[a:2 b:2 user:ada]")
	t.wantNone(s, token)
}

func renewalFailed(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	r.renew()
	d.refuse(errDown, "save")
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Errorf("commit: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")

	r = t.request(sm, token)
	r.renew()
	ctx, end := context.WithCancel(r.ctx)
	var saves atomic.Int32
	d.on(func(ctx context.Context, op, _ string) error {
		if op != "save" || saves.Add(1) == 1 {
			return nil // the new session is stored
		}
		end()
		return context.Canceled
	})
	if _, _, err := sm.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: got error %v, want context.Canceled", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
	_, err := d.Driver.Load(t.Context(), idOf(sm.Token(r.ctx)))
	if !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the new session is left in the backend: load: error %v, want ErrNotFound", err)
	}
}

func renewalGivenUp(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	loop := scskit.WithTracker(t.Context())
	t.requestIn(loop, sm, token).renew()
	t.wantValues(t.values(s, token), "map[k:1]")

	for i := range 8 {
		next := t.begin(sm, "k", 2+i)
		r := t.requestIn(loop, sm, next)
		r.renew()
		renewed, _ := r.end()
		t.wantNone(s, next)
		t.wantValues(t.values(s, renewed), fmt.Sprintf("map[k:%d]", 2+i))
	}
	t.wantValues(t.values(s, token), "map[k:1]")
}

func renewalAgain(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	tokens := []string{t.begin(sm, "k", 1)}
	r := t.request(sm, tokens[0])
	for range 2 {
		r.renew()
		r.renew()
		token, state := r.end()
		if state != scskit.CommitStored {
			t.Fatalf("commit of a renewal: state %d, want Stored", state)
		}
		for _, old := range tokens {
			t.wantNone(s, old)
		}
		tokens = append(tokens, token)
		t.wantValues(t.values(s, token), "map[k:1]")
	}
}

func renewalThenDestroyed(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	r.renew()
	r.destroy()
	t.wantNone(s, token)
	sm.Put(r.ctx, "flash", "signed out")
	fresh, _ := r.end()
	t.wantValues(t.values(s, fresh), "map[flash:signed out]")

	token = t.begin(sm, "k", 1)
	r = t.request(sm, token)
	r.renew()
	sm.SetDeadline(r.ctx, time.Now().Add(-time.Second))
	if ended, state := r.end(); state != scskit.CommitGone {
		t.Errorf("commit of a renewed session after its deadline: state %d, want Gone", state)
	} else {
		t.wantNone(s, ended)
	}
	t.wantNone(s, token)
}

func renewalLate(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	tracking.From(r.ctx).Settle(token)
	if err := sm.RenewToken(r.ctx); !errors.Is(err, scskit.ErrLate) {
		t.Errorf("renew: got error %v, want scskit.ErrLate", err)
	}
	t.wantValues(t.values(s, token), "map[k:1]")
	r.destroy() // allowed at any time
	t.wantNone(s, token)
}

func renewalFreshAfterLogout(t *checkT) {
	for _, how := range []string{"plain", "renewed", "commits before", "renews and commits before",
		"commits and renews before"} {
		s, _ := t.newPortable(nil)
		sm := manager(s)
		token := t.begin(sm, "user", "ada")
		slow := t.request(sm, token)
		t.signOut(sm, token)
		if how == "renews and commits before" {
			slow.renew()
		}
		if strings.HasSuffix(how, "before") {
			sm.Put(slow.ctx, "n", 1)
			if _, state := slow.end(); state != scskit.CommitGone {
				t.Errorf("%s: commit after a sign-out: state %d, want Gone", how, state)
			}
		}
		if how == "commits and renews before" {
			slow.renew()
			if _, state := slow.end(); state != scskit.CommitGone {
				t.Errorf("%s: commit of a renewal after a sign-out: state %d, want Gone", how, state)
			}
		}
		slow.destroy()
		if how == "renewed" {
			slow.renew()
		}
		sm.Put(slow.ctx, "user", "ada") // the user signs in again
		fresh, state := slow.end()
		if state != scskit.CommitStored || fresh == token {
			t.Fatalf("%s: new session after a Destroy that came second: state %d, want Stored under a new "+
				"token", how, state)
		}
		t.wantValues(t.values(s, fresh), "map[user:ada]")
		t.wantNone(s, token)
	}
}

func renewalTwoManagers(t *checkT) {
	s, _ := t.newPortable(nil)
	one, two := scskit.New(s), scskit.New(s) // with different context keys, unlike manager
	one.Codec, two.Codec = s.Codec(), s.Codec()
	load := func(sm *scs.SessionManager, ctx context.Context, token string) context.Context {
		ctx, err := sm.Load(ctx, token)
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		return ctx
	}
	token := t.begin(manager(s), "user", "ada")
	ctx := load(two, load(one, scskit.WithTracker(t.Context()), token), "")
	t.signOut(manager(s), token)
	if err := one.RenewToken(ctx); err != nil {
		t.Fatalf("renew: %v", err)
	}
	two.Put(ctx, "user", "bob")
	for _, m := range []struct {
		sm     *scs.SessionManager
		loaded string
		want   scskit.CommitState
	}{{two, "", scskit.CommitStored}, {one, token, scskit.CommitGone}} {
		ctx := tracking.WithCommitter(ctx, keyOf(m.sm), m.loaded)
		token, _, err := m.sm.Commit(ctx)
		if err != nil {
			t.Fatalf("commit: %v", err)
		}
		if c, _ := scskit.LastCommit(ctx, token); c.State != m.want {
			t.Errorf("state %d, want %d", c.State, m.want)
		}
	}
}

func renewalUnlisted(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	r.renew()
	renewed, _ := r.end()
	if _, ok := driver.As[driver.Ranger](d.Driver); ok {
		all, err := s.AllCtx(t.Context())
		if err != nil || len(all) != 1 {
			t.Errorf("all: %d sessions, error %v; want 1, the renewed one", len(all), err)
		}
	}
	t.signOut(sm, renewed)
	t.wantNone(s, renewed)
	fresh := t.request(sm, token) // with the old cookie
	if fresh.sm.Token(fresh.ctx) != "" {
		t.Error("load: the old token still has a session")
	}
	// A commit without a tracker overwrites anything.
	t.commit(s, token, t.encode(map[string]any{"k": 2}), in(time.Hour))
	t.wantValues(t.values(s, token), "map[k:2]")
}
