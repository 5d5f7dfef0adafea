package scskit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
)

func TestUpdateSessionsOf(t *testing.T) {
	s := userStore(t, scskit.Options{UserKey: "user", Merge: map[string]scskit.MergeFunc{
		"admin": scskit.MergeFirst,
	}})
	sm := scskit.New(s)
	for _, token := range []string{"one", "two"} {
		values := map[string]any{"user": "alice", "admin": 1}
		if err := commitSession(t, s, token, values); err != nil {
			t.Fatal(err)
		}
	}
	if err := commitSession(t, s, "bob", map[string]any{"user": "bob", "admin": 1}); err != nil {
		t.Fatal(err)
	}
	writer := loadTracked(t, sm, "one")
	sm.Put(writer, "admin", 2)
	renewing := loadTracked(t, sm, "two")
	if err := sm.RenewToken(renewing); err != nil {
		t.Fatal(err)
	}
	n, err := s.UpdateSessionsOf(t.Context(), "alice", func(values map[string]any) error {
		delete(values, "admin")
		return nil
	})
	if n != 2 || err != nil {
		t.Errorf("changed %d, %v", n, err)
	}
	for _, ctx := range []context.Context{writer, renewing} {
		token, _, err := sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got := storedValues(t, s, token); got["admin"] != nil || got["user"] != "alice" {
			t.Errorf("got %v", got)
		}
	}
	if err := scskit.Update(writer, sm, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	if sm.Exists(writer, "admin") {
		t.Error("the request still sees the right")
	}
	if got := storedValues(t, s, "bob"); got["admin"] != 1 {
		t.Error("another user's session was changed")
	}
	_, err = s.UpdateSessionsOf(t.Context(), "bob", func(values map[string]any) error {
		values["user"] = "alice"
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "UserKey") {
		t.Errorf("a change of the user: %v", err)
	}
}

// The call is no use of the session: an idle one does not live longer, and a list of the user's
// devices shows when each was last used.
func TestUpdateSessionsOfKeepsTimes(t *testing.T) {
	now := time.Now()
	s := userStore(t, scskit.Options{UserKey: "user", Now: func() time.Time { return now }})
	if err := commitSession(t, s, "token", map[string]any{"user": "alice"}); err != nil {
		t.Fatal(err)
	}
	only := func() scskit.UserSession {
		t.Helper()
		var all []scskit.UserSession
		for session, err := range s.SessionsOf(t.Context(), "alice") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, session)
		}
		if len(all) != 1 {
			t.Fatalf("got %d sessions", len(all))
		}
		return all[0]
	}
	was := only()
	now = now.Add(time.Minute)
	n, err := s.UpdateSessionsOf(t.Context(), "alice", func(values map[string]any) error {
		values["role"] = "guest"
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("changed %d, %v", n, err)
	}
	is := only()
	if is.Values["role"] != "guest" {
		t.Errorf("values: %v", is.Values)
	}
	if !is.Created.Equal(was.Created) || !is.Seen.Equal(was.Seen) || !is.Expiry.Equal(was.Expiry) {
		t.Errorf("got %+v, want the times of %+v", is, was)
	}
}
