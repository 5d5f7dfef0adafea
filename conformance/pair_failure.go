package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/driver"
)

// pairFailureChecks cover commits that fail, records that do not decode and clients that hang up.
var pairFailureChecks = []check{
	{"pair/token-secret", LevelPair, pairTokenSecret,
		"OWASP: the token is in the cookie only: not in the backend, errors or events"},
	{"pair/corrupt-record", LevelPair, pairCorruptRecord,
		"a record that does not decode is dropped: the client gets a new session, and no page fails"},
	{"pair/commit-failure", LevelPair, pairCommitFailure,
		"a failed commit sends an error, never the handler's body, and no cookie"},
	{"pair/too-large", LevelPair, pairTooLarge,
		"a session that the store cannot hold is refused with an error, and the stored one stays"},
	{"pair/client-gone", LevelPair, pairClientGone,
		"a session is saved even if the client hangs up"},
}

func pairTokenSecret(t *checkT) {
	for _, plainIDs := range []bool{false, true} {
		p, ok := t.newStore().(*scskit.Store)
		if !ok {
			t.Fatal("the store is not a *scskit.Store: the check cannot read its records and events")
		}
		if _, ok := carrierOf(p); ok {
			t.notApplicable("the session travels in the cookie: it has no token and no backend")
		}
		t.keepsSecret(t.tap(p.Driver()), plainIDs)
	}
}

func (t *checkT) keepsSecret(d *tap, plainIDs bool) {
	t.Helper()
	texts := make(chan string, 1000)
	store, err := scskit.NewStore(d, &scskit.Options{
		PlainIDs: plainIDs,
		Timeout:  t.crowdTimeout(),
		Observer: func(_ context.Context, e scskit.Event) {
			texts <- fmt.Sprint(e.ID, " ", e.Err)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := t.siteOver(store)
	s.option(adapters.OnError(func(_ context.Context, err error) error {
		texts <- err.Error()
		return nil
	}))
	s.open()
	b := s.browser()
	b.put("k", "v")
	token := b.token()
	if !plainIDs {
		rec := b.record(d.Driver)
		if strings.Contains(rec.ID+string(rec.Data), token) {
			t.Error("the record holds the token")
		}
		s.with(rec.ID).wantValue("k", none) // an id of the backend is no token
	}
	for _, faulty := range []string{"load", "save", "delete"} {
		d.on(func(_ context.Context, op, id string) error {
			if op == faulty {
				return &driverFault{op, id}
			}
			return nil
		})
		if faulty == "delete" {
			b.get("/destroy")
		} else {
			b.put("k", faulty).wantError(t)
		}
	}
	d.on(nil)
	b.wantValue("k", "v")
	for len(texts) > 0 {
		if text := <-texts; strings.Contains(text, token) {
			t.Errorf("PlainIDs %v: the token is in an event or an error: %s", plainIDs,
				strings.ReplaceAll(text, token, "[the token]"))
		}
	}
}

// driverFault is the error of a careless driver. Its text has the id of the session.
type driverFault struct{ op, id string }

func (e *driverFault) Error() string { return e.op + " of session " + e.id + " failed" }

func pairCorruptRecord(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.put("k", "v")
	b.plant([]byte("this is no session"), in(lifetime))
	old := b.token()
	a := b.get("/get?k=k")
	a.want(t, http.StatusOK, none)
	if c := a.session(t); c == nil || !c.deletes() {
		t.Error("the cookie of a record that does not decode was not cleared")
	}
	s.wantStored(b, b.put("k", "w"), "k", "w")
	if b.token() == old {
		t.Error("the new session has the token of the corrupt record")
	}
	if !s.inCookie() && !t.gone(s.store, old) {
		t.Error("the corrupt record is still in the store")
	}
}

func pairCommitFailure(t *checkT) {
	s := t.newSite()
	changed := func(answer Handler) Handler {
		return func(c Context) error {
			s.sm.Put(c.Context(), "k", "w")
			return answer(c)
		}
	}
	s.route("/body", changed(func(c Context) error { return c.Send(http.StatusOK, "the handler's") }))
	s.route("/large", changed(func(c Context) error {
		return c.Send(http.StatusOK, strings.Repeat("the handler's", 1<<16))
	}))
	s.route("/status", changed(func(c Context) error { return c.Send(http.StatusNoContent, "") }))
	s.route("/nothing", changed(func(Context) error { return nil }))
	s.route("/error", changed(func(Context) error { return errTeapot }))
	s.route("/redirect", changed(func(c Context) error {
		if r, ok := c.(Renderer); ok {
			return r.Redirect(http.StatusSeeOther, "/the-handlers")
		}
		return c.Send(http.StatusOK, "the handler's")
	}))
	s.route("/json", changed(func(c Context) error {
		if r, ok := c.(Renderer); ok {
			return r.JSON(http.StatusOK, "the handler's")
		}
		return c.Send(http.StatusOK, "the handler's")
	}))
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	w.fail(failing("commit"))
	for _, path := range []string{"/body", "/large", "/status", "/nothing", "/error", "/redirect",
		"/json"} {
		commits := w.count("commit")
		b.get(path).wantError(t)
		s.browser().get(path).wantError(t)
		if n := w.count("commit") - commits; n != 2 {
			t.Errorf("%s: two requests caused %d commits, want 2", path, n)
		}
		if t.Failed() {
			t.Fatalf("the path was %s", path)
		}
	}
	w.fail(nil)
	b.wantValue("k", "v")
	s.wantStored(b, b.put("k", "x"), "k", "x")
}

func pairTooLarge(t *checkT) {
	s := t.newSite()
	if _, ok := s.store.(*scskit.Store); !ok {
		t.notApplicable("the store is not a *scskit.Store: its limit is unknown")
	}
	s.fill()
	failed := make(chan error, 1)
	s.option(adapters.OnError(func(_ context.Context, err error) error {
		failed <- err
		return nil
	}))
	s.open()
	b := s.browser()
	b.get("/fill?size=100").wantCookie(t)
	b.get("/fill?size=" + strconv.Itoa(5<<20)).wantError(t)
	select {
	case err := <-failed:
		if !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("got error %v, want driver.ErrTooLarge", err)
		}
	default: // adapter/failure-typed covers adapters that do not call OnError
	}
	b.wantSize(100)
}

func pairClientGone(t *checkT) {
	for _, options := range [][]adapters.Option{nil, {adapters.Lazy()}} {
		s := t.newSite()
		s.app.Options = append(s.app.Options, options...)
		g := t.gate()
		s.route("/slow", func(c Context) error {
			g.pass()
			if gone := c.Context().Done(); gone != nil { // nil if the framework cannot report it
				select {
				case <-gone:
				case <-time.After(t.eventTimeout()):
					t.Error("the request's context did not end after the client had hung up")
				}
			}
			s.sm.Put(c.Context(), "k", "w")
			return c.Send(http.StatusOK, "to nobody")
		})
		w := s.watch()
		s.open()
		b := s.browser()
		b.put("k", "v")
		w.drain()
		b.hangUp("/slow", g)
		g.open()
		w.ended(t, "commit")
		b.wantValue("k", "w")
	}
}
