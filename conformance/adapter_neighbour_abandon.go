package conformance

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// adapterAbandonChecks cover handlers that go on after outer middleware has answered their request.
var adapterAbandonChecks = []check{
	{"neighbour/abandon", LevelAdapter, abandon,
		"the cookie and the record agree: nothing is stored for a request that outer middleware has " +
			"answered at a timeout, and a sign-in leaves the session unchanged"},
}

// abandon runs sign-ins whose requests are answered before the handler returns.
func abandon(t *checkT) {
	t.needs(Abandon)
	s := t.newSite()
	s.app.Neighbour, s.app.Beside = Abandon, Outside
	late := make(chan struct{}, 10)
	s.option(adapters.Observe(func(_ context.Context, e scskit.Event) {
		if e.Kind == scskit.KindLate {
			late <- struct{}{}
		}
	}))
	s.route("/begin", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "")
	})
	answered := make(chan struct{})
	signIn := func(c Context, hurried bool) error {
		ctx := c.Context()
		a, ok := ctx.Value(abandonKey{}).(*abandonable)
		if !ok {
			return errors.New("the context of the request is not from Abandonable")
		}
		if err := s.sm.RenewToken(ctx); err != nil {
			return err
		}
		s.sm.Put(ctx, "k", "late")
		a.end()
		if hurried { // as handlers should do
			<-ctx.Done()
			return nil
		}
		select {
		case <-answered:
		case <-time.After(t.eventTimeout()):
		}
		return c.Send(http.StatusOK, "late")
	}
	s.route("/slow", func(c Context) error { return signIn(c, false) })
	s.route("/hurried", func(c Context) error { return signIn(c, true) })
	w := s.watch()
	s.open()
	b := s.browser()
	s.wantStored(b, b.get("/begin"), "k", "v")
	commits := w.count("commit")
	visit := func(path string) {
		a := b.get(path)
		if a.status < http.StatusBadRequest {
			t.Errorf("%s: status %d: the middleware did not answer", path, a.status)
		}
		a.wantNoCookie(t)
	}
	wantLate := func() {
		select {
		case <-late:
		case <-time.After(t.eventTimeout()):
			t.Error("no event of scskit.KindLate")
		}
	}
	visit("/slow")
	close(answered)
	wantLate()
	for range 10 {
		visit("/hurried")
		wantLate()
	}
	if n := w.count("commit") - commits; n != 0 {
		t.Errorf("the store got %d commits, want none", n)
	}
	b.wantValue("k", "v")
}
