package conformance

import (
	"time"

	"github.com/scskit/scskit"
)

// portableReuseChecks cover the use of a token long after its session was renewed.
var portableReuseChecks = []check{
	{"renewal/reuse", LevelPortable, renewalReuse,
		"KindReuse: the use of a token that was renewed earlier is reported, and opens nothing"},
	{"renewal/end-on-reuse", LevelPortable, renewalEndOnReuse,
		"Options.EndOnReuse: the use of a token that was renewed earlier ends the user's sessions"},
}

// renewedSession creates a session of ada, renews it, and returns both tokens.
func (t *checkT) renewedSession(s portable) (old, renewed string) {
	t.Helper()
	sm := manager(s)
	old = t.begin(sm, "user", "ada")
	r := t.request(sm, old)
	r.renew()
	renewed, _ = r.end()
	return old, renewed
}

// later returns the options with a clock that is a minute ahead.
func later(opts scskit.Options) *scskit.Options {
	opts.Now = func() time.Time { return time.Now().Add(time.Minute) }
	return &opts
}

func renewalReuse(t *checkT) {
	var log eventLog
	opts := scskit.Options{UserKey: "user", Observer: log.observe}
	s, d := t.newPortable(&opts)
	old, renewed := t.renewedSession(s)
	r := t.request(manager(s), old)
	if keys := r.sm.Keys(r.ctx); len(keys) > 0 || len(log.of(scskit.KindReuse)) > 0 {
		t.Errorf("right after the renewal: keys %v, %d events of the kind reuse", keys,
			len(log.of(scskit.KindReuse)))
	}
	s = t.portableOver(d.Driver, later(opts))
	r = t.request(manager(s), old)
	if keys := r.sm.Keys(r.ctx); len(keys) > 0 {
		t.Errorf("the old token opens a session with the keys %v", keys)
	}
	events := log.of(scskit.KindReuse)
	if len(events) != 1 || events[0].ID != scskit.HashToken(old) {
		t.Errorf("%d events of the kind reuse, want 1, of the old token", len(events))
	}
	t.wantSignedIn(s, renewed, "ada")
}

func renewalEndOnReuse(t *checkT) {
	opts := scskit.Options{UserKey: "user", EndOnReuse: true}
	s, d := t.newPortable(&opts)
	old, renewed := t.renewedSession(s)
	other, bob := t.begin(manager(s), "user", "ada"), t.begin(manager(s), "user", "bob")
	t.wantSessions(s, "ada", renewed, other)
	t.request(manager(s), old)
	t.wantSessions(s, "ada", renewed, other)
	s = t.portableOver(d.Driver, later(opts))
	t.request(manager(s), old)
	for _, token := range []string{renewed, other} {
		if !t.gone(s, token) {
			t.Error("a session of the user is live")
		}
	}
	t.wantSignedIn(s, bob, "bob")
}
