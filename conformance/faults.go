package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// faultChecks hold a store to failing well, and to telling of it.
var faultChecks = []check{
	{"faults/cancelled", "a context that has ended ends the operation, within 100 ms, with its " +
		"own error", LevelPortable, faultsCancelled},
	{"faults/cancelled-midway", "a context that ends while the backend is silent ends the " +
		"operation, within 100 ms", LevelPortable, faultsCancelledMidway},
	{"faults/slow", "a backend that does not answer is one that is down, after the " +
		"time-out", LevelPortable, faultsSlow},
	{"faults/down", "a failure of the backend is an error of load, save and delete: never a " +
		"session that is not found", LevelPortable, faultsDown},
	{"faults/failed-write", "a write that failed changed nothing, and the session goes on when " +
		"the backend is back", LevelPortable, faultsFailedWrite},
	{"faults/answer-lost", "a save that was stored, but whose answer was lost, can be tried " +
		"again", LevelPortable, faultsAnswerLost},
	{"faults/save-repeated", "a client of the backend that lost an answer and repeats a save " +
		"meets its own record, which is nobody else's", LevelPortable, faultsSaveRepeated},
	{"faults/events", "the Observer is told of everything that the store does, " +
		"once", LevelPortable, faultsEvents},
	{"faults/event-failure", "the Observer is told of failures, with the " +
		"error", LevelPortable, faultsEventFailure},
	{"faults/event-secrecy", "OWASP: no event holds a token or session data, also where the " +
		"backend keeps plain tokens", LevelPortable, faultsEventSecrecy},
	{"faults/error-secrecy", "OWASP: no error holds a token or session data, also where the " +
		"backend's own error does", LevelPortable, faultsErrorSecrecy},
	{"faults/panicking-observer", "a hook that panics breaks no " +
		"request", LevelPortable, faultsPanickingObserver},
}

// operations are the calls of a store that reach the backend.
var operations = []struct {
	name string
	do   func(ctx context.Context, s portable, token string, data []byte) error
}{
	{"find", func(ctx context.Context, s portable, token string, _ []byte) error {
		_, found, err := s.FindCtx(ctx, token)
		if found && err != nil {
			return errors.New("found, and an error")
		}
		return err
	}},
	{"commit", func(ctx context.Context, s portable, token string, data []byte) error {
		return s.CommitCtx(ctx, token, data, in(lifetime))
	}},
	{"tracked commit", func(ctx context.Context, s portable, token string, data []byte) error {
		return s.CommitCtx(scskit.WithTracker(ctx), token, data, in(lifetime))
	}},
	{"delete", func(ctx context.Context, s portable, token string, _ []byte) error {
		return s.DeleteCtx(ctx, token)
	}},
	{"all", func(ctx context.Context, s portable, _ string, _ []byte) error {
		_, err := s.AllCtx(ctx)
		return err
	}},
	{"sweep", func(ctx context.Context, s portable, _ string, _ []byte) error {
		_, err := s.Sweep(ctx)
		return err
	}},
}

func faultsCancelled(t *T) {
	s, d := t.newKit(nil)
	token, data := newToken(), t.encode(map[string]any{"k": 1})
	t.commit(s, token, data, in(lifetime))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		for _, op := range operations {
			if _, ok := driver.As[driver.Ranger](d.Driver); !ok && op.name == "all" {
				continue
			}
			t.promptly(op.name, prompt, func() time.Duration {
				begin := time.Now()
				err := op.do(ctx, s, token, t.encode(map[string]any{"k": 2}))
				if !errors.Is(err, ctx.Err()) {
					t.Errorf("%s: got error %v, want %v", op.name, err, ctx.Err())
				}
				return time.Since(begin)
			})
		}
	}
	t.wantData(s, token, data)
}

// silent makes every operation wait for its context, as a backend that is not there does.
func silent(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return fmt.Errorf("no answer: %w", ctx.Err())
}

func faultsCancelledMidway(t *T) {
	s, d := t.newKit(nil)
	for _, op := range operations {
		if op.name == "all" {
			continue // the tap has no part in it
		}
		t.promptly(op.name, prompt, func() time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var ended atomic.Int64
			d.on(func(ctx context.Context, name, id string) error {
				time.AfterFunc(5*time.Millisecond, func() {
					ended.CompareAndSwap(0, time.Now().UnixNano())
					cancel()
				})
				return silent(ctx, name, id)
			})
			if err := op.do(ctx, s, newToken(), t.encode(nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got error %v, want %v", op.name, err, context.Canceled)
			}
			return time.Since(time.Unix(0, ended.Load()))
		})
	}
}

func faultsSlow(t *T) {
	s, d := t.newKit(&scskit.Options{Timeout: 20 * time.Millisecond})
	d.on(silent)
	for _, op := range operations {
		if op.name == "all" {
			continue
		}
		t.promptly(op.name+", with a time-out of 20 ms", time.Second, func() time.Duration {
			begin := time.Now()
			err := op.do(t.Context(), s, newToken(), t.encode(nil))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got error %v, want %v", op.name, err, context.DeadlineExceeded)
			}
			return time.Since(begin)
		})
	}
}

var errDown = errors.New("connection refused")

func down(context.Context, string, string) error { return errDown }

func faultsDown(t *T) {
	s, d := t.newKit(nil)
	token := t.begin(manager(s), "k", 1)
	ctx := scskit.WithTracker(t.Context())
	if _, _, err := s.FindCtx(ctx, token); err != nil {
		t.Fatalf("find: %v", err)
	}
	d.on(down)
	for _, ctx := range []context.Context{t.Context(), ctx} {
		for _, op := range operations {
			if op.name == "all" {
				continue
			}
			if err := op.do(ctx, s, token, t.encode(map[string]any{"k": 2})); !errors.Is(err, errDown) {
				t.Errorf("%s: got error %v, want the backend's", op.name, err)
			}
		}
	}
	if _, err := manager(s).Load(ctx, token); !errors.Is(err, errDown) {
		t.Errorf("SessionManager.Load: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
}

func faultsFailedWrite(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	d.on(down)
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Fatalf("commit: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("the commit, tried again: state %d, want Stored", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

func faultsAnswerLost(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	lose := func(lost bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.after = nil
		if lost {
			d.after = func(string) error { return errDown }
		}
	}
	token := t.begin(sm, "k", 1)
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	lose(true)
	if _, _, err := sm.Commit(r.ctx); !errors.Is(err, errDown) {
		t.Fatalf("commit: got error %v, want the backend's", err)
	}
	lose(false)
	if _, state := r.end(); state != scskit.CommitStored && state != scskit.CommitKept {
		t.Errorf("the commit, tried again: state %d, want Stored or Kept", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

// repeating is a driver over a client that loses the first answer to each save, and sends it again.
type repeating struct{ driver.Driver }

func (d repeating) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if err := d.Driver.Save(ctx, rec, cond); err != nil {
		return err
	}
	return d.Driver.Save(ctx, rec, cond)
}

func faultsSaveRepeated(t *T) {
	_, d := t.newKit(nil)
	s := t.kitOver(repeating{d}, nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1) // Stored, or no cookie would be sent
	r := t.request(sm, token)
	sm.Put(r.ctx, "k", 2)
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("a commit whose save was repeated: state %d, want Stored", state)
	}
	t.wantValues(t.values(s, token), "map[k:2]")
}

// eventful plays two requests that meet, and all else that a session can go through.
func (t *T) eventful(s portable, d *tap) (tokens []string) {
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

// secret is what must never be seen outside the stored data.
const secret = "5ecret-7oken-0r-data"

func faultsEvents(t *T) {
	var log eventLog
	s, d := t.newKit(&scskit.Options{Observer: log.observe})
	token := t.eventful(s, d)[0]
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
		t.Errorf("sweep: %d events for one sweep", n)
	}
}

func faultsEventFailure(t *T) {
	var log eventLog
	s, d := t.newKit(&scskit.Options{Observer: log.observe})
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
			t.Errorf("%s: events %v, want one with outcome error and the backend's error", op.name, events)
		}
	}
}

func faultsEventSecrecy(t *T) {
	for _, plain := range []bool{false, true} {
		var log eventLog
		s, d := t.newKit(&scskit.Options{Observer: log.observe, PlainIDs: plain})
		d.plain = plain
		tokens := t.eventful(s, d)
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
				t.Errorf("plain ids %v: an event of the kind %v has an id that is no SHA-256", plain, e.Kind)
			}
		}
	}
}

// causes returns the texts of an error and of all that it wraps.
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

func faultsErrorSecrecy(t *T) {
	for _, plain := range []bool{false, true} {
		s, d := t.newKit(&scskit.Options{PlainIDs: plain, MaxSize: 1000})
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
				t.Errorf("%s: got error %v, want one that is the backend's", op.name, err)
			}
			if text := causes(err); strings.Contains(text, token) || strings.Contains(text, secret) {
				t.Errorf("plain ids %v: %s: the error holds the token or data", plain, op.name)
			}
		}
		big := t.encode(map[string]any{"k": strings.Repeat(secret, 100)})
		if err := s.CommitCtx(t.Context(), token, big, in(lifetime)); err == nil ||
			strings.Contains(causes(err), secret) || strings.Contains(causes(err), token) {
			t.Errorf("plain ids %v: commit of too much: the error is nil, or holds the token or data", plain)
		}
	}
}

func faultsPanickingObserver(t *T) {
	s, d := t.newKit(&scskit.Options{Observer: func(context.Context, scskit.Event) {
		panic("observer")
	}})
	t.eventful(s, d)
}
