package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/scskit/scskit/adapters"
)

// adapterErrorChecks cover handlers that fail or panic, and sessions that cannot be loaded. A store
// that fails to commit is the subject of pairFailureChecks and pairPolicyChecks.
var adapterErrorChecks = []check{
	{"adapter/handler-error", LevelAdapter, errorHandler,
		"the cookie and the record agree: an error that the application's error handler answers"},
	{"adapter/handler-error-default", LevelAdapter, errorDefault,
		"the cookie and the record agree: an error that the framework's own error handler answers"},
	{"adapter/error-reset", LevelAdapter, errorReset,
		"the cookie and the record agree: an error handler that resets the response first"},
	{"adapter/panic-outside", LevelAdapter, panicOutside,
		"a panic commits nothing: recovery outside the session answers without a cookie"},
	{"adapter/panic-after-write", LevelAdapter, panicAfterWrite,
		"a panic commits nothing that was not committed before"},
	{"adapter/panic-inside", LevelAdapter, panicInside,
		"the cookie and the record agree: recovery inside the session answers like a handler"},
	{"adapter/load-failure", LevelAdapter, loadFailure,
		"adapters.Begin: if the session cannot be loaded, the handler does not " +
			"run and the client gets an error"},
	{"adapter/lazy-failure", LevelAdapter, lazyFailure,
		"adapters.Lazy: if the session cannot be loaded when the handler uses it, an error " +
			"replaces the handler's response"},
	{"adapter/lazy-untouched", LevelAdapter, lazyUntouched,
		"adapters.Lazy: a request that does not use its session causes no call " +
			"of the store and no Vary header"},
	{"adapter/lazy", LevelAdapter, lazyUsed,
		"adapters.Lazy: a request that uses its session behaves as without the option"},
	{"adapter/failure-typed", LevelAdapter, failureTyped,
		"adapters.OnError: is called once for each failure, with an " +
			"*adapters.Error that names the operation"},
}

func errorHandler(t *checkT) {
	s := t.newSite()
	s.app.OnError = func(c Context, err error) error {
		return c.Send(http.StatusTeapot, "sorry: "+err.Error())
	}
	s.route("/fail", func(c Context) error {
		s.sm.Put(c.Context(), "flash", "try again")
		return errTeapot
	})
	s.open()
	b := s.browser()
	a := b.get("/fail")
	a.want(t, http.StatusTeapot, "sorry: "+errTeapot.Error())
	s.wantStored(b, a, "flash", "try again")
}

func errorDefault(t *checkT) {
	s := t.newSite()
	s.route("/fail", func(c Context) error {
		s.sm.Put(c.Context(), "flash", "try again")
		return errTeapot
	})
	s.open()
	b := s.browser()
	a := b.get("/fail")
	if a.status != http.StatusInternalServerError {
		t.Fatalf("response: status %d, want 500", a.status)
	}
	s.wantStored(b, a, "flash", "try again")
}

func errorReset(t *checkT) {
	s := t.newSite()
	s.app.OnError = func(c Context, _ error) error {
		r, err := contextAs[Resetter](s, c)
		if err != nil {
			return c.Send(http.StatusNotImplemented, err.Error())
		}
		r.Reset()
		return c.Send(http.StatusTeapot, "sorry")
	}
	s.route("/fail", func(c Context) error {
		s.sm.Put(c.Context(), "flash", "try again")
		c.SetHeader("X-Own", "own")
		return errTeapot
	})
	s.open()
	b := s.browser()
	a := b.get("/fail")
	a.want(t, http.StatusTeapot, "sorry")
	if got := a.header.Get("X-Own"); got != "" {
		t.Errorf("X-Own is %q after the response was reset", got)
	}
	s.wantStored(b, a, "flash", "try again")
}

// wantAgreement checks that the response has a session cookie if, and only if, the session was
// stored.
func (s *site) wantAgreement(w *spy, b *browser, a *answer, key, value string) {
	s.t.Helper()
	if a.session(s.t) != nil {
		s.wantStored(b, a, key, value)
	} else if n := w.count("commit"); n != 0 {
		s.t.Errorf("the response has no session cookie, but the store got %d commits", n)
	}
}

func panicOutside(t *checkT) {
	s := t.newSite()
	s.app.Recover = Outside
	s.route("/panic", func(c Context) error {
		s.sm.Put(c.Context(), "k", "half done")
		panic("in a handler")
	})
	w := s.watch()
	s.open()
	a := s.browser().get("/panic")
	if a.status != http.StatusInternalServerError {
		t.Errorf("response: status %d, want 500", a.status)
	}
	a.wantNoCookie(t)
	if n := w.count("commit"); n != 0 {
		t.Errorf("the store got %d commits after a panic", n)
	}

	b := s.browser()
	b.put("k", "whole")
	b.get("/panic").wantNoCookie(t)
	b.wantValue("k", "whole")
}

func panicAfterWrite(t *checkT) {
	s := t.newSite()
	s.app.Recover = Outside
	s.route("/panic", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		if err := c.Send(http.StatusOK, "so far"); err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "half done")
		panic("in a handler")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	s.wantAgreement(w, b, b.get("/panic"), "k", "v")
}

func panicInside(t *checkT) {
	s := t.newSite()
	s.app.Recover = Inside
	s.route("/panic", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		panic("in a handler")
	})
	s.open()
	b := s.browser()
	a := b.get("/panic")
	if a.status != http.StatusInternalServerError {
		t.Errorf("response: status %d, want 500", a.status)
	}
	s.wantStored(b, a, "k", "v")
}

func loadFailure(t *checkT) {
	s := t.newSite()
	s.route("/handler", func(c Context) error {
		t.Error("the handler ran although the session could not be loaded")
		return c.Send(http.StatusOK, "the handler's")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	w.fail(failing("find"))
	b.get("/handler").wantError(t)
	w.fail(nil)
	b.wantValue("k", "v")
}

func lazyFailure(t *checkT) {
	s := t.newSite()
	s.option(adapters.Lazy())
	s.route("/handler", func(c Context) error {
		c.SetHeader("Location", "/the handler's")
		return c.Send(http.StatusOK, "the handler's: "+valueOf(c.Context(), s.sm, "k"))
	})
	s.route("/write", func(c Context) error {
		s.sm.Put(c.Context(), "k", "overwritten")
		return c.Send(http.StatusOK, "the handler's")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	commits := w.count("commit")
	w.fail(failing("find"))
	b.get("/handler").wantError(t)
	b.get("/write").wantError(t)
	if n := w.count("commit") - commits; n != 0 {
		t.Errorf("the store got %d commits of a session that was not loaded", n)
	}
	w.fail(nil)
	b.wantValue("k", "v")
}

func lazyUntouched(t *checkT) {
	s := t.newSite()
	s.option(adapters.Lazy())
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	calls := w.count()
	a := b.get("/plain")
	a.want(t, http.StatusOK, "plain")
	a.wantNoCookie(t)
	if n := w.count() - calls; n != 0 {
		t.Errorf("the store was called %d times, want none", n)
	}
	if got := a.header["Vary"]; len(got) != 0 {
		t.Errorf("Vary is %q, want none: the response did not use the session", got)
	}
}

func lazyUsed(t *checkT) {
	s := t.newSite()
	s.option(adapters.Lazy())
	w := s.watch()
	s.open()
	b := s.browser()
	s.wantStored(b, b.put("k", "v"), "k", "v")
	calls := w.count()
	b.get("/keys").want(t, http.StatusOK, "keys k")
	if n := w.count() - calls; n != 1 {
		t.Errorf("a read called the store %d times, want 1", n)
	}
	b.get("/destroy")
	b.wantValue("k", none)
}

func failureTyped(t *checkT) {
	s := t.newSite()
	var mu sync.Mutex
	var failures []error
	s.option(adapters.OnError(func(_ context.Context, err error) error {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
		return nil
	}))
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	for op, call := range map[string]string{"load": "find", "commit": "commit"} {
		mu.Lock()
		failures = nil
		mu.Unlock()
		w.fail(failing(call))
		b.put("k", "w").wantError(t)
		w.fail(nil)
		mu.Lock()
		var typed *adapters.Error
		switch {
		case len(failures) != 1:
			t.Errorf("%s: OnError was called %d times, want 1", op, len(failures))
		case !errors.As(failures[0], &typed) || typed.Op != op || !errors.Is(failures[0], errStore):
			t.Errorf("%s: OnError got %v, want an *adapters.Error with this Op and the store's error", op,
				failures[0])
		}
		mu.Unlock()
	}
}
