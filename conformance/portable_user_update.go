package conformance

import (
	"errors"
)

// portableUserUpdateChecks cover Store.UpdateSessionsOf.
var portableUserUpdateChecks = []check{
	{"user/update", LevelPortable, userUpdate,
		"Store.UpdateSessionsOf: changes every session of the user, and no other, keeps their times, " +
			"and stops at an error"},
	{"user/update-racing", LevelPortable, userUpdateRacing,
		"Store.UpdateSessionsOf: requests that write or renew a session meanwhile neither undo the " +
			"change nor lose theirs"},
}

func userUpdate(t *checkT) {
	s := t.userPortable()
	t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	sm := manager(s)
	alices := []string{t.begin(sm, "user", "alice", "admin", true), t.begin(sm, "user", "alice")}
	bobs := t.begin(sm, "user", "bob", "admin", true)
	t.wantSessions(s, "alice", alices...)
	before := t.sessionsOf(s, "alice")
	r := t.request(sm, alices[0])
	remove := func(values map[string]any) error {
		delete(values, "admin")
		return nil
	}
	if n, err := s.UpdateSessionsOf(t.Context(), "alice", remove); n != 1 || err != nil {
		t.Errorf("update: %d, error %v, want 1", n, err)
	}
	sm.Put(r.ctx, "k", 1)
	r.end()
	t.wantValues(t.values(s, alices[0]), "map[k:1 user:alice]")
	t.wantValues(t.values(s, bobs), "map[admin:true user:bob]")
	id := idOf(alices[0])
	if n, err := s.UpdateSessionsOf(t.Context(), "alice", func(values map[string]any) error {
		values["new"] = true
		return nil
	}); n != 2 || err != nil {
		t.Errorf("update: %d, error %v, want 2", n, err)
	}
	after := t.sessionsOf(s, "alice")[id]
	if was := before[id]; !after.Deadline.Equal(was.Deadline) || !after.Expiry.Equal(was.Expiry) ||
		!after.Created.Equal(was.Created) {
		t.Errorf("update changed the times from %+v to %+v", was, after)
	}
	failed := errors.New("no")
	for _, f := range []func(values map[string]any) error{
		func(map[string]any) error { return failed },
		func(values map[string]any) error { values["user"] = "bob"; return nil },
	} {
		if n, err := s.UpdateSessionsOf(t.Context(), "alice", f); n != 0 || err == nil {
			t.Errorf("a function that fails: %d, error %v", n, err)
		}
	}
	t.wantSessions(s, "alice", alices...)
}

func userUpdateRacing(t *checkT) {
	n := t.crowd(30, 12)
	s := t.userPortable()
	t.sessionsOf(s, "alice") // ends the check if the store cannot list them
	sm := manager(s)
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = t.request(sm, t.begin(sm, "user", "alice", "admin", true))
	}
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == n })
	tokens := make([]string, n)
	updated := t.start(func() {
		_, err := s.UpdateSessionsOf(t.Context(), "alice", func(values map[string]any) error {
			delete(values, "admin")
			return nil
		})
		if err != nil {
			t.Errorf("update sessions of a user: %v", err)
		}
	})
	t.each(n, func(i int) {
		if i%2 == 0 {
			requests[i].renew()
		}
		sm.Put(requests[i].ctx, "k", 1)
		tokens[i], _ = requests[i].end()
	})
	<-updated
	for _, token := range tokens {
		t.wantValues(t.values(s, token), "map[k:1 user:alice]")
	}
}
