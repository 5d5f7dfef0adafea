package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairPolicyChecks cover requests while the store is down, under each policy. For the default,
// which fails them, see adapter/load-failure, adapter/lazy-failure and pair/commit-failure.
var pairPolicyChecks = []check{
	{"pair/fail-open-load", LevelPair, failOpenLoad,
		"adapters.FailOpen: a handler whose session cannot be loaded has an empty one; nothing of it " +
			"is saved, and the cookie stays"},
	{"pair/fail-open-commit", LevelPair, failOpenCommit,
		"adapters.FailOpen: a response whose session cannot be stored is sent without a cookie, and " +
			"the stored session stays; a renewal fails instead"},
	{"pair/fail-open-destroy", LevelPair, failOpenDestroy,
		"adapters.FailOpen: no response shows a sign-out or a sign-in that has failed"},
	{"pair/fail-hook", LevelPair, failHook,
		"adapters.OnError decides for each failure whether the request passes, fails, or fails with " +
			"another error; if it panics, the request fails"},
	{"pair/fail-timeout", LevelPair, failTimeout,
		"a store that does not answer in time is a failure, under every policy"},
	{"pair/recovers", LevelPair, failRecovers,
		"when the store is back the session is unchanged, without a restart: requests " +
			"during the outage have done no harm"},
}

// needsBackend ends a check as not applicable if the sessions have no backend that can be down.
func (t *checkT) needsBackend(s *site) {
	if p, ok := s.sm.Store.(*scskit.Store); ok {
		if _, carried := p.CookieName(); carried {
			t.notApplicable("the session travels in the cookie: no backend can be down")
		}
	}
}

// newOutage returns an application with options over a store that can be made to fail, and the spy
// that does. The caller opens it.
func (t *checkT) newOutage(options ...adapters.Option) (*site, *spy) {
	t.Helper()
	s := t.newSite()
	t.needsBackend(s)
	s.app.Options = append(s.app.Options, options...)
	return s, s.watch()
}

func failOpenLoad(t *checkT) {
	for _, options := range [][]adapters.Option{
		{adapters.FailOpen()},
		{adapters.FailOpen(), adapters.Lazy()},
	} {
		s, w := t.newOutage(options...)
		s.open()
		b := s.browser()
		b.put("k", "v")
		writes := w.count("commit", "delete")
		w.fail(failing("find")) // a commit would succeed, but must not come
		for _, page := range []struct{ path, body string }{
			{"/plain", "plain"}, {"/get?k=k", none}, {"/put?k=k&v=w", "put"}, {"/put?k=l&v=w", "put"},
		} {
			a := b.get(page.path)
			a.want(t, http.StatusOK, page.body)
			a.wantNoCookie(t)
		}
		if n := w.count("commit", "delete") - writes; n != 0 {
			t.Errorf("the store got %d writes of a session that was not loaded, want none", n)
		}
		w.fail(nil)
		b.get("/keys").want(t, http.StatusOK, "keys k")
		b.wantValue("k", "v")
	}
}

func failOpenCommit(t *checkT) {
	s, w := t.newOutage(adapters.FailOpen())
	s.open()
	b, renewing := s.browser(), s.browser()
	b.put("k", "v")
	renewing.put("k", "v")
	token := b.token()
	w.fail(failing("commit"))
	for _, b := range []*browser{b, s.browser()} {
		a := b.put("k", "w")
		a.want(t, http.StatusOK, "put")
		a.wantNoCookie(t)
	}
	renewing.get("/renew").wantError(t)
	w.fail(nil)
	if _, ok := s.store.(*scskit.Store); ok {
		renewing.wantValue("k", "v")
	} else {
		renewing.wantValue("k", none) // scs has deleted the old session already
	}
	b.wantValue("k", "v")
	if b.token() != token {
		t.Error("the token has changed")
	}
	s.wantStored(b, b.put("k", "x"), "k", "x")
}

func failOpenDestroy(t *checkT) {
	for _, options := range [][]adapters.Option{
		{adapters.FailOpen()},
		{adapters.FailOpen(), adapters.Lazy()},
	} {
		s, w := t.newOutage(options...)
		s.route("/sign-out", func(c Context) error {
			if err := s.sm.Destroy(c.Context()); err != nil {
				return err
			}
			s.sm.Put(c.Context(), "flash", "signed out")
			return c.Send(http.StatusOK, "the handler's")
		})
		s.open()
		b := s.browser()
		b.put("k", "v")
		w.fail(failing("find"))
		for _, path := range []string{"/destroy", "/sign-out", "/renew"} {
			if b.get(path).wantError(t); t.Failed() {
				t.Fatalf("the path was %s", path)
			}
		}
		w.fail(nil)
		b.get("/keys").want(t, http.StatusOK, "keys k")
		b.wantValue("k", "v")
	}
}

// hook is an OnError whose result can be changed, and records the error that the application gets.
type hook struct {
	mu     sync.Mutex
	answer func(op string) error
	got    error
}

func (h *hook) set(answer func(op string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *hook) onError(_ context.Context, err error) error {
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	var failure *adapters.Error
	if !errors.As(err, &failure) {
		return err
	}
	return answer(failure.Op)
}

func (h *hook) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = err
}

func (h *hook) last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func failHook(t *checkT) {
	h := new(hook)
	s, w := t.newOutage(adapters.OnError(h.onError))
	s.sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		h.note(err)
		http.Error(w, "sorry", http.StatusServiceUnavailable)
	}
	s.app.OnError = func(c Context, err error) error {
		h.note(err)
		return c.Send(http.StatusServiceUnavailable, "sorry")
	}
	s.open()
	b := s.browser()
	b.put("k", "v")
	load := func() *answer {
		w.fail(failing("find"))
		return b.get("/get?k=k")
	}
	commit := func() *answer {
		w.fail(failing("commit"))
		return b.put("k", "w")
	}
	passing := func(passes string) func(string) error {
		return func(op string) error {
			if op == passes {
				return adapters.ErrFailOpen
			}
			return nil
		}
	}
	h.set(passing("load"))
	load().want(t, http.StatusOK, none)
	commit().wantError(t)
	h.set(passing("commit"))
	load().wantError(t)
	commit().want(t, http.StatusOK, "put")

	busy := errors.New("try again later")
	h.set(func(string) error { return busy })
	for _, visit := range []func() *answer{load, commit} {
		h.note(nil)
		visit().wantError(t)
		if err := h.last(); !errors.Is(err, busy) {
			t.Errorf("the application got error %v, want the one of OnError", err)
		}
	}
	h.set(func(string) error { panic("in the hook") })
	load().wantError(t)
	commit().wantError(t)
	w.fail(nil)
	b.wantValue("k", "v")
}

func failTimeout(t *checkT) {
	here := t.newSite()
	t.needsBackend(here)
	p, ok := here.sm.Store.(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store: it has no Options.Timeout")
	}
	here.open()
	b := here.browser()
	b.put("k", "v")

	d := t.tap(p.Driver())
	d.on(silent)
	store, err := scskit.NewStore(d, &scskit.Options{Timeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range []struct {
		option adapters.Option
		passes bool
	}{
		{nil, false},
		{adapters.FailOpen(), true},
		{adapters.OnError(func(_ context.Context, err error) error {
			if errors.Is(err, context.DeadlineExceeded) {
				return adapters.ErrFailOpen
			}
			return nil
		}), true},
	} {
		s := t.siteOver(store)
		if policy.option != nil {
			s.option(policy.option)
		}
		s.open()
		read, write := s.with(b.token()).get("/get?k=k"), s.browser().put("k", "w")
		if policy.passes {
			read.want(t, http.StatusOK, none)
			write.want(t, http.StatusOK, "put")
		} else {
			read.wantError(t)
			write.wantError(t)
		}
	}
	b.wantValue("k", "v")
}

func failRecovers(t *checkT) {
	for _, options := range [][]adapters.Option{nil, {adapters.FailOpen()}} {
		s, w := t.newOutage(options...)
		g := t.gate()
		s.heldRoute("/slow-put", g, func(c Context) error {
			s.sm.Put(c.Context(), "k", "w")
			return c.Send(http.StatusOK, "the handler's")
		})
		s.heldRoute("/slow-destroy", g, func(c Context) error {
			if err := s.sm.Destroy(c.Context()); err != nil {
				return c.Send(http.StatusServiceUnavailable, "try again")
			}
			return c.Send(http.StatusOK, "the handler's")
		})
		s.open()
		b := s.browser()
		b.put("k", "v")
		token := b.token()
		put, destroy := s.with(token).start("/slow-put"), s.with(token).start("/slow-destroy")
		g.await(2)
		w.fail(func(string) error { return errStore })
		g.open()
		destroy.wait().wantError(t)
		if options == nil {
			put.wait().wantError(t)
			b.get("/get?k=k").wantError(t)
		} else {
			put.wait().want(t, http.StatusOK, "the handler's")
			b.get("/get?k=k").want(t, http.StatusOK, none)
		}
		w.fail(nil)
		b.wantValue("k", "v")
		if b.token() != token {
			t.Error("the token has changed")
		}
		s.wantStored(b, b.put("k", "x"), "k", "x")
	}
}
