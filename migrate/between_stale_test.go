package migrate_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// A slow request stores its copy after the session has moved and was destroyed, while the last step
// of the move is still missing.
func TestLateCopy(t *testing.T) {
	t.Parallel()
	s, token := start(t, false, false)
	slow, mover, other := s.process(false, false), s.process(false, false), s.process(false, false)
	slowAt, slowGo := make(chan struct{}), make(chan struct{})
	moverAt, moverGo := make(chan struct{}), make(chan struct{})
	slow.at, slow.event = 2, eventMeanwhile // before it stores the copy
	slow.then = func() { close(slowAt); <-slowGo }
	mover.at, mover.event = 5, eventMeanwhile // before the last step
	mover.then = func() { close(moverAt); <-moverGo }
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = slow.Store().Find(token) })
	<-slowAt
	wg.Go(func() { _, _, _ = mover.Store().Find(token) })
	<-moverAt
	if _, ok := requests()["destroy"](t.Context(), other.Store(), token); !ok {
		t.Error("not destroyed")
	}
	close(slowGo)
	time.Sleep(20 * time.Millisecond) // whichever is first
	close(moverGo)
	wg.Wait()
	s.gone(token, &side{Store: other.Store(), t: t}, s.to, s.from)
}

// sealing returns a process with keys for the new backend.
func (s *scene) sealing(keys [][]byte, back bool, at int) *process {
	s.Helper()
	p := &process{at: at, event: eventCrashBefore}
	store := func(d driver.Driver, keys [][]byte) *scskit.Store {
		store, err := scskit.NewStore(&line{d, p},
			&scskit.Options{UserKey: "user", Now: s.Now, Timeout: -1, Keys: keys})
		must(s.T, err)
		return store
	}
	fresh, old := store(s.to.d, keys), store(s.from.d, nil)
	if back {
		fresh, old = old, fresh
	}
	p.Pair = between(s.T, fresh, old, false)
	return p
}

// A process that lacks a key finds a session that has half moved. It fails, and changes nothing.
func TestHalfMovedWithoutKey(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		s := newScene(t, scskit.Options{UserKey: "user"}, scskit.Options{UserKey: "user"})
		keys, others := randomKey(), randomKey()
		origin := s.from
		if back {
			origin = &side{Store: s.sealing(keys, false, -1).Store(), t: t}
		}
		token := origin.save("", "user", "u", "n", 1)
		crashed := s.sealing(keys, back, 4)
		if _, _, err := crashed.Store().Find(token); err == nil {
			t.Fatal("no crash")
		}
		app := s.sealing(others, false, -1)
		_, found, err := app.Store().FindCtx(scskit.WithTracker(t.Context()), token)
		if found || !errors.Is(err, scskit.ErrUnknownKey) {
			t.Errorf("back %v: found %v, error %v", back, found, err)
		}
		_, _ = app.Move(t.Context(), nil)
		if s.values(s.sealing(keys, false, -1).Store(), token)["n"] != 1 {
			t.Errorf("back %v: the session is lost", back)
		}
	}
}

// A damaged marker of a session that has ended is no session, and does not make a request loop.
func TestDamagedMarker(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{Keys: randomKey()}, scskit.Options{})
	token := s.from.save("", "n", 1)
	_, app := s.pair(false)
	app.value(token, "n")
	app.destroy(token)
	marker := s.from.record(token)
	marker.Data[len(marker.Data)-1] ^= 1
	must(t, s.from.d.Driver.Save(t.Context(), marker, driver.Always()))
	before := s.from.d.count("load")
	_, found, err := app.FindCtx(scskit.WithTracker(t.Context()), token)
	if n := s.from.d.count("load") - before; found || err != nil || n > 3 {
		t.Errorf("found %v, error %v, %d loads", found, err, n)
	}
}

// listed calls a function before each listing of a user's sessions.
type listed struct {
	driver.Driver
	before func()
}

func (l *listed) Unwrap() driver.Driver { return l.Driver }

func (l *listed) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	l.before()
	index, _ := driver.As[driver.UserIndex](l.Driver)
	return index.RangeUser(ctx, user)
}

// DestroySessionsOf finds a session that moves to and fro during the listing.
func TestDestroyMovingToAndFro(t *testing.T) {
	t.Parallel()
	s, token := start(t, true, false)
	forth, back := s.process(false, false).Store(), s.process(true, false).Store()
	listings := 0
	flip := func() {
		if listings++; listings == 2 {
			s.values(back, token)
		} else if listings == 3 {
			s.values(forth, token)
		}
	}
	stores := make([]*scskit.Store, 2)
	for i, side := range []*side{s.to, s.from} {
		var err error
		stores[i], err = scskit.NewStore(&listed{side.d, flip},
			&scskit.Options{UserKey: "user", Now: s.Now})
		must(t, err)
	}
	app := between(t, stores[0], stores[1], false).Store()
	if n, err := app.DestroySessionsOf(t.Context(), "u"); n != 1 || err != nil {
		t.Errorf("destroyed %d, error %v", n, err)
	}
	s.gone(token, &side{Store: forth, t: t}, s.to, s.from)
}

// A Delete that loses a race does not end a session that has half moved in the other direction.
func TestLostDeleteOfHalfMoved(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		for at := range 7 {
			s, token := start(t, true, rollback)
			q := s.process(true, rollback)
			q.at, q.event = at, eventCrashBefore
			_, _, _ = q.Store().Find(token)
			p := s.process(false, rollback).Store()
			err := p.Driver().Delete(t.Context(), scskit.HashToken(token), driver.IfVersion(7))
			if !errors.Is(err, driver.ErrConflict) || s.values(p, token)["n"] != 1 {
				t.Errorf("rollback %v, crash at %d: error %v, the session is lost", rollback, at, err)
			}
		}
	}
}

// A lock has no codec, and no mirror.
func TestPairLock(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		for _, codecs := range [][2]scs.Codec{{scs.GobCodec{}, nil}, {nil, scs.GobCodec{}}} {
			s := newScene(t, scskit.Options{Codec: codecs[0]}, scskit.Options{Codec: codecs[1]})
			_, app := s.pair(rollback)
			for range 3 {
				lock, err := app.Lock(t.Context(), "token", scskit.LockOptions{MaxWait: -1})
				must(t, err)
				lock.Release(t.Context())
			}
			if len(s.to.records())+len(s.from.records()) > 0 {
				t.Errorf("left: %v %v", s.to.records(), s.from.records())
			}
		}
	}
}

// Move moves a session as it is, not as it was when it was listed.
func TestMoveAfterUse(t *testing.T) {
	t.Parallel()
	s, token := start(t, false, false)
	rec := s.from.record(token)
	rec.Expiry = rec.Expiry.Add(time.Hour)
	p, _ := s.pair(false)
	s.from.d.hook = func(op, _ string) error {
		if op == "range" {
			return s.from.d.Touch(t.Context(), rec)
		}
		return nil
	}
	s.move(p)
	if got := s.to.record(token); !got.Expiry.Equal(rec.Expiry) {
		t.Errorf("expires at %v, want %v", got.Expiry, rec.Expiry)
	}
}

// The copy of a move that was interrupted gets the session's later expiry before it is used.
func TestOldCopy(t *testing.T) {
	t.Parallel()
	s, token := start(t, false, false)
	s.crash(token)
	rec := s.from.record(token)
	s.advance(rec.Expiry.Sub(s.Now()) - time.Millisecond)
	rec.Expiry = s.Now().Add(time.Hour)
	must(t, s.from.d.Touch(t.Context(), rec))
	p := s.process(false, false)
	p.at, p.event = 4, eventMeanwhile
	p.then = func() { s.advance(2 * time.Millisecond) }
	if _, found, err := p.Store().Find(token); !found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
}
