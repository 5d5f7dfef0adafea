package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableSealedRotationChecks cover the change of Options.Keys while sessions are live.
var portableSealedRotationChecks = []check{
	{"sealed/begin", LevelPortable, sealedBegin,
		"Options.Plaintext: an application starts to seal in three deploys, and nobody is signed out"},
	{"sealed/rotation", LevelPortable, sealedRotation,
		"Options.Keys: a key is replaced in three deploys, and nobody is signed out"},
	{"sealed/rewritten", LevelPortable, sealedRewritten,
		"a save or a touch seals a session anew that was sealed under another key than the first"},
	{"sealed/reseal", LevelPortable, sealedReseal,
		"Store.Reseal: seals every record under the first key, and changes nothing else of it"},
	{"sealed/reseal-busy", LevelPortable, sealedResealBusy,
		"Store.Reseal: loses no change of the requests that run meanwhile"},
}

// deploys returns a store for each options over one backend, as processes have them one after the
// other, and the tap of the backend.
func (t *checkT) deploys(opts ...*scskit.Options) ([]portable, *tap) {
	t.Helper()
	first, d := t.newPortable(opts[0])
	all := []portable{first}
	for _, o := range opts[1:] {
		all = append(all, t.portableOver(d.Driver, o))
	}
	return all, d
}

// rollOver deploys one store after the other. While one replaces another, both serve every session
// and new ones, in both orders.
func (t *checkT) rollOver(stores []portable) (tokens []string) {
	t.Helper()
	n := 0
	serve := func(s portable) {
		t.Helper()
		sm := manager(s)
		for i, token := range tokens {
			t.wantSignedIn(s, token, fmt.Sprint("user ", i))
			if i%2 == 0 {
				r := t.request(sm, token)
				sm.Put(r.ctx, "n", n)
				r.end()
				n++
			}
		}
		tokens = append(tokens, t.begin(sm, "user", fmt.Sprint("user ", len(tokens))))
	}
	for i, s := range stores {
		if i > 0 {
			for _, both := range []portable{stores[i-1], s, stores[i-1]} {
				serve(both)
			}
		}
		serve(s)
	}
	return tokens
}

func sealedBegin(t *checkT) {
	key := sealingKey()
	write, read, none := sealing(key), sealing(key), &scskit.Options{}
	write.Plaintext, read.Plaintext = scskit.WritePlaintext, scskit.ReadPlaintext
	stores, d := t.deploys(none, write, read, sealing(key))
	tokens := t.rollOver(stores[:3])
	t.reseal(stores[2])
	for i, token := range tokens {
		t.wantSignedIn(stores[3], token, fmt.Sprint("user ", i))
		if bytes.Contains(t.stored(d, token).Data, []byte("user")) {
			t.Error("after Reseal a record is not sealed")
		}
	}
	tokens = append(tokens, t.rollOver([]portable{stores[3], stores[2], stores[1]})...)
	t.reseal(stores[1]) // and back
	for i, token := range tokens[:len(tokens)/2] {
		t.wantSignedIn(stores[0], token, fmt.Sprint("user ", i))
	}
}

func (t *checkT) reseal(s portable) scskit.Resealed {
	t.Helper()
	r, err := s.Reseal(t.Context())
	if err != nil {
		t.Fatalf("reseal: %v", err)
	}
	if r.Unreadable != 0 {
		t.Fatalf("reseal: %d records are unreadable", r.Unreadable)
	}
	return r
}

func sealedRotation(t *checkT) {
	before, after := sealingKey(), sealingKey()
	stores, _ := t.deploys(sealing(before), sealing(before, after), sealing(after, before),
		sealing(after))
	tokens := t.rollOver(stores[:3])
	t.reseal(stores[2])
	for i, token := range tokens {
		t.wantSignedIn(stores[3], token, fmt.Sprint("user ", i))
	}
}

func sealedRewritten(t *checkT) {
	before, after := sealingKey(), sealingKey()
	stores, _ := t.deploys(sealing(before), sealing(after, before), sealing(after))
	for what, use := range map[string]func(r *request){
		"a save":    func(r *request) { r.sm.Put(r.ctx, "n", 1) },
		"a touch":   func(r *request) { r.age() },
		"a renewal": func(r *request) { r.renew() },
	} {
		sm := manager(stores[0])
		sm.IdleTimeout = lifetime / 4
		token := t.begin(sm, "user", "ada")
		sm = manager(stores[1])
		sm.IdleTimeout = lifetime / 4
		r := t.request(sm, token)
		use(r)
		token, _ = r.end()
		if _, found, err := stores[2].Find(token); !found || err != nil {
			t.Errorf("after %s, without the old key: found %v, error %v", what, found, err)
		}
	}
}

func sealedReseal(t *checkT) {
	before, after := sealingKey(), sealingKey()
	opts := []*scskit.Options{sealing(before), sealing(after, before), sealing(after)}
	for _, o := range opts {
		o.UserKey = "user"
	}
	stores, d := t.deploys(opts...)
	var tokens []string
	var records []driver.Record
	for i := range 5 {
		tokens = append(tokens, t.begin(manager(stores[0]), "user", fmt.Sprint("user ", i)))
		records = append(records, t.stored(d, tokens[i]))
	}
	fresh := t.begin(manager(stores[1]), "user", "fresh")
	if r := t.reseal(stores[1]); r.Records < 6 || r.Resealed != 5 {
		t.Errorf("reseal: read %d records and saved %d, want 6 and 5", r.Records, r.Resealed)
	}
	for i, token := range tokens {
		t.wantSignedIn(stores[2], token, fmt.Sprint("user ", i))
		now, was := t.stored(d, token), records[i]
		if was.Data = now.Data; difference(now, was) != "" {
			t.Errorf("reseal changes the record: %s", difference(now, was))
		}
		t.wantSessions(stores[2], fmt.Sprint("user ", i), token)
	}
	t.wantSignedIn(stores[2], fresh, "fresh")
	if r := t.reseal(stores[1]); r.Resealed != 0 {
		t.Errorf("a second reseal saves %d records, want none", r.Resealed)
	}
	if r, err := stores[2].Reseal(t.Context()); err != nil || r.Resealed != 0 {
		t.Errorf("reseal without the old key: saved %d, error %v", r.Resealed, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stores[1].Reseal(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("reseal: got error %v, want context.Canceled", err)
	}
}

func sealedResealBusy(t *checkT) {
	const sessions, writes = 4, 8
	before, after := sealingKey(), sealingKey()
	stores, _ := t.deploys(sealing(before, after), sealing(after, before), sealing(after))
	var tokens []string
	for i := range sessions {
		tokens = append(tokens, t.begin(manager(stores[0]), "user", fmt.Sprint("user ", i)))
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer t.recovered()
		panicOnFault()
		for !done.Load() {
			if _, err := stores[1].Reseal(t.Context()); err != nil {
				t.Errorf("reseal: %v", err)
				return
			}
		}
	})
	t.each(sessions, func(i int) {
		for n := range writes {
			r := t.request(manager(stores[n%2]), tokens[i]) // both processes write, also under the old key
			r.sm.Put(r.ctx, fmt.Sprint("n", n), n)
			r.end()
		}
	})
	done.Store(true)
	wg.Wait()
	t.reseal(stores[1])
	for i, token := range tokens {
		t.wantSignedIn(stores[2], token, fmt.Sprint("user ", i))
		if got := len(t.values(stores[2], token)); got != writes+1 {
			t.Errorf("the session has %d values, want %d", got, writes+1)
		}
	}
}
