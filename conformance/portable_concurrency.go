package conformance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableConcurrencyChecks cover destroyed sessions, which must stay destroyed, and commits that
// lose races.
var portableConcurrencyChecks = []check{
	{"concurrency/logout-beats-reader", LevelPortable, concurrencyLogoutBeatsReader,
		"no resurrection: a request that only reads, under an idle timeout, does not create a " +
			"destroyed session again (stock scs does)"},
	{"concurrency/logout-beats-writer", LevelPortable, concurrencyLogoutBeatsWriter,
		"no resurrection: a request that writes does not create a destroyed session again"},
	{"concurrency/renew-beats-old", LevelPortable, concurrencyRenewBeatsOld,
		"OWASP: after RenewToken the old token is dead, also for a request in flight with it"},
	{"concurrency/storm-ends", LevelPortable, concurrencyStormEnds,
		"a commit that loses every race gives up with driver.ErrConflict"},
	{"concurrency/no-stranger-waits", LevelPortable, concurrencyNoStrangerWaits,
		"concurrent writers of one session do not delay those of other sessions"},
}

// idleManager returns a manager with an idle timeout, so that every request commits, and a store
// without a touch interval, so that every commit may write.
func (t *checkT) idleManager() (portable, *scs.SessionManager) {
	t.Helper()
	s, _ := t.newPortable(&scskit.Options{TouchInterval: -1})
	sm := manager(s)
	sm.IdleTimeout = 20 * time.Minute
	return s, sm
}

// signOut destroys the session in a request of its own.
func (t *checkT) signOut(sm *scs.SessionManager, token string) {
	t.Helper()
	r := t.request(sm, token)
	if err := sm.Destroy(r.ctx); err != nil {
		t.Fatalf("destroy: %v", err)
	}
}

// wantGone ends a request and checks that its session is gone.
func (t *checkT) wantGone(s portable, r *request, token string) {
	t.Helper()
	if _, state := r.end(); state != scskit.CommitGone {
		t.Errorf("commit of a destroyed session: state %d, want Gone", state)
	}
	t.wantNone(s, token)
}

func concurrencyLogoutBeatsReader(t *checkT) {
	s, sm := t.idleManager()
	token := t.begin(sm, "k", 1)
	quick, slow := t.request(sm, token), t.request(sm, token)
	t.signOut(sm, token)
	quick.end()
	t.wantNone(s, token)
	slow.age()
	t.wantGone(s, slow, token)
}

func concurrencyLogoutBeatsWriter(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	slow, slower := t.request(sm, token), t.request(sm, token)
	sm.Put(slow.ctx, "k", 2)
	t.signOut(sm, token)
	t.wantGone(s, slow, token)
	sm.Put(slow.ctx, "k", 3) // the same request again
	t.wantGone(s, slow, token)
	sm.Put(slower.ctx, "other", 1)
	t.wantGone(s, slower, token)
}

func concurrencyRenewBeatsOld(t *checkT) {
	s, sm := t.idleManager()
	token := t.begin(sm, "k", 1)
	reader, writer, renewer := t.request(sm, token), t.request(sm, token), t.request(sm, token)
	sm.Put(writer.ctx, "w", true)
	if err := sm.RenewToken(renewer.ctx); err != nil {
		t.Fatalf("renew: %v", err)
	}
	renewed, _ := renewer.end()
	t.wantGone(s, writer, token)
	reader.age()
	t.wantGone(s, reader, token)
	if renewed == token {
		t.Error("renew: the token has not changed")
	}
	t.wantValues(t.values(s, renewed), "map[k:1]")
}

func concurrencyStormEnds(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	const most = 10_000 // stops a commit that never gives up
	d.on(func(_ context.Context, op, _ string) error {
		switch {
		case op != "save":
			return nil
		case d.count("save") > most:
			return errDown
		}
		return driver.ErrConflict
	})
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("commit: got error %v, want driver.ErrConflict", err)
	}
	if n := d.count("save"); n < 10 {
		t.Errorf("commit gave up after %d attempts, want at least 10", n)
	}
}

func concurrencyNoStrangerWaits(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	crowded := t.begin(sm, "k", 0)
	one, two := t.request(sm, crowded), t.request(sm, crowded)
	sm.Put(one.ctx, "one", 1)
	one.end()
	// Enough to share locks or other resources with the crowded session.
	others := make([]*request, 200)
	for i := range others {
		token := t.begin(sm, "k", 0)
		others[i] = t.request(sm, token)
		other := t.request(sm, token)
		sm.Put(other.ctx, "other", 1)
		other.end()
	}
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.on(func(ctx context.Context, op, id string) error {
		if op == "load" && id == d.id(crowded) {
			once.Do(func() { close(held) })
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return nil
	})
	merged := t.start(func() {
		sm.Put(two.ctx, "two", 2)
		two.end() // merges, and waits at the hook
	})
	select {
	case <-held:
	case <-merged:
		t.Fatal("the commit did not load the session to merge")
	}
	progress := make(chan struct{}, len(others))
	ended := t.start(func() {
		for _, r := range others {
			sm.Put(r.ctx, "k", 1)
			r.end()
			progress <- struct{}{}
		}
	})
	for range others {
		timeout := time.NewTimer(t.eventTimeout())
		select {
		case <-progress:
		case <-timeout.C:
			t.Error("a merge of one session waits for a merge of another")
			close(release)
			<-merged
			<-ended
			return
		}
		timeout.Stop()
	}
	close(release)
	<-merged
	<-ended
}
