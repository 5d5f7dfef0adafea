package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"crypto/rand"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableSealedChecks cover Options.Keys and Options.OnUnreadable.
var portableSealedChecks = []check{
	{"sealed/stored", LevelPortable, sealedStored,
		"Options.Keys: no stored byte shows what a session holds, and other processes can read it"},
	{"sealed/altered", LevelPortable, sealedAltered,
		"a sealed record that was altered or cut does not open, and leads to a new session"},
	{"sealed/copied", LevelPortable, sealedCopied,
		"a sealed record that was copied to another id does not open"},
	{"sealed/expiry-moved", LevelPortable, sealedExpiryMoved,
		"a session ends at its deadline, although somebody has moved the expiry of its record"},
	{"sealed/plaintext", LevelPortable, sealedPlaintext,
		"with keys, a session that an attacker has stored unsealed is refused"},
	{"sealed/unknown-key", LevelPortable, sealedUnknownKey,
		"a record under an unknown key fails the request and stays, for a process that has the key"},
	{"sealed/misconfigured", LevelPortable, sealedMisconfigured,
		"Options.OnUnreadable: a process that can read no record does not empty the store"},
	{"sealed/kept-aside", LevelPortable, sealedKeptAside,
		"KeepCorrupt: keeps a damaged record, and the request goes on with a new session"},
	{"sealed/mended", LevelPortable, sealedMended,
		"a damaged record that another process saves anew meanwhile is not deleted"},
	{"sealed/limit", LevelPortable, sealedLimit,
		"the limit of the backend includes what sealing adds"},
	{"sealed/user", LevelPortable, sealedUser,
		"a user's sealed sessions are found and destroyed, also after a renewal"},
}

// sealingKey returns a random key for Options.Keys.
func sealingKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// sealing returns the options of a store with the keys.
func sealing(keys ...[]byte) *scskit.Options { return &scskit.Options{Keys: keys} }

// wantSignedIn ends the check unless the session of the token has the user.
func (t *checkT) wantSignedIn(s portable, token, user string) {
	t.Helper()
	r := t.request(manager(s), token)
	if got := r.sm.GetString(r.ctx, "user"); got != user {
		t.Fatalf("the session has the user %q, want %q", got, user)
	}
}

func sealedStored(t *checkT) {
	const secret = "4929-1234-5678-9012"
	s, d := t.newPortable(sealing(sealingKey()))
	r := t.request(manager(s), "")
	r.sm.Put(r.ctx, "card", secret)
	token, _ := r.end()
	rec := t.stored(d, token)
	for _, clear := range []string{"card", secret, secret[5:14]} {
		if bytes.Contains(rec.Data, []byte(clear)) {
			t.Errorf("the stored record shows %q", clear)
		}
	}
	again := t.stored(d, token)
	r = t.request(manager(s), token)
	r.sm.Put(r.ctx, "card", secret+" ")
	r.sm.Put(r.ctx, "card", secret)
	r.sm.Put(r.ctx, "n", 1)
	r.end()
	if now := t.stored(d, token); bytes.Equal(now.Data[:19], again.Data[:19]) {
		t.Error("two saves have the same nonce")
	}
	t.wantValues(t.values(s, token), "map[card:"+secret+" n:1]")
	all := t.all(s)
	if len(all) != 1 {
		t.Errorf("all: %d sessions, want 1", len(all))
	}
	for _, data := range all {
		if !bytes.Contains(data, []byte(secret)) {
			t.Error("all: the session is not opened")
		}
	}
}

// alter saves the record of a token with other data, bypassing the store.
func (t *checkT) alter(d *tap, token string, data []byte) {
	t.Helper()
	rec := t.stored(d, token)
	rec.Data = data
	t.save(d.Driver, rec, driver.Always())
}

func sealedAltered(t *checkT) {
	s, d := t.newPortable(sealing(sealingKey()))
	sm := manager(s)
	good := t.begin(sm, "user", "ada")
	token := t.begin(sm, "user", "bob")
	sealed := t.stored(d, token).Data
	refused := func(what string, data []byte) {
		t.Helper()
		t.plant(d, token, data)
		t.wantSignedIn(s, good, "ada") // so that the store does not suspect its keys
		ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
		if err == nil && len(sm.Keys(ctx)) > 0 {
			t.Errorf("%s: the session has the keys %v", what, sm.Keys(ctx))
		}
	}
	for _, at := range []int{0, 1, 2, 3, 6, 7, 18, 19, len(sealed) - 17, len(sealed) - 1} {
		flipped := bytes.Clone(sealed)
		flipped[at] ^= 0x10
		refused(fmt.Sprintf("bit flipped in byte %d", at), flipped)
		refused(fmt.Sprintf("cut to %d bytes", at), sealed[:at])
		t.plant(d, token, sealed)
	}
	refused("a byte more", append(bytes.Clone(sealed), 0))
	t.plant(d, token, sealed)
	t.wantSignedIn(s, token, "bob")
}

func sealedCopied(t *checkT) {
	s, d := t.newPortable(sealing(sealingKey()))
	sm := manager(s)
	admin, mine := t.begin(sm, "user", "admin"), t.begin(sm, "user", "mallory")
	t.alter(d, mine, t.stored(d, admin).Data)
	r := t.request(sm, mine)
	if user := sm.GetString(r.ctx, "user"); user != "" {
		t.Errorf("the copied record opens: the user is %q", user)
	}
	t.wantSignedIn(s, admin, "admin")
}

func sealedExpiryMoved(t *checkT) {
	s, d := t.newPortable(nil)
	token := newToken()
	t.plant(d, token, t.encodeUntil(in(-time.Second), map[string]any{"user": "ada"}))
	r := t.request(manager(s), token)
	if keys := r.sm.Keys(r.ctx); len(keys) > 0 {
		t.Errorf("the session has the keys %v, want none", keys)
	}
	r.sm.Put(r.ctx, "k", 1)
	if fresh, state := r.end(); state != scskit.CommitStored || fresh == token {
		t.Errorf("new session: state %d, want Stored under a new token", state)
	}
}

func sealedPlaintext(t *checkT) {
	s, d := t.newPortable(sealing(sealingKey()))
	token := newToken()
	t.plant(d, token, t.encode(map[string]any{"user": "admin"}))
	sm := manager(s)
	ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
	if err == nil && sm.GetString(ctx, "user") != "" {
		t.Error("the unsealed session is accepted")
	}
	if !errors.Is(err, scskit.ErrPlaintext) {
		t.Errorf("load: got error %v, want ErrPlaintext", err)
	}
}

func sealedUnknownKey(t *checkT) {
	key := sealingKey()
	stores, d := t.deploys(sealing(key), sealing(sealingKey()), &scskit.Options{})
	token := t.begin(manager(stores[0]), "user", "ada")
	rec := t.stored(d, token)
	for i, s := range stores[1:] {
		for range 2 {
			_, err := manager(s).Load(scskit.WithTracker(t.Context()), token)
			if !errors.Is(err, scskit.ErrUnknownKey) && (i == 0 || !errors.Is(err, scskit.ErrNewer)) {
				t.Errorf("load without the key: got error %v, want ErrUnknownKey", err)
			}
		}
		if diff := difference(t.stored(d, token), rec); diff != "" {
			t.Errorf("a process without the key changes the record: %s", diff)
		}
	}
	r := t.request(manager(stores[0]), token)
	r.sm.Put(r.ctx, "n", 1)
	r.end()
	t.wantSignedIn(stores[0], token, "ada")
}

func sealedMisconfigured(t *checkT) {
	const sessions = 25
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
	var tokens []string
	for range sessions {
		token := newToken()
		t.plant(d, token, []byte("what another codec has written"))
		tokens = append(tokens, token)
	}
	sm := manager(s)
	for _, token := range tokens {
		for range 2 {
			_, _ = sm.Load(scskit.WithTracker(t.Context()), token)
		}
	}
	kept := 0
	for _, token := range tokens {
		if _, err := d.Driver.Load(t.Context(), idOf(token)); err == nil {
			kept++
		}
	}
	if kept < sessions-10 {
		t.Errorf("a process that cannot read any of %d records deletes %d, want at most 10", sessions,
			sessions-kept)
	}
	if n := len(log.of(scskit.KindUnreadable)); n != 1 {
		t.Errorf("%d events of the kind unreadable, want 1", n)
	}
	t.wantSignedIn(s, t.begin(sm, "user", "ada"), "ada") // any process can read its own
	if _, err := sm.Load(scskit.WithTracker(t.Context()), tokens[sessions-1]); err == nil {
		t.Error("damage, after a session of this process was readable: load: got no error")
	}
	older := newToken()
	t.plant(d, older, t.encode(map[string]any{"user": "ada"}))
	t.wantSignedIn(s, older, "ada")
	if _, err := sm.Load(scskit.WithTracker(t.Context()), tokens[sessions-1]); err != nil {
		t.Errorf("damage, after an older record was readable: load: %v", err)
	}
}

func sealedKeptAside(t *checkT) {
	var log eventLog
	opts := sealing(sealingKey())
	opts.OnUnreadable, opts.Observer = scskit.KeepCorrupt, log.observe
	s, d := t.newPortable(opts)
	sm := manager(s)
	token := t.begin(sm, "user", "ada")
	rec := t.stored(d, token)
	rec.Data[len(rec.Data)-1] ^= 1
	t.save(d.Driver, rec, driver.Always())
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 1)
	if fresh, state := r.end(); state != scskit.CommitStored || fresh == token {
		t.Errorf("new session: state %d, want Stored under a new token", state)
	}
	if diff := difference(t.stored(d, token), rec); diff != "" {
		t.Errorf("the damaged record is changed: %s", diff)
	}
	if n := len(log.of(scskit.KindCorrupt)); n != 1 {
		t.Errorf("%d events of the kind corrupt, want 1", n)
	}
}

func sealedMended(t *checkT) {
	s, d := t.newPortable(sealing(sealingKey()))
	token := t.begin(manager(s), "user", "ada")
	good := t.stored(d, token)
	damaged := good
	damaged.Data = append([]byte(nil), good.Data...)
	damaged.Data[len(damaged.Data)-1] ^= 1
	damaged.Version = good.Version ^ 1
	t.save(d.Driver, damaged, driver.Always())
	d.on(func(ctx context.Context, op, _ string) error {
		if op == "delete" {
			return d.Driver.Save(ctx, good, driver.Always())
		}
		return nil
	})
	t.wantSignedIn(s, token, "ada")
	d.on(nil)
	t.wantSignedIn(s, token, "ada")
}

func sealedLimit(t *checkT) {
	_, d := t.newPortable(nil)
	const limit = 1000
	s := t.portableOver(&limited{Driver: d.Driver, limit: limit}, sealing(sealingKey()))
	fits := func(size int) error {
		return s.CommitCtx(t.Context(), newToken(), make([]byte, size), in(lifetime))
	}
	largest := 0
	for size := limit - 64; size <= limit; size++ {
		err := fits(size)
		switch {
		case err == nil:
			largest = size
		case !errors.Is(err, driver.ErrTooLarge):
			t.Errorf("%d bytes: got error %v, want a *driver.TooLargeError", size, err)
		}
	}
	if largest < limit-40 || largest >= limit {
		t.Errorf("the largest session has %d bytes, want nearly %d", largest, limit)
	}
}

// limited is a driver with a limit of its own, which it enforces with an error that is not a
// *driver.TooLargeError.
type limited struct {
	driver.Driver
	limit int
}

func (l *limited) MaxData() int { return l.limit }

func (l *limited) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if len(rec.Data) > l.limit {
		return fmt.Errorf("the backend gets %d bytes, more than its limit", len(rec.Data))
	}
	return l.Driver.Save(ctx, rec, cond)
}

func sealedUser(t *checkT) {
	opts := sealing(sealingKey())
	opts.UserKey = "user"
	s, d := t.newPortable(opts)
	sm := manager(s)
	mine, other := t.begin(sm, "user", "ada"), t.begin(sm, "user", "bob")
	r := t.request(sm, mine)
	r.renew()
	renewed, _ := r.end()
	t.wantSessions(s, "ada", renewed)
	t.soon("the renewed session is destroyed", func() bool {
		if _, err := s.DestroySessionsOf(t.Context(), "ada"); err != nil {
			t.Fatalf("destroy: %v", err)
		}
		return t.gone(s, renewed)
	})
	t.wantSignedIn(s, other, "bob")
	if _, ok := driver.As[driver.UserIndex](d.Driver); !ok {
		return
	}
	s = t.portableOver(d.Driver, &scskit.Options{UserKey: "user"}) // a process without the key
	t.soon("a session that cannot be read is destroyed", func() bool {
		if _, err := s.DestroySessionsOf(t.Context(), "bob"); err != nil {
			t.Fatalf("destroy: %v", err)
		}
		_, err := d.Driver.Load(t.Context(), idOf(other))
		return errors.Is(err, driver.ErrNotFound)
	})
}
