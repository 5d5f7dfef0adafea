package migrate_test

import (
	"fmt"
	"testing"

	"github.com/alexedwards/scs/v2"
)

type sessionManager = scs.SessionManager

const destroyed = scs.Destroyed

// most is more calls of backends than any request makes.
const most = 60

// A process that crashes at any call of a backend leaves a session that all others agree about:
// what it has acknowledged holds, and nobody is signed out.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, do := range requests() {
		for i := range 16 {
			moved, rollback, back := i&1 != 0, i&2 != 0, i&4 != 0
			event := event(i >> 3)
			t.Run(fmt.Sprintf("%s/%v/moved=%v/rollback=%v/back=%v", name, event, moved, rollback, back),
				func(t *testing.T) {
					t.Parallel()
					for at := range most {
						s, token := start(t, moved, rollback)
						p := s.process(back, rollback)
						p.at, p.event = at, event
						given, ok := do(t.Context(), p.Store(), token)
						s.crashed(name, token, given, ok, rollback)
						if p.calls <= at {
							return
						}
						if t.Failed() {
							t.Fatalf("at call %d", at)
						}
					}
					t.Fatalf("more than %d calls", most)
				})
		}
	}
}

// crashed checks a session after a request that may have crashed.
func (s *scene) crashed(name, token, given string, ok, rollback bool) {
	s.Helper()
	if ok && rollback { // before any other process repairs the mirror
		if got, want := s.values(s.from.Store, given) != nil, name != "destroy"; got != want {
			s.Errorf("the old backend alone: found %v", got)
		}
	}
	app := s.process(false, rollback).Store()
	old, current := s.values(app, token), s.values(app, given)
	switch {
	case name == "destroy" && ok:
		if old != nil {
			s.Error("the session that was destroyed is back")
		}
	case name == "destroy":
	case name == "renew" && ok:
		if old != nil || current["n"] != 1 {
			s.Errorf("renewed: the old token has %v, the new one %v", old, current)
		}
	case name == "renew":
		// The answer that the old session has ended may be lost, as on any backend.
		if old == nil && len(s.alive()) == 0 {
			s.Error("the session is lost")
		}
	case old["n"] != 1, name == "put" && ok && old["put"] != 1:
		s.Errorf("the session has %v", old)
	}
	s.settled(rollback, token, given)
}

// alive returns the live sessions of the user.
func (s *scene) alive() (ids []string) {
	s.Helper()
	for session, err := range s.process(false, false).Store().SessionsOf(s.Context(), "u") {
		must(s.T, err)
		ids = append(ids, session.ID)
	}
	return ids
}

// While one request is at any call of a backend, another one in another process begins and ends.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	for first, do := range requests() {
		for second, meanwhile := range requests() {
			for i := range 16 {
				moved, rollback, back, secondBack := i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0
				t.Run(fmt.Sprintf("%s/%s/moved=%v/rollback=%v/back=%v,%v", first, second, moved, rollback,
					back, secondBack), func(t *testing.T) {
					t.Parallel()
					for at := range most {
						s, token := start(t, moved, rollback)
						p, q := s.process(back, rollback), s.process(secondBack, rollback)
						var other outcome
						p.at, p.event = at, eventMeanwhile
						p.then = func() { other.token, other.ok = meanwhile(t.Context(), q.Store(), token) }
						var own outcome
						own.token, own.ok = do(t.Context(), p.Store(), token)
						if p.calls <= at {
							return
						}
						own.name, other.name = first, second
						s.both(token, own, other, rollback)
						if t.Failed() {
							t.Fatalf("at call %d", at)
						}
					}
					t.Fatalf("more than %d calls", most)
				})
			}
		}
	}
}

// outcome is how a request ended.
type outcome struct {
	name, token string
	ok          bool
}

// both checks a session after two requests.
func (s *scene) both(token string, own, other outcome, rollback bool) {
	s.Helper()
	app := s.process(false, rollback).Store()
	if own.name == "destroy" && own.ok || other.name == "destroy" && other.ok {
		if ids := s.alive(); len(ids) > 0 {
			s.Errorf("%d sessions after Destroy", len(ids))
		}
		s.settled(rollback, token, own.token, other.token)
		return
	}
	renewed := own.name == "renew" && own.ok || other.name == "renew" && other.ok
	if renewed && s.values(app, token) != nil {
		s.Error("the old token has a session after RenewToken")
	}
	for _, o := range []outcome{own, other} {
		switch values := s.values(app, o.token); {
		case !o.ok:
			if o.name != "destroy" && !renewed {
				s.Errorf("%s has failed", o.name)
			}
		case renewed && o.name != "renew": // by another request: it stays under the new token
		case values["n"] != 1:
			s.Errorf("after %s the session has %v", o.name, values)
		case (o.name == "put" || o.name == "set") && values[o.name] != 1:
			s.Errorf("the change of %s is lost: %v", o.name, values)
		}
	}
	s.settled(rollback, token, own.token, other.token)
}
