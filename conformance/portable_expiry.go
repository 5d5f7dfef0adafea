package conformance

import (
	"context"
	"time"

	"github.com/scskit/scskit"
)

// portableExpiryChecks cover deadlines, idle timeouts and Options.TouchInterval.
var portableExpiryChecks = []check{
	{"expiry/tracked-past", LevelPortable, expiryTrackedPast,
		"a tracked commit whose expiry has passed leaves no record, and LastCommit reports CommitGone"},
	{"expiry/absolute", LevelPortable, expiryAbsolute,
		"OWASP: with any touch interval, the idle timeout never exceeds the " +
			"absolute deadline of the session"},
	{"expiry/touch-throttled", LevelPortable, expiryTouchThrottled,
		"a session that is only read is written at most once in a touch interval"},
	{"expiry/touch-never-early", LevelPortable, expiryTouchNeverEarly,
		"the touch interval never ends a session before the idle timeout that scs has set"},
	{"expiry/merged", LevelPortable, expiryMerged,
		"a merge never ends a session before the idle timeout that either request has set"},
	{"expiry/deadline-moved", LevelPortable, expiryDeadlineMoved,
		"SessionManager.SetDeadline moves the expiry of the record, to an earlier or a later time"},
	{"expiry/idle-shortened", LevelPortable, expiryIdleShortened,
		"a shorter idle timeout applies to a session that is only read, from its next request on"},
}

func expiryTrackedPast(t *checkT) {
	s, d := t.newPortable(nil)
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
			t.Errorf("commit with a past expiry: state %d, want Gone", c.State)
		}
		t.wantNone(s, token)
		if _, err := d.Driver.Load(t.Context(), idOf(token)); err == nil {
			t.Error("the driver still has a live record")
		}
	}
}

func expiryAbsolute(t *checkT) {
	for _, interval := range []time.Duration{0, -1, time.Minute, 24 * time.Hour} {
		s, d := t.newPortable(&scskit.Options{TouchInterval: interval})
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
				t.Fatalf("touch interval %v: the record expires %v after the deadline", interval,
					got.Sub(deadline))
			} else if got.Before(expiry.Truncate(time.Millisecond)) {
				t.Fatalf("touch interval %v: the record expires %v before the idle timeout", interval,
					expiry.Sub(got))
			}
		}
	}
}

// trackedCommit loads and commits a session without a change.
func (t *checkT) trackedCommit(s portable, token string, data []byte, expiry time.Time) {
	t.Helper()
	ctx := scskit.WithTracker(t.Context())
	if _, _, err := s.FindCtx(ctx, token); err != nil {
		t.Fatalf("find: %v", err)
	}
	if err := s.CommitCtx(ctx, token, data, expiry); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// reads describes a session with an idle timeout that is read n times, once a step.
type reads struct {
	interval, idle, step time.Duration
	n                    int
	writes               int // the number allowed
}

var readCases = []reads{
	{interval: 10 * time.Minute, idle: time.Hour, step: time.Minute, n: 60, writes: 6},
	// The default touch interval is a tenth of the idle timeout, at most a minute.
	{interval: 0, idle: 20 * time.Minute, step: 10 * time.Second, n: 60, writes: 10},
	// A tenth of the idle timeout: 30 s.
	{interval: 0, idle: 5 * time.Minute, step: 10 * time.Second, n: 30, writes: 10},
}

// play reads the session n times, with an expiry that moves on by the step each time, and calls
// seen after each.
func (r reads) play(t *checkT, seen func(promised, stored time.Time)) (writes int) {
	s, d := t.newPortable(&scskit.Options{TouchInterval: r.interval})
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

func expiryTouchThrottled(t *checkT) {
	for _, r := range readCases {
		if n := r.play(t, func(_, _ time.Time) {}); n > r.writes {
			t.Errorf("touch interval %v, idle timeout %v: %d writes for %d reads in %v, want at most %d",
				r.interval, r.idle, n, r.n, time.Duration(r.n)*r.step, r.writes)
		}
	}
}

func expiryTouchNeverEarly(t *checkT) {
	for _, r := range readCases {
		r.play(t, func(promised, stored time.Time) {
			if stored.Before(promised.Truncate(time.Millisecond)) {
				t.Fatalf("touch interval %v: the record expires %v before the expiry that scs has set",
					r.interval, promised.Sub(stored))
			}
		})
	}
}

func expiryMerged(t *checkT) {
	s, d := t.newPortable(&scskit.Options{TouchInterval: -1})
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
	data := t.encodeUntil(deadline, map[string]any{"k": 1, "late": 1})
	if err := s.CommitCtx(late, token, data, promised); err != nil {
		t.Fatalf("commit: %v", err)
	}
	data = t.encodeUntil(deadline, map[string]any{"k": 1, "early": 1})
	if err := s.CommitCtx(early, token, data, in(2*time.Hour)); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if got := t.stored(d, token).Expiry; got.Before(promised.Truncate(time.Millisecond)) {
		t.Errorf("the merged record expires %v before the later of the two expiries", promised.Sub(got))
	}
	t.wantValues(t.values(s, token), "map[early:1 k:1 late:1]")
}

func expiryDeadlineMoved(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	for _, deadline := range []time.Time{in(5 * time.Minute), in(5 * time.Hour)} {
		r := t.request(sm, token)
		sm.SetDeadline(r.ctx, deadline)
		r.end()
		if off := t.stored(d, token).Expiry.Sub(deadline).Abs(); off > time.Second {
			t.Errorf("the record's expiry differs by %v from the new deadline", off)
		}
	}
}

func expiryIdleShortened(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	sm.Lifetime, sm.IdleTimeout = 90*24*time.Hour, 30*24*time.Hour
	token := t.begin(sm, "k", 1)
	sm.IdleTimeout = 20 * time.Minute
	began := time.Now()
	t.request(sm, token).end()
	expiry := t.stored(d, token).Expiry
	least, most := began.Add(20*time.Minute), time.Now().Add(22*time.Minute)
	if expiry.Before(least) || expiry.After(most) {
		t.Errorf("the record expires in %v, want the idle timeout of 20 minutes", time.Until(expiry))
	}
	writes := d.count("save", "touch")
	t.request(sm, token).end()
	if n := d.count("save", "touch") - writes; n != 0 {
		t.Errorf("the next request caused %d writes, want none", n)
	}
}
