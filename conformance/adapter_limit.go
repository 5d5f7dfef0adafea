package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// adapterLimitChecks cover adapters.Limits.
var adapterLimitChecks = []check{
	{"limit/load", LevelAdapter, limitLoad,
		"Limits.Load: a refused request costs no call of the store, and its handler does not run"},
	{"limit/unknown", LevelAdapter, limitUnknown,
		"Limits.Unknown: is called for tokens without a session, which are reported as KindUnknown; a " +
			"refusal expires the cookie"},
	{"limit/status", LevelAdapter, limitStatus,
		"Limits: without an error handler of the application, the response has the status of the " +
			"hook's error; a hook that panics refuses the request"},
	{"limit/create", LevelAdapter, limitCreate,
		"Limits.Create: bounds the sessions of one client before it signs in, and no others"},
}

var errLimit = errors.New("too many requests")

// statusError is an error with a status.
type statusError int

func (statusError) Error() string { return "too many requests" }

func (e statusError) StatusCode() int { return int(e) }

// limitedSite is a site with hooks for a rate limiter, whose error handler answers 429.
func (t *checkT) limitedSite(l adapters.Limits) *site {
	t.Helper()
	s := t.newSite()
	s.option(adapters.Limit(l))
	s.option(adapters.FailOpen()) // it must not let a refused request pass
	s.app.OnError = func(c Context, err error) error {
		if errors.Is(err, errLimit) {
			return c.Send(http.StatusTooManyRequests, "slow down")
		}
		return c.Send(http.StatusInternalServerError, "sorry")
	}
	s.sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) { // on net/http
		if errors.Is(err, errLimit) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte("slow down"))
		}
	}
	return s
}

// wantLimited checks that a request was refused.
func (a *answer) wantLimited(t *checkT) {
	t.Helper()
	a.want(t, http.StatusTooManyRequests, "slow down")
	a.wantNoCookie(t)
}

func limitLoad(t *checkT) {
	var refuse atomic.Bool
	s := t.limitedSite(adapters.Limits{Load: func(context.Context) error {
		if refuse.Load() {
			return errLimit
		}
		return nil
	}})
	var ran atomic.Int32
	s.route("/count", func(c Context) error {
		ran.Add(1)
		return c.Send(http.StatusOK, "counted")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	calls := w.count()
	refuse.Store(true)
	b.get("/count").wantLimited(t)
	if n := w.count() - calls; n != 0 {
		t.Errorf("a refused request calls the store %d times", n)
	}
	if ran.Load() != 0 {
		t.Error("the handler of a refused request runs")
	}
	s.browser().get("/count").want(t, http.StatusOK, "counted") // without a token
	refuse.Store(false)
	b.wantValue("k", "v")
}

func limitUnknown(t *checkT) {
	var unknown atomic.Int32
	var log eventLog
	s := t.limitedSite(adapters.Limits{Unknown: func(context.Context) error {
		if unknown.Add(1) > 2 {
			return errLimit
		}
		return nil
	}})
	s.option(adapters.Observe(log.observe))
	s.open()
	b := s.browser()
	b.put("k", "v")
	b.wantValue("k", "v")
	guess := newToken()
	for range 2 {
		s.with(guess).get("/keys").want(t, http.StatusOK, "keys ")
	}
	refused := s.with(guess).get("/keys")
	refused.want(t, http.StatusTooManyRequests, "slow down")
	if c := refused.session(t); c == nil || !c.deletes() {
		t.Error("the response to an unknown token that is refused does not expire the cookie")
	}
	b.wantValue("k", "v")
	if n := unknown.Load(); n != 3 {
		t.Errorf("the hook is called %d times for three guesses and four other requests", n)
	}
	events := log.of(scskit.KindUnknown)
	if len(events) != 3 || events[0].ID != scskit.HashToken(guess) {
		t.Errorf("%d events of the kind unknown, want 3 with the hash of the token", len(events))
	}
}

func limitCreate(t *checkT) {
	var created atomic.Int32
	s := t.limitedSite(adapters.Limits{Create: func(context.Context) error {
		if created.Add(1) > 2 {
			return errLimit
		}
		return nil
	}})
	s.open()
	b := s.browser()
	b.put("k", "v")
	b.put("k", "w")
	b.get("/renew").want(t, http.StatusOK, "renewed")
	s.browser().get("/keys").want(t, http.StatusOK, "keys ")
	s.browser().put("k", "v")
	s.browser().put("k", "v").wantLimited(t)
	b.wantValue("k", "w")
	b.put("k", "x")
	b.wantValue("k", "x")
}

func limitStatus(t *checkT) {
	var hook atomic.Pointer[func() error]
	set := func(f func() error) { hook.Store(&f) }
	set(func() error { return nil })
	s := t.newSite()
	load := func(context.Context) error { return (*hook.Load())() }
	s.option(adapters.Limit(adapters.Limits{Load: load}))
	s.sm.ErrorFunc = nil // on net/http
	s.open()
	b := s.browser()
	b.put("k", "v")
	set(func() error { return statusError(http.StatusTooManyRequests) })
	if a := b.get("/keys"); a.status != http.StatusTooManyRequests {
		t.Errorf("the error of the hook has status 429: the response has %d", a.status)
	}
	set(func() error { panic("in the limiter") })
	if a := b.get("/keys"); a.status != http.StatusInternalServerError {
		t.Errorf("the hook panics: the response has status %d, want 500", a.status)
	}
	set(func() error { return nil })
	b.wantValue("k", "v")
}
