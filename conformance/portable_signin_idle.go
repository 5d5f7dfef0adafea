package conformance

import (
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// portableSignInIdleChecks cover the idle timeout of one session.
var portableSignInIdleChecks = []check{
	{"signin/idle", LevelPortable, signInIdle,
		"SetIdleTimeout: a session may have a shorter or a longer idle timeout than its manager, " +
			"also if that has none; it never outlives its deadline"},
	{"signin/idle-throttled", LevelPortable, signInIdleThrottled,
		"a session with an idle timeout of its own is kept alive by reads, with at most one write in a " +
			"tenth of it"},
	{"signin/idle-merged", LevelPortable, signInIdleMerged,
		"a merge with a concurrent request keeps the idle timeout of a session, and the record's " +
			"expiry follows it"},
	{"signin/idle-removed", LevelPortable, signInIdleRemoved,
		"SetIdleTimeout(0): the manager's idle timeout applies again, whatever another request stores " +
			"meanwhile"},
	{"signin/lifetime", LevelPortable, signInLifetime,
		"SignInOptions.Lifetime: the session has a deadline of its own, anew from each SignIn"},
	{"signin/idle-renewed", LevelPortable, signInIdleRenewed,
		"RenewToken keeps the idle timeout of a session, and Destroy does not"},
}

// use ends a request as an adapter does for a session with an idle timeout: it commits.
func (r *request) use() string {
	r.t.Helper()
	token, _, err := r.sm.Commit(r.ctx)
	if err != nil {
		r.t.Fatalf("commit: %v", err)
	}
	return token
}

// setIdle gives the session an idle timeout of its own.
func (r *request) setIdle(d time.Duration) {
	r.t.Helper()
	if err := scskit.SetIdleTimeout(r.ctx, r.sm, d); err != nil {
		r.t.Fatalf("set the idle timeout: %v", err)
	}
}

// wantIdle checks that the record expires an idle timeout after it was used, or up to a tenth
// later. since is when the use began.
func (t *checkT) wantIdle(d *tap, c *clock, token string, since time.Time, idle time.Duration) {
	t.Helper()
	expiry := t.stored(d, token).Expiry
	least, most := since.Add(idle).Truncate(time.Millisecond), c.Now().Add(idle+idle/10)
	if expiry.Before(least) || expiry.After(most.Add(time.Millisecond)) {
		t.Errorf("the record expires in %v, want %v to %v", expiry.Sub(since), idle, idle+idle/10)
	}
}

func signInIdle(t *checkT) {
	for _, interval := range []time.Duration{0, 20 * time.Minute} {
		for _, managers := range []time.Duration{0, time.Hour} {
			for _, own := range []time.Duration{15 * time.Minute, 5 * time.Hour} {
				t.idle(interval, managers, own)
			}
		}
	}
}

// idle uses a session with an idle timeout of its own until its deadline.
func (t *checkT) idle(interval, managers, own time.Duration) {
	t.Helper()
	c := &clock{}
	s, d := t.newPortable(&scskit.Options{UserKey: "user", TouchInterval: interval, Now: c.Now})
	sm := manager(s)
	sm.Lifetime, sm.IdleTimeout = 12*time.Hour, managers
	since := c.Now()
	token := t.signedIn(sm, "ada", &scskit.SignInOptions{IdleTimeout: own})
	t.wantIdle(d, c, token, since, own)
	read := func(want time.Duration) {
		t.Helper()
		since := c.Now()
		t.request(sm, token).use()
		t.wantIdle(d, c, token, since, want)
	}
	c.forward(own * 9 / 10)
	read(own)

	since = c.Now()
	r := t.request(sm, token)
	r.setIdle(own / 2)
	r.use()
	t.wantIdle(d, c, token, since, own/2)
	read(own / 2)

	// Without a tracker, as with scs's own middleware.
	since = c.Now()
	ctx, err := sm.Load(t.Context(), token)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	sm.Put(ctx, "k", 1)
	if _, _, err := sm.Commit(ctx); err != nil {
		t.Fatalf("commit: %v", err)
	}
	t.wantIdle(d, c, token, since, own/2)

	deadline := c.Now().Add(own / 4).Truncate(time.Millisecond)
	r = t.request(sm, token)
	sm.SetDeadline(r.ctx, deadline)
	r.use()
	if got := t.stored(d, token).Expiry; got.Sub(deadline).Abs() > time.Millisecond {
		t.Errorf("the record expires %v after its deadline", got.Sub(deadline))
	}
	c.forward(own / 3)
	t.wantNone(s, token)
}

func signInIdleRemoved(t *checkT) {
	for _, own := range []time.Duration{15 * time.Minute, 5 * time.Hour} {
		c := &clock{}
		_, d, sm := t.signInPortable(c)
		sm.Lifetime, sm.IdleTimeout = 12*time.Hour, time.Hour
		token := t.signedIn(sm, "ada", &scskit.SignInOptions{IdleTimeout: own})
		since := c.Now()
		removing, other := t.request(sm, token), t.request(sm, token)
		removing.setIdle(0)
		puts(other)
		other.use()
		removing.use()
		t.wantIdle(d, c, token, since, time.Hour)
	}
}

func signInIdleThrottled(t *checkT) {
	const own = 10 * time.Minute
	c := &clock{}
	s, d, sm := t.signInPortable(c)
	sm.Lifetime = 24 * time.Hour
	token := t.signedIn(sm, "ada", &scskit.SignInOptions{IdleTimeout: own})
	before := d.count("save", "touch")
	const reads = 60
	for range reads {
		c.forward(own / 20)
		since := c.Now()
		t.request(sm, token).use()
		t.wantIdle(d, c, token, since, own)
	}
	if n := d.count("save", "touch") - before; n > reads/2+1 {
		t.Errorf("%d writes for %d reads in %v, want at most %d", n, reads, reads*own/20, reads/2+1)
	}
	c.forward(own * 2)
	t.wantNone(s, token)
}

func signInIdleMerged(t *checkT) {
	for name, steps := range map[string]struct {
		first, second func(r *request)
		want          time.Duration
	}{
		"set first":    {setsShort, puts, 15 * time.Minute},
		"set second":   {puts, setsShort, 15 * time.Minute},
		"set longer":   {puts, setsLong, 5 * time.Hour},
		"longer first": {setsLong, puts, 5 * time.Hour},
		"touched":      {setsShort, func(*request) {}, 15 * time.Minute},
	} {
		for _, managers := range []time.Duration{0, time.Hour} {
			c := &clock{}
			_, d, sm := t.signInPortable(c)
			sm.Lifetime, sm.IdleTimeout = 12*time.Hour, managers
			token := t.signedIn(sm, "ada", nil)
			c.forward(10 * time.Minute) // so that requests that only read write too
			first, second := t.request(sm, token), t.request(sm, token)
			steps.first(first)
			steps.second(second)
			since := c.Now()
			first.use()
			second.use()
			t.wantIdle(d, c, token, since, steps.want)
			since = c.Now()
			t.request(sm, token).use()
			if t.wantIdle(d, c, token, since, steps.want); t.Failed() {
				t.Fatalf("%s, with an idle timeout of the manager of %v", name, managers)
			}
		}
	}
}

func setsShort(r *request) { r.setIdle(15 * time.Minute) }

func setsLong(r *request) { r.setIdle(5 * time.Hour) }

func puts(r *request) { r.sm.Put(r.ctx, newToken(), 1) }

func signInIdleRenewed(t *checkT) {
	c := &clock{}
	_, d, sm := t.signInPortable(c)
	sm.Lifetime = 12 * time.Hour
	own := 15 * time.Minute
	token := t.signedIn(sm, "ada", &scskit.SignInOptions{IdleTimeout: own})
	r := t.request(sm, token)
	r.renew()
	t.put(sm, token, "late", 1)
	since := c.Now()
	token = r.stored()
	t.wantIdle(d, c, token, since, own)

	r = t.request(sm, token)
	if err := scskit.SignOut(r.ctx, sm); err != nil {
		t.Fatalf("sign out: %v", err)
	}
	if r.sm.Status(r.ctx) != scs.Destroyed {
		t.Error("the session is not destroyed")
	}
	sm.Put(r.ctx, "k", 1)
	if left := time.Until(t.stored(d, r.stored()).Expiry); left < 11*time.Hour {
		t.Errorf("a session after the sign-out lasts %v: it has the idle timeout of the old one", left)
	}
}

func signInLifetime(t *checkT) {
	c := &clock{}
	_, d, sm := t.signInPortable(c)
	want := func(token string, since time.Time, life time.Duration) {
		t.Helper()
		r := t.request(sm, token)
		got, least := r.sm.Deadline(r.ctx), since.Add(life-time.Second)
		if got.Before(least) || got.After(c.Now().Add(life)) {
			t.Errorf("the deadline is in %v, want %v", got.Sub(since), life)
		}
		if rec := t.stored(d, token); rec.Expiry.Before(least) {
			t.Errorf("the record expires in %v, want %v", rec.Expiry.Sub(since), life)
		}
	}
	const life = 30 * 24 * time.Hour
	since := c.Now()
	token := t.signedIn(sm, "ada", &scskit.SignInOptions{Lifetime: life})
	want(token, since, life)
	c.forward(10 * time.Minute)
	since = c.Now()
	again := t.request(sm, token)
	again.signIn("ada", nil)
	token = again.stored()
	want(token, since, life)
}
