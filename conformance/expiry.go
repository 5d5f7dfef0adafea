package conformance

import (
	"context"
	"time"

	"github.com/scskit/scskit"
)

// expiryChecks hold a store to the expiry that scs gives it. The backend's own clock
// decides, so they wait for it.
var expiryChecks = []check{
	{"expiry/expired", "scs.Store: an expired session is not found, whether or not anything has " +
		"cleaned up", LevelStore, expiryExpired},
	{"expiry/sub-second", "a session ends when it should, not at the full second before or " +
		"after", LevelStore, expirySubSecond},
	{"expiry/past", "an expiry in the past stores nothing that is found, and nothing that lives " +
		"for ever (a Redis SET with a negative TTL does)", LevelStore, expiryPast},
	{"expiry/past-overwrites", "an expiry in the past ends the session that was " +
		"there", LevelStore, expiryPastOverwrites},
	{"expiry/extend", "scs.Store: committing an existing token overwrites its expiry: an idle " +
		"time-out slides", LevelStore, expiryExtend},
	{"expiry/shorten", "scs.Store: committing an existing token overwrites its expiry, also " +
		"with an earlier one", LevelStore, expiryShorten},
	{"expiry/far-future", "dates beyond 2038 and 2100 are dates", LevelStore, expiryFarFuture},
	{"expiry/zone-west", "an expiry is a moment, in whatever zone it is written: a session does " +
		"not end early", LevelStore, expiryZoneWest},
	{"expiry/zone-east", "an expiry is a moment, in whatever zone it is written: a session does " +
		"not end late", LevelStore, expiryZoneEast},
	{"expiry/reuse", "a token whose session has expired can be committed again before anything " +
		"has cleaned up", LevelStore, expiryReuse},
	{"expiry/tracked-past", "a tracked commit whose expiry has passed leaves no record, and " +
		"says so", LevelPortable, expiryTrackedPast},
	{"expiry/absolute", "OWASP: the idle time-out never outlives the session's absolute " +
		"deadline, slack included", LevelPortable, expiryAbsolute},
	{"expiry/touch-throttled", "a session that is only read is written once per touch interval " +
		"at most", LevelPortable, expiryTouchThrottled},
	{"expiry/touch-never-early", "throttling ends no session before the idle time-out that scs " +
		"promised", LevelPortable, expiryTouchNeverEarly},
	{"expiry/merged", "a merge ends no session before the idle time-out that either request was " +
		"promised", LevelPortable, expiryMerged},
	{"expiry/deadline-moved", "SessionManager.SetDeadline decides when the record ends, earlier " +
		"as well as later", LevelPortable, expiryDeadlineMoved},
}

func expiryExpired(t *T) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("data"), expiry)
	if t.gone(s, token) && time.Now().Before(expiry) {
		t.Fatal("find: the session is not found before its expiry")
	}
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
	t.wantNone(s, token)
	t.remove(s, token)
}

func expirySubSecond(t *T) {
	s := t.newStore()
	second := in(1100 * time.Millisecond).Truncate(time.Second)
	early, late := newToken(), newToken()
	t.commit(s, early, []byte("data"), second.Add(100*time.Millisecond))
	t.commit(s, late, []byte("data"), second.Add(900*time.Millisecond))
	t.pause(time.Until(second.Add(50 * time.Millisecond)))
	if t.gone(s, late) && time.Now().Before(second.Add(900*time.Millisecond)) {
		t.Fatal("find: the session ended at the full second before its expiry")
	}
	t.until(second.Add(100*time.Millisecond+patience), "an expired session is not found",
		func() bool { return t.gone(s, early) })
}

func expiryPast(t *T) {
	s := t.newStore()
	for _, ago := range []time.Duration{2 * time.Second, time.Hour, 30 * 365 * 24 * time.Hour} {
		token := newToken()
		// An error is an answer too; what counts is what is there afterwards.
		_ = commitCtx(t.Context(), s, token, []byte("data"), in(-ago))
		t.wantNone(s, token)
	}
}

func expiryPastOverwrites(t *T) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	t.commit(s, token, []byte("data"), in(-time.Minute))
	t.wantNone(s, token)
}

func expiryExtend(t *T) {
	s := t.newStore()
	token := newToken()
	first := in(2 * t.short())
	t.commit(s, token, []byte("data"), first)
	t.commit(s, token, []byte("data"), in(lifetime))
	t.pause(time.Until(first.Add(patience / 5)))
	t.wantData(s, token, []byte("data"))
}

func expiryShorten(t *T) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	second := in(t.short())
	t.commit(s, token, []byte("data"), second)
	t.until(second.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
}

func expiryFarFuture(t *T) {
	s := t.newStore()
	for _, year := range []int{2039, 2107, 2200} {
		token := newToken()
		t.commit(s, token, []byte("data"), time.Date(year, 2, 28, 23, 59, 59, 0, time.UTC))
		t.wantData(s, token, []byte("data"))
	}
}

func expiryZoneWest(t *T) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime).In(time.FixedZone("west", -11*60*60)))
	t.wantData(s, token, []byte("data"))
}

func expiryZoneEast(t *T) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("data"), expiry.In(time.FixedZone("east", 13*60*60)))
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
}

func expiryReuse(t *T) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("before"), expiry)
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
	t.commit(s, token, []byte("after"), in(lifetime))
	t.wantData(s, token, []byte("after"))
}

func expiryTrackedPast(t *T) {
	s, d := t.newKit(nil)
	token := t.begin(manager(s), "k", 1)
	ctx := scskit.WithTracker(t.Context())
	data, _, err := s.FindCtx(ctx, token)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	for _, token := range []string{token, newToken()} {
		if err := s.CommitCtx(ctx, token, data, in(-time.Second)); err != nil {
			t.Fatalf("commit: %v", err)
		}
		if c, _ := scskit.LastCommit(ctx, token); c.State != scskit.CommitGone {
			t.Errorf("a commit that has expired: state %d, want Gone", c.State)
		}
		t.wantNone(s, token)
		if _, err := d.Driver.Load(t.Context(), idOf(token)); err == nil {
			t.Error("the driver still has a live record")
		}
	}
}

func expiryAbsolute(t *T) {
	for _, interval := range []time.Duration{0, -1, time.Minute, 24 * time.Hour} {
		s, d := t.newKit(&scskit.Options{TouchInterval: interval})
		deadline := in(30 * time.Minute)
		data := t.encodeUntil(deadline, map[string]any{"k": 1})
		token := newToken()
		for _, idle := range []time.Duration{10 * time.Minute, 20 * time.Minute,
			29*time.Minute + 59*time.Second, 30 * time.Minute} {
			expiry := in(idle)
			if expiry.After(deadline) {
				expiry = deadline
			}
			t.trackedCommit(s, token, data, expiry)
			if got := t.stored(d, token).Expiry; got.After(deadline.Add(time.Millisecond)) {
				t.Fatalf("touch interval %v: the record outlives the deadline by %v", interval,
					got.Sub(deadline))
			} else if got.Before(expiry.Truncate(time.Millisecond)) {
				t.Fatalf("touch interval %v: the record ends %v before its expiry", interval, expiry.Sub(got))
			}
		}
	}
}

// trackedCommit does what one request does with a session that it leaves as it is.
func (t *T) trackedCommit(s portable, token string, data []byte, expiry time.Time) {
	t.Helper()
	ctx := scskit.WithTracker(t.Context())
	if _, _, err := s.FindCtx(ctx, token); err != nil {
		t.Fatalf("find: %v", err)
	}
	if err := s.CommitCtx(ctx, token, data, expiry); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// reads describes a session that is read every step, with an idle time-out.
type reads struct {
	interval, idle, step time.Duration
	n                    int
	writes               int // that are allowed
}

var readCases = []reads{
	{interval: 10 * time.Minute, idle: time.Hour, step: time.Minute, n: 60, writes: 6},
	// the cap: a minute
	{interval: 0, idle: 20 * time.Minute, step: 10 * time.Second, n: 60, writes: 10},
	// a tenth: at least 30 s
	{interval: 0, idle: 5 * time.Minute, step: 10 * time.Second, n: 30, writes: 10},
}

// play reads the session, with expiries that move on by the step as if time did, and
// tells seen after each.
func (r reads) play(t *T, seen func(promised, stored time.Time)) (writes int) {
	s, d := t.newKit(&scskit.Options{TouchInterval: r.interval})
	data := t.encodeUntil(in(24*time.Hour), map[string]any{"k": 1})
	token := newToken()
	first := in(r.idle)
	t.trackedCommit(s, token, data, first)
	before := d.count("save", "touch")
	for i := 1; i <= r.n; i++ {
		promised := first.Add(time.Duration(i) * r.step)
		t.trackedCommit(s, token, data, promised)
		seen(promised, t.stored(d, token).Expiry)
	}
	return d.count("save", "touch") - before
}

func expiryTouchThrottled(t *T) {
	for _, r := range readCases {
		if n := r.play(t, func(_, _ time.Time) {}); n > r.writes {
			t.Errorf("touch interval %v, idle time-out %v: %d writes for %d reads in %v, want at most %d",
				r.interval, r.idle, n, r.n, time.Duration(r.n)*r.step, r.writes)
		}
	}
}

func expiryTouchNeverEarly(t *T) {
	for _, r := range readCases {
		r.play(t, func(promised, stored time.Time) {
			if stored.Before(promised.Truncate(time.Millisecond)) {
				t.Fatalf("touch interval %v: the record ends %v before the expiry that scs promised",
					r.interval, promised.Sub(stored))
			}
		})
	}
}

func expiryMerged(t *T) {
	s, d := t.newKit(&scskit.Options{TouchInterval: -1})
	deadline := in(24 * time.Hour)
	token := newToken()
	t.trackedCommit(s, token, t.encodeUntil(deadline, map[string]any{"k": 1}), in(time.Hour))
	early, late := scskit.WithTracker(t.Context()), scskit.WithTracker(t.Context())
	for _, ctx := range []context.Context{early, late} {
		if _, _, err := s.FindCtx(ctx, token); err != nil {
			t.Fatalf("find: %v", err)
		}
	}
	promised := in(3 * time.Hour)
	if err := s.CommitCtx(late, token, t.encodeUntil(deadline, map[string]any{"k": 1, "late": 1}),
		promised); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if err := s.CommitCtx(early, token, t.encodeUntil(deadline, map[string]any{"k": 1, "early": 1}),
		in(2*time.Hour)); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if got := t.stored(d, token).Expiry; got.Before(promised.Truncate(time.Millisecond)) {
		t.Errorf("the merged record ends %v before the expiry that was promised", promised.Sub(got))
	}
	t.wantValues(t.values(s, token), "map[early:1 k:1 late:1]")
}

func expiryDeadlineMoved(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	for _, deadline := range []time.Time{in(5 * time.Minute), in(5 * time.Hour)} {
		r := t.request(sm, token)
		sm.SetDeadline(r.ctx, deadline)
		r.end()
		if off := t.stored(d, token).Expiry.Sub(deadline).Abs(); off > time.Second {
			t.Errorf("the record's expiry is %v off the deadline that was set", off)
		}
	}
}
