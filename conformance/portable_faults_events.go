package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/scskit/scskit"
)

// portableEventChecks cover the events for Options.Observer, and secrets in events and errors.
var portableEventChecks = []check{
	{"faults/events", LevelPortable, faultsEvents,
		"Options.Observer gets one event for each operation of the store"},
	{"faults/event-failure", LevelPortable, faultsEventFailure,
		"Options.Observer gets an event with the error for each failure"},
	{"faults/event-secrecy", LevelPortable, faultsEventSecrecy,
		"OWASP: no event holds a token or session data, also if the backend stores plain tokens"},
	{"faults/error-secrecy", LevelPortable, faultsErrorSecrecy,
		"OWASP: no error holds a token or session data, also if an error of the backend does"},
	{"faults/panicking-observer", LevelPortable, faultsPanickingObserver,
		"a panic of Options.Observer fails no request"},
	{"faults/stock-middleware", LevelPortable, faultsStockMiddleware,
		"scs's own LoadAndSave overwrites what others save: Options.Observer gets an event each time"},
}

// causeEvents runs concurrent requests, and every other operation that causes an event.
func (t *checkT) causeEvents(s portable, d *tap) (tokens []string) {
	t.Helper()
	sm := manager(s)
	token := t.begin(sm, secret, secret) // create
	one, two, three := t.request(sm, token), t.request(sm, token), t.request(sm, token)
	sm.Put(one.ctx, "one", secret)
	one.end() // save
	sm.Put(two.ctx, "two", secret)
	two.end() // conflict, merge
	idle := t.request(sm, token)
	data, _, err := s.FindCtx(idle.ctx, token)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	if err := s.CommitCtx(idle.ctx, token, data, in(2*lifetime)); err != nil { // touch
		t.Fatalf("commit: %v", err)
	}
	t.signOut(sm, token) // delete
	sm.Put(three.ctx, "three", secret)
	three.end() // gone
	corrupt := newToken()
	t.plant(d, corrupt, []byte("not a session, but "+secret))
	t.request(sm, corrupt) // corrupt
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	return []string{token, corrupt}
}

// secret must appear in stored data only.
const secret = "5ecret-7oken-0r-data"

func faultsEvents(t *checkT) {
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
	token := t.causeEvents(s, d)[0]
	for kind, most := range map[scskit.Kind]int{
		scskit.KindLoad: 1 << 30, scskit.KindCreate: 1, scskit.KindSave: 1, scskit.KindMerge: 1,
		scskit.KindTouch:  1,
		scskit.KindDelete: 2, scskit.KindConflict: 2, scskit.KindGone: 1, scskit.KindCorrupt: 1,
	} {
		events := log.of(kind)
		ok := 0
		for _, e := range events {
			if e.Outcome == scskit.OutcomeOK {
				ok++
			}
			if e.Duration < 0 || e.Count != 0 {
				t.Errorf("%v: duration %v, count %d", kind, e.Duration, e.Count)
			}
			if id := e.ID; id != idOf(token) && kind != scskit.KindLoad && kind != scskit.KindDelete &&
				kind != scskit.KindCorrupt {
				t.Errorf("%v: the id is not the token's SHA-256", kind)
			}
		}
		if ok == 0 || ok > most {
			t.Errorf("%v: %d events with outcome ok, want at least 1 and at most %d", kind, ok, most)
		}
	}
	if n := len(log.of(scskit.KindSweep)); n > 1 {
		t.Errorf("sweep: %d events, want at most 1", n)
	}
}

func faultsEventFailure(t *checkT) {
	var log eventLog
	s, d := t.newPortable(&scskit.Options{Observer: log.observe})
	d.on(down)
	for _, op := range operations {
		if op.name == "all" {
			continue
		}
		before := len(log.of())
		_ = op.do(t.Context(), s, newToken(), t.encode(nil))
		events := log.of()[before:]
		if len(events) != 1 || events[0].Outcome != scskit.OutcomeFailed ||
			!errors.Is(events[0].Err, errDown) {
			t.Errorf("%s: events %v, want one with the outcome failed and the backend's error", op.name,
				events)
		}
	}
}

func faultsEventSecrecy(t *checkT) {
	for _, plain := range []bool{false, true} {
		var log eventLog
		s, d := t.newPortable(&scskit.Options{Observer: log.observe, PlainIDs: plain})
		d.plain = plain
		tokens := t.causeEvents(s, d)
		d.on(func(_ context.Context, _, id string) error {
			return fmt.Errorf("server: cannot do it to %q", id)
		})
		for _, op := range operations {
			_ = op.do(t.Context(), s, tokens[0], t.encode(nil))
		}
		for _, e := range log.of() {
			text := fmt.Sprintf("%v %+v %#v %v", e, e, e, e.Err) + causes(e.Err)
			for _, s := range append(tokens, secret) {
				if strings.Contains(text, s) {
					t.Errorf("plain ids %v: an event of the kind %v holds a token or data", plain, e.Kind)
				}
			}
			if e.Kind != scskit.KindSweep && e.ID != idOf(tokens[0]) && e.ID != idOf(tokens[1]) &&
				len(e.ID) != len(idOf("")) {
				t.Errorf("plain ids %v: an event of the kind %v has an id that is not a SHA-256", plain, e.Kind)
			}
		}
	}
}

// causes returns the texts of an error and of all errors that it wraps.
func causes(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	switch w := err.(type) { //nolint:errorlint // it goes through the chain itself
	case interface{ Unwrap() error }:
		text += causes(w.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range w.Unwrap() {
			text += causes(e)
		}
	}
	return text
}

func faultsErrorSecrecy(t *checkT) {
	for _, plain := range []bool{false, true} {
		s, d := t.newPortable(&scskit.Options{PlainIDs: plain, MaxSize: 1000})
		token := newToken()
		d.on(func(_ context.Context, _, id string) error {
			return fmt.Errorf("server: cannot do it to %q: %w", id, errDown)
		})
		for _, op := range operations {
			if op.name == "all" || op.name == "sweep" {
				continue
			}
			err := op.do(t.Context(), s, token, t.encode(map[string]any{secret: secret}))
			if !errors.Is(err, errDown) {
				t.Errorf("%s: got error %v, want the backend's", op.name, err)
			}
			if text := causes(err); strings.Contains(text, token) || strings.Contains(text, secret) {
				t.Errorf("plain ids %v: %s: the error holds the token or data", plain, op.name)
			}
		}
		big := t.encode(map[string]any{"k": strings.Repeat(secret, 100)})
		if err := s.CommitCtx(t.Context(), token, big, in(lifetime)); err == nil ||
			strings.Contains(causes(err), secret) || strings.Contains(causes(err), token) {
			t.Errorf("plain ids %v: commit over the limit: the error is nil, or holds the token or data",
				plain)
		}
	}
}

func faultsPanickingObserver(t *checkT) {
	s, d := t.newPortable(&scskit.Options{Observer: func(context.Context, scskit.Event) {
		panic("observer")
	}})
	t.causeEvents(s, d)
}

func faultsStockMiddleware(t *checkT) {
	var log eventLog
	s, _ := t.newPortable(&scskit.Options{Observer: log.observe})
	sm := manager(s)
	sm.Cookie.Name = "session"
	app := sm.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", 1)
	}))
	for range 2 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if w.Code != http.StatusOK {
			t.Fatalf("status %d", w.Code)
		}
	}
	if n := len(log.of(scskit.KindUntracked)); n != 2 {
		t.Errorf("%d events of two requests, want 2", n)
	}
	t.begin(sm, "k", 1) // in a context with a tracker
	if n := len(log.of(scskit.KindUntracked)); n != 2 {
		t.Errorf("%d events after a tracked commit, want 2", n)
	}
}
