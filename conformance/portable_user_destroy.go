package conformance

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/scskit/scskit"
)

// portableUserDestroyChecks cover Store.DestroySessionsOf.
var portableUserDestroyChecks = []check{
	{"user/destroy", LevelPortable, userDestroy,
		"Store.DestroySessionsOf: destroys the sessions of the user except those given, and no " +
			"request in flight creates one again"},
	{"user/destroy-one", LevelPortable, userDestroyOne,
		"Store.DestroySessionOf: destroys the session with the ID, also after its renewal, and none of " +
			"another user"},
	{"user/destroy-renewing", LevelPortable, userDestroyRenewing,
		"Store.DestroySessionsOf: no session that the user has signed in to before survives, even " +
			"if a request renews it meanwhile"},
	{"user/destroy-signing-in", LevelPortable, userDestroySigningIn,
		"Store.DestroySessionsOf: does not go on while the user keeps signing in"},
	{"user/destroy-merging", LevelPortable, userDestroyMerging,
		"Store.DestroySessionsOf: no values of the user's sessions survive in a session that " +
			"they are merged into meanwhile"},
	{"user/destroy-all-but-own", LevelPortable, userDestroyAllButOwn,
		"Store.DestroySessionsOf: a request that has renewed its session keeps it, " +
			"and what it has merged into it"},
}

func userDestroy(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	var alices []string
	for range 4 {
		alices = append(alices, t.begin(sm, "user", "alice"))
	}
	bobs, nobodys := t.begin(sm, "user", "bob"), t.begin(sm, "k", 1)
	t.wantSessions(s, "alice", alices...)
	flight := t.request(sm, alices[0])
	flight.sm.Put(flight.ctx, "late", true)
	n, err := s.DestroySessionsOf(t.Context(), "alice", alices[3], bobs, "")
	if err != nil || n != 3 {
		t.Fatalf("destroy: %d, error %v, want 3", n, err)
	}
	if _, state := flight.end(); state != scskit.CommitGone {
		t.Errorf("commit of a request in flight: state %d, want Gone", state)
	}
	for _, token := range alices[:3] {
		t.wantNone(s, token)
	}
	for _, token := range []string{alices[3], bobs, nobodys} {
		if t.gone(s, token) {
			t.Error("a session of another user, or an excepted one, was destroyed")
		}
	}
	t.wantSessions(s, "alice", alices[3])
	if n, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil || n != 1 {
		t.Errorf("destroy the excepted session: %d, error %v, want 1", n, err)
	}
	t.wantSessions(s, "alice")
	if n, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil || n != 0 {
		t.Errorf("destroy without sessions: %d, error %v, want 0", n, err)
	}
	if _, err := s.DestroySessionsOf(t.Context(), ""); err == nil {
		t.Error("destroy the sessions of the empty user: got no error")
	}
	if t.gone(s, nobodys) {
		t.Error("destroy the sessions of the empty user: a session without a user is gone")
	}
}

func userDestroyOne(t *checkT) {
	s := t.userPortable()
	sm := manager(s)
	own, other := t.begin(sm, "user", "alice"), t.begin(sm, "user", "alice")
	bobs := t.begin(sm, "user", "bob")
	for id, session := range t.wantSessions(s, "alice", own, other) {
		if session.Current {
			t.Errorf("session %s is the current one, outside of a request", brief([]byte(id)))
		}
	}
	r := t.request(sm, own)
	current := 0
	for session, err := range s.SessionsOf(r.ctx, "alice") {
		if err != nil {
			t.Fatalf("sessions of a user: %v", err)
		}
		if session.Current {
			current++
		}
		if session.Current != (session.ID == scskit.HashToken(own)) {
			t.Error("another session than that of the request is the current one, or none is")
		}
	}
	if current != 1 {
		t.Errorf("%d sessions are the current one, want 1", current)
	}
	destroy := func(token string, want bool) {
		t.Helper()
		destroyed, err := s.DestroySessionOf(t.Context(), "alice", scskit.HashToken(token))
		if err != nil || destroyed != want {
			t.Errorf("destroy one session: %v, error %v, want %v", destroyed, err, want)
		}
	}
	destroy(bobs, false)
	t.wantValues(t.values(s, bobs), "map[user:bob]")
	renewing := t.request(sm, other)
	renewing.renew()
	renewed, _ := renewing.end()
	destroy(other, true)
	t.wantNone(s, renewed)
	destroy(other, false)
	destroy(own, true)
	t.wantNone(s, own)
	t.wantSessions(s, "alice")
}

func userDestroyRenewing(t *checkT) {
	n := t.crowd(50, 10)
	s := t.userPortable()
	if _, ok := s.(*scskit.Store); ok {
		t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	}
	sm := manager(s)
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = t.request(sm, t.begin(sm, "user", "alice"))
	}
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == n })
	for _, r := range requests[:n/2] {
		r.renew()
	}
	tokens := make([]string, n)
	destroyed := t.start(func() {
		if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
			t.Fatalf("destroy sessions of a user: %v", err)
		}
	})
	t.each(n, func(i int) {
		if i >= n/2 {
			requests[i].renew()
		}
		tokens[i], _ = requests[i].end()
	})
	<-destroyed
	for _, token := range tokens {
		if _, found := t.find(s, token); found {
			t.Fatal("a session that was renewed during the destruction is alive")
		}
	}
	t.destroyRenewed()
}

// destroyRenewed renews all sessions, each of them twice, when the first of them is destroyed.
func (t *checkT) destroyRenewed() {
	t.Helper()
	s, d := t.newPortable(&scskit.Options{UserKey: "user"})
	sm := manager(s)
	requests := make([]*request, 0, 10)
	for len(requests) < cap(requests) {
		token := t.begin(sm, "user", "alice")
		for range 2 { // both renewals succeed, as two sign-ins would
			r := t.request(sm, token)
			r.renew()
			requests = append(requests, r)
		}
	}
	t.soon("the user has all sessions", func() bool {
		return len(t.sessionsOf(s, "alice")) == len(requests)/2
	})
	var once atomic.Bool
	tokens := make([]string, 0, len(requests))
	d.on(func(_ context.Context, op, _ string) error {
		if op == "delete" && once.CompareAndSwap(false, true) {
			for _, r := range requests {
				token, _ := r.end()
				tokens = append(tokens, token)
			}
		}
		return nil
	})
	if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
		t.Fatalf("destroy sessions of a user: %v", err)
	}
	d.on(nil)
	for _, token := range tokens {
		if _, found := t.find(s, token); found {
			t.Fatal("a session that was renewed after the first was destroyed is alive")
		}
	}
}

// userDestroySigningIn signs the user in whenever a session was destroyed. The listing may still
// reach some of the new sessions.
func userDestroySigningIn(t *checkT) {
	const sessions, most = 5, 60
	s, d := t.newPortable(&scskit.Options{UserKey: "user"})
	t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	sm := manager(s)
	for range sessions {
		t.begin(sm, "user", "alice")
	}
	t.soon("the user has all sessions", func() bool {
		return len(t.sessionsOf(s, "alice")) == sessions
	})
	var deletes atomic.Int32
	d.on(func(_ context.Context, op, _ string) error {
		if op == "delete" && deletes.Add(1) <= most {
			t.begin(sm, "user", "alice")
		}
		return nil
	})
	n, err := s.DestroySessionsOf(t.Context(), "alice")
	d.on(nil)
	if err != nil || n < sessions {
		t.Errorf("destroy: %d, error %v, want at least %d", n, err, sessions)
	}
	if n := deletes.Load(); n > most {
		t.Errorf("%d deletes for %d sessions, and one sign-in after each", n, sessions)
	}
}

func userDestroyMerging(t *checkT) {
	n := t.crowd(20, 8)
	s := t.userPortable()
	t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	sm := manager(s)
	one := t.begin(sm, "user", "alice")
	t.soon("the user has a session", func() bool { return len(t.sessionsOf(s, "alice")) == 1 })
	target := t.request(sm, t.begin(sm, "k", 1))
	target.merge(one)
	if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
		t.Fatalf("destroy sessions of a user: %v", err)
	}
	token, _ := target.end()
	t.wantValues(t.values(s, token), "map[k:1]")

	requests, signedIn := make([]*request, n), make([]string, n)
	for i := range requests {
		requests[i], signedIn[i] = t.request(sm, t.begin(sm, "k", 1)), t.begin(sm, "user", "alice")
	}
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == n })
	for i, r := range requests[:n/2] {
		r.merge(signedIn[i])
	}
	destroyed := t.start(func() {
		if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
			t.Fatalf("destroy sessions of a user: %v", err)
		}
	})
	t.each(n, func(i int) {
		if i >= n/2 {
			requests[i].merge(signedIn[i])
		}
		requests[i].end()
	})
	<-destroyed
	for i, r := range requests {
		t.wantNone(s, signedIn[i])
		token := sm.Token(r.ctx)
		if _, found := t.find(s, token); found && t.values(s, token)["user"] != nil {
			t.Fatal("the values of a session that was merged during the destruction are alive")
		}
	}
}

func userDestroyAllButOwn(t *checkT) {
	s := t.userPortable()
	t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	sm := manager(s)
	own, other := t.begin(sm, "user", "alice"), t.begin(sm, "user", "alice")
	merged := t.begin(sm, "user", "alice", "cart", 1)
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == 3 })
	r := t.request(sm, own)
	r.renew()
	r.merge(merged)
	n, err := s.DestroySessionsOf(r.ctx, "alice", sm.Token(r.ctx))
	if err != nil || n != 1 {
		t.Errorf("destroyed %d sessions, error %v; want 1, the other one", n, err)
	}
	renewed, state := r.end()
	if state != scskit.CommitStored {
		t.Errorf("renewal by the request itself: state %d, want Stored", state)
	}
	t.wantNone(s, other)
	t.wantNone(s, own)
	t.wantNone(s, merged)
	t.wantValues(t.values(s, renewed), "map[cart:1 user:alice]")
	t.soon("the user has one session", func() bool {
		ids := slices.Collect(maps.Keys(t.sessionsOf(s, "alice")))
		return len(ids) == 1 && ids[0] == scskit.HashToken(renewed)
	})
}
