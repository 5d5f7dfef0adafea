package conformance

import (
	"context"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/tracking"
)

// portablePeriodicChecks cover requests that began before a periodic renewal of their session, as
// adapters.RenewEvery makes it, and end after it.
var portablePeriodicChecks = []check{
	{"periodic/writer", LevelPortable, periodicWriter,
		"no lost updates: a change that is committed after a periodic renewal is in the renewed session"},
	{"periodic/update", LevelPortable, periodicUpdate,
		"scskit.Update: works on the renewed session, and the commit after it too"},
	{"periodic/sign-in", LevelPortable, periodicSignIn,
		"a sign-in that began before a periodic renewal ends the renewed session"},
	{"periodic/others", LevelPortable, periodicOthers,
		"Store.DestroySessionsOf: the session of a token that is excepted stays after its renewal"},
	{"periodic/lock", LevelPortable, periodicLock,
		"Store.Lock: locks the session that the old token opens, and not only the old token"},
}

// renewPeriodically renews the session of a token as an adapter does, and returns the new one.
func (t *checkT) renewPeriodically(s portable, token string) string {
	t.Helper()
	r := t.request(manager(s), token)
	if !tracking.From(r.ctx).RenewalDue(r.sm.Store, token, 0) {
		t.Fatal("the session is not due for a renewal")
	}
	r.renew()
	renewed, state := r.end()
	if state != scskit.CommitStored || renewed == token {
		t.Fatalf("periodic renewal: state %d, want Stored under a new token", state)
	}
	return renewed
}

func periodicWriter(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 1, "b", 1)
	early := t.request(sm, token)
	renewed := t.renewPeriodically(s, t.renewPeriodically(s, token))
	t.put(sm, renewed, "b", 2)
	sm.Put(early.ctx, "a", 2)
	if _, state := early.end(); state != scskit.CommitKept {
		t.Errorf("commit after the renewal: state %d, want Kept, so that no old cookie is sent", state)
	}
	t.wantValues(t.values(s, renewed), "map[a:2 b:2]")
	t.wantNone(s, token)
}

func periodicUpdate(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "n", 1)
	early := t.request(sm, token)
	renewed := t.renewPeriodically(s, token)
	t.put(sm, renewed, "n", 10)
	for range 2 {
		err := scskit.Update(early.ctx, sm, func(ctx context.Context) error {
			sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
			return nil
		})
		if err != nil {
			t.Fatalf("update after a periodic renewal: %v", err)
		}
	}
	sm.Put(early.ctx, "k", 1)
	early.end()
	t.wantValues(t.values(s, renewed), "map[k:1 n:12]")
}

func periodicSignIn(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "cart", 1)
	early := t.request(sm, token)
	renewed := t.renewPeriodically(s, token)
	t.put(sm, renewed, "cart", 2)
	early.renew()
	sm.Put(early.ctx, "user", "ada")
	signedIn, state := early.end()
	if state != scskit.CommitStored {
		t.Fatalf("sign-in: state %d, want Stored", state)
	}
	t.wantNone(s, token)
	t.wantNone(s, renewed)
	t.wantValues(t.values(s, signedIn), "map[cart:2 user:ada]")
}

func periodicOthers(t *checkT) {
	s := t.userPortable()
	t.sessionsOf(s, "ada") // ends the check if the store cannot list them
	sm := manager(s)
	token, other := t.begin(sm, "user", "ada"), t.begin(sm, "user", "ada")
	early := t.request(sm, token)
	renewed := t.renewPeriodically(s, t.renewPeriodically(s, token))
	t.wantSessions(s, "ada", renewed, other)
	if n, err := s.DestroySessionsOf(early.ctx, "ada", sm.Token(early.ctx)); n != 1 || err != nil {
		t.Errorf("destroyed %d sessions, error %v, want 1, the other", n, err)
	}
	t.wantNone(s, other)
	t.wantValues(t.values(s, renewed), "map[user:ada]")
	t.wantSignedIn(s, token, "ada") // for the grace of the old token
}

func periodicLock(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "n", 1)
	renewed := t.renewPeriodically(s, token)
	late := t.request(sm, token)
	lock, err := s.Lock(t.Context(), renewed, scskit.LockOptions{})
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	_, err = s.Lock(late.ctx, token, scskit.LockOptions{MaxWait: -1})
	t.wantErr("lock with the old token", err, scskit.ErrLocked)
	lock.Release(t.Context())
}
