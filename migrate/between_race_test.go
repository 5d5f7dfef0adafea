package migrate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// record returns the record of a token on a side.
func (s *side) record(token string) driver.Record {
	s.t.Helper()
	return s.records()[scskit.HashToken(token)]
}

// crash uses a session in a process that crashes after its third call of a backend.
func (s *scene) crash(token string) {
	s.Helper()
	p := s.process(false, false)
	p.at, p.event = 2, eventCrashAfter
	_, _, _ = p.Store().Find(token)
	if !p.dead {
		s.Fatal("no crash")
	}
}

// A save on condition of a version that the old backend has succeeds, and loses nothing that
// another process saves meanwhile.
func TestSaveAtOldVersion(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		saved := 0
		for at := range most {
			s, token := start(t, false, rollback)
			rec := s.from.record(token)
			p, q := s.process(false, rollback), s.process(false, rollback)
			p.at, p.event = at, eventMeanwhile
			p.then = func() { requests()["put"](t.Context(), q.Store(), token) }
			held := driver.IfVersion(rec.Version)
			rec.Version = 1
			err := p.Store().Driver().Save(t.Context(), rec, held)
			if err == nil {
				saved++
			} else if !errors.Is(err, driver.ErrConflict) {
				t.Fatal(err)
			}
			if p.calls <= at {
				break
			}
			if got := s.values(q.Store(), token)["put"]; got != 1 {
				t.Fatalf("at call %d, with error %v, the change of the other process is lost", at, err)
			}
		}
		if saved == 0 {
			t.Error("no save has succeeded")
		}
	}
}

// A copy whose session was destroyed is not taken for a session by the new backend alone, since
// Done waits for it.
func TestDoneWaitsForCopies(t *testing.T) {
	t.Parallel()
	s, token := start(t, false, false)
	s.crash(token)
	if s.to.record(token).Version >= 0 {
		t.Fatal("there is no copy")
	}
	s.from.destroy(token)
	p, app := s.pair(false)
	s.gone(token, app)
	s.done(p, false)
	s.move(p)
	s.done(p, true)
	s.gone(token, app, s.to, s.from)
}

// A session that is used while its move is interrupted keeps the later expiry.
func TestUsedBetweenSteps(t *testing.T) {
	t.Parallel()
	s, token := start(t, false, false)
	s.crash(token)
	s.advance(time.Hour)
	rec := s.from.record(token)
	rec.Expiry, rec.Seen = rec.Expiry.Add(time.Hour), s.Now()
	must(t, s.from.d.Touch(t.Context(), rec))
	s.crash(token)
	_, app := s.pair(false)
	if app.value(token, "n") != 1 {
		t.Error("the session is lost")
	}
	if got := s.to.record(token); !got.Expiry.Equal(rec.Expiry) || !got.Seen.Equal(rec.Seen) {
		t.Errorf("expires at %v, seen at %v; want %v and %v", got.Expiry, got.Seen, rec.Expiry, rec.Seen)
	}
}

// A Delete that loses a race leaves the mirror.
func TestMirrorAfterLostDelete(t *testing.T) {
	t.Parallel()
	s, token := start(t, true, true)
	p, _ := s.pair(true)
	s.move(p)
	id := scskit.HashToken(token)
	err := p.Store().Driver().Delete(t.Context(), id, driver.IfVersion(7))
	if !errors.Is(err, driver.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if s.from.value(token, "n") != 1 {
		t.Error("the mirror is lost")
	}
}

// A mirror that is created late, or again, does not outlive its session.
func TestMirrorOfDestroyed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"put", "destroy", "renew"} {
		for _, second := range []string{"destroy", "put", "move"} {
			for at := range most {
				opts := scskit.Options{UserKey: "user"}
				s := newScene(t, opts, opts)
				// A process without Rollback has created it, so that it has no mirror.
				_, plain := s.pair(false)
				token := plain.save("", "user", "u", "n", 1)
				p, q := s.process(false, true), s.process(false, true)
				p.at, p.event = at, eventMeanwhile
				var destroyed bool
				p.then = func() {
					if second == "move" {
						s.move(q.Pair)
						return
					}
					_, ok := requests()[second](t.Context(), q.Store(), token)
					destroyed = ok && second == "destroy"
				}
				_, ok := requests()[name](t.Context(), p.Store(), token)
				if destroyed || ok && name == "destroy" {
					for session, err := range s.from.SessionsOf(t.Context(), "u") {
						t.Fatalf("%s, %s at call %d: the old backend has %s, error %v", name, second, at,
							session.ID, err)
					}
				}
				if p.calls <= at {
					break
				}
			}
		}
	}
}

// A process of either direction crashes during a move, and nobody uses the session until Move and
// Done let the new backend be alone.
func TestCrashThenMove(t *testing.T) {
	t.Parallel()
	for i := range 16 {
		moved, back, event, rollback := i&1 != 0, i&2 != 0, event(i>>2&1), i&8 != 0
		for at := range most {
			s, token := start(t, moved, rollback)
			p := s.process(back, rollback)
			p.at, p.event = at, event
			requests()["read"](t.Context(), p.Store(), token)
			forth := s.process(false, rollback)
			done, err := forth.Done(t.Context())
			must(t, err)
			if done && s.values(s.to.Store, token)["n"] != 1 {
				t.Errorf("moved=%v back=%v %v at %d: done, but the session is lost", moved, back, event, at)
			}
			s.move(forth.Pair)
			s.done(forth.Pair, true)
			if v := s.values(s.to.Store, token); v["n"] != 1 {
				t.Errorf("moved=%v back=%v %v at %d: the new backend has %v", moved, back, event, at, v)
			}
			if rollback && s.from.value(token, "n") != 1 {
				t.Errorf("moved=%v back=%v %v at %d: the old backend has lost it", moved, back, event, at)
			}
			if p.calls <= at {
				break
			}
		}
	}
}

// While a request brings the mirror up to date, a process of the other direction crashes in the
// middle of a move to the mirror's backend. The session survives.
func TestMirrorOfHalfMoved(t *testing.T) {
	t.Parallel()
	for crash := range 8 {
		for at := range most {
			s, token := start(t, true, false) // without a mirror
			p, q := s.process(false, true), s.process(true, true)
			p.at, p.event = at, eventMeanwhile
			q.at, q.event = crash, eventCrashAfter
			p.then = func() { requests()["read"](t.Context(), q.Store(), token) }
			_, ok := requests()["put"](t.Context(), p.Store(), token)
			values := s.values(s.process(false, true).Store(), token)
			if values["n"] != 1 || ok && values["put"] != 1 {
				t.Fatalf("crash at %d, at call %d: %v, acknowledged: %v", crash, at, values, ok)
			}
			if p.calls <= at {
				break
			}
		}
	}
}
