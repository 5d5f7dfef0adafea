package conformance

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableMergeSessionChecks cover SessionManager.MergeSession.
var portableMergeSessionChecks = []check{
	{"renewal/merge-destroyed", LevelPortable, renewalMergeDestroyed,
		"SessionManager.MergeSession: the values of a session that is destroyed during " +
			"the merge are in no other session"},
	{"renewal/merge-failed", LevelPortable, renewalMergeFailed,
		"SessionManager.MergeSession: a commit that fails or never comes loses nothing of the merged " +
			"session, nor what others save to it meanwhile"},
}

func renewalMergeDestroyed(t *checkT) {
	for round := range 3 {
		live, renews := round > 0, round == 2
		s, d := t.newPortable(nil)
		sm := manager(s)
		other := t.begin(sm, "user", "ada", "lang", "en")
		token := ""
		want := "map[own:1]"
		if live {
			token = t.begin(sm, "lang", "de")
			want = "map[lang:de own:1]"
		}
		r := t.request(sm, token)
		sm.Put(r.ctx, "own", 1)
		if renews {
			r.renew()
		}
		var once atomic.Bool
		d.on(func(ctx context.Context, op, id string) error {
			if (op == "delete" || op == "save") && id == d.id(other) && once.CompareAndSwap(false, true) {
				return d.Driver.Delete(ctx, id, driver.Always()) // another request does it just before
			}
			return nil
		})
		r.merge(other)
		stored, _ := r.end()
		t.wantValues(t.values(s, stored), want)
	}
}

func renewalMergeFailed(t *checkT) {
	for round := range 3 {
		signedIn, renews := round > 0, round == 2
		s, d := t.newPortable(nil)
		sm := manager(s)
		cart := t.begin(sm, "cart", 1)
		token := ""
		if signedIn {
			token = t.begin(sm, "user", "ada")
		}
		abandoned, r := t.request(sm, token), t.request(sm, token)
		abandoned.merge(cart)
		r.merge(cart)
		if _, found := t.find(s, cart); !found {
			t.Fatal("the merged session is gone before its values are stored in the other")
		}
		if renews {
			r.renew()
		}
		d.refuse(errDown, "save")
		if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
			t.Errorf("commit: got error %v, want the backend's", err)
		}
		d.on(nil)
		t.wantValues(t.values(s, cart), "map[cart:1]")

		shop := t.request(sm, cart)
		sm.Put(shop.ctx, "cart", 2)
		sm.Put(shop.ctx, "coupon", "x")
		shop.end()
		sm.Put(r.ctx, "user", "ada")
		stored, state := r.end()
		if state != scskit.CommitStored {
			t.Errorf("commit: state %d, want Stored", state)
		}
		t.wantValues(t.values(s, stored), "map[cart:2 coupon:x user:ada]")
		t.wantNone(s, cart)
		// The request has not loaded the coupon, so its commit does not remove it.
		sm.Put(r.ctx, "seen", true)
		r.end()
		t.wantValues(t.values(s, stored), "map[cart:2 coupon:x seen:true user:ada]")
	}

	s, _ := t.newPortable(nil)
	sm := manager(s)
	cart := t.begin(sm, "cart", 1)
	r := t.request(sm, "")
	r.merge(cart)
	r.destroy()
	t.wantNone(s, cart)
	sm.Put(r.ctx, "cart", 1)
	fresh, _ := r.end()
	t.wantValues(t.values(s, fresh), "map[cart:1]")
}
