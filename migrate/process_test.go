package migrate_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

// process is an application on a pair whose calls of both backends are counted. At one of them it
// crashes, or something else happens.
type process struct {
	*migrate.Pair
	mu    sync.Mutex // of calls and dead
	calls int
	at    int // -1 for none
	event event
	dead  bool
	then  func() // of eventMeanwhile
}

type event int

const (
	eventCrashBefore event = iota // of the call
	eventCrashAfter               // the backend has done it, but the process does not learn that
	eventMeanwhile                // before the call
)

func (e event) String() string {
	return [...]string{"crash before", "crash after", "meanwhile"}[e]
}

// process returns a process on the backends of the scene.
func (s *scene) process(back, rollback bool) *process {
	s.Helper()
	p := &process{at: -1}
	stores := make([]*scskit.Store, 2)
	for i, side := range []*side{s.to, s.from} {
		var err error
		stores[i], err = scskit.NewStore(&line{side.d, p},
			&scskit.Options{UserKey: "user", Now: s.Now, Timeout: -1})
		must(s.T, err)
	}
	if back {
		stores[0], stores[1] = stores[1], stores[0]
	}
	p.Pair = between(s.T, stores[0], stores[1], rollback)
	return p
}

// line is a process's connection to a backend.
type line struct {
	driver.Driver
	p *process
}

func (l *line) Unwrap() driver.Driver { return l.Driver }

func (l *line) call(f func() error) error {
	p := l.p
	p.mu.Lock()
	n, dead := p.calls, p.dead
	p.calls++
	p.dead = dead || n == p.at && p.event != eventMeanwhile
	p.mu.Unlock()
	switch {
	case dead:
		return errDown
	case n != p.at:
		return f()
	case p.event == eventMeanwhile:
		p.then()
		return f()
	case p.event == eventCrashAfter:
		_ = f()
	}
	return errDown
}

func (l *line) Load(ctx context.Context, id string) (rec driver.Record, err error) {
	err = l.call(func() (err error) {
		rec, err = l.Driver.Load(ctx, id)
		return err
	})
	return rec, err
}

func (l *line) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return l.call(func() error { return l.Driver.Save(ctx, rec, cond) })
}

func (l *line) Touch(ctx context.Context, rec driver.Record) error {
	return l.call(func() error { return l.Driver.Touch(ctx, rec) })
}

func (l *line) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return l.call(func() error { return l.Driver.Delete(ctx, id, cond) })
}

// request is what a handler does with the session. It returns the token that the browser gets, and
// whether the response acknowledges the request.
type request func(ctx context.Context, store *scskit.Store, token string) (string, bool)

// changing returns a request that changes the session.
func changing(change func(context.Context, *sessionManager) error) request {
	return func(ctx context.Context, store *scskit.Store, token string) (string, bool) {
		sm := scskit.New(store)
		ctx, err := sm.Load(scskit.WithTracker(ctx), token)
		if err != nil || sm.Token(ctx) == "" {
			return "", false
		}
		if err := change(ctx, sm); err != nil {
			return "", false
		}
		if sm.Status(ctx) == destroyed {
			return "", true
		}
		token, _, err = sm.Commit(ctx)
		if result, ok := scskit.LastCommit(ctx, token); err != nil || !ok ||
			result.State == scskit.CommitGone {
			return "", false
		}
		return token, true
	}
}

// requests are the requests by name. Those that put a value put it under their name.
func requests() map[string]request {
	put := func(key string) request {
		return changing(func(ctx context.Context, sm *sessionManager) error {
			sm.Put(ctx, key, 1)
			return nil
		})
	}
	return map[string]request{
		"read": changing(func(context.Context, *sessionManager) error { return nil }),
		"put":  put("put"),
		"set":  put("set"),
		"destroy": changing(func(ctx context.Context, sm *sessionManager) error {
			return sm.Destroy(ctx)
		}),
		"renew": changing(func(ctx context.Context, sm *sessionManager) error {
			return sm.RenewToken(ctx)
		}),
	}
}

// values returns what the store has for a token: nil if there is no session.
func (s *scene) values(store *scskit.Store, token string) map[string]any {
	s.Helper()
	if token == "" {
		return nil
	}
	data, found, err := store.FindCtx(scskit.WithTracker(s.Context()), token)
	must(s.T, err)
	if !found {
		return nil
	}
	_, values, err := store.Codec().Decode(data)
	must(s.T, err)
	return values
}

// settled checks that all stores say the same of the tokens, before and after the rest has moved.
func (s *scene) settled(rollback bool, tokens ...string) {
	s.Helper()
	forth, back := s.process(false, rollback), s.process(true, rollback)
	for _, token := range tokens {
		want := fmt.Sprint(s.values(forth.Store(), token))
		check := func(where string, store *scskit.Store) {
			s.Helper()
			if got := fmt.Sprint(s.values(store, token)); got != want {
				s.Errorf("%s: %s, but first %s", where, got, want)
			}
		}
		check("in the other direction", back.Store())
		check("again", forth.Store())
		s.move(back.Pair)
		s.move(forth.Pair)
		check("moved", forth.Store())
		check("with the new backend alone", s.to.Store)
		if rollback {
			check("with the old backend alone", s.from.Store)
		} else {
			s.gone(token, s.from)
		}
		s.advance(2 * time.Hour) // tombstones have ended
		check("later", forth.Store())
		s.done(forth.Pair, true)
	}
}

// start returns a scene with one session, which has moved or not.
func start(t *testing.T, moved, rollback bool) (*scene, string) {
	t.Helper()
	opts := scskit.Options{UserKey: "user"}
	s := newScene(t, opts, opts)
	token := s.from.save("", "user", "u", "n", 1)
	if moved {
		s.values(s.process(false, rollback).Store(), token)
	}
	return s, token
}
