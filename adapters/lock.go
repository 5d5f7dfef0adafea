package adapters

import (
	"context"
	"errors"
	"fmt"

	"github.com/scskit/scskit"
)

// Lock lets the requests of one session take turns, in all processes, so that a handler that reads
// a value and then writes it needs no scskit.Update. The zero LockOptions have defaults: a lease of
// 500 ms, an attempt every 500 ms, and at most 1 s of waiting.
//
// A request takes the lock before its session is loaded (with Lazy when it is first used), and
// releases it when the session is stored, before the response begins. A request that cannot get the
// lock fails with an error that matches scskit.ErrLocked, as if its session could not be loaded:
// use OnError to answer with 423 or 503. With FailOpen it passes with an empty session, which is
// not saved. If a handler takes longer than the lease, and another request has changed the session
// meanwhile, the handler's changes are not stored, and the request fails with driver.ErrConflict.
//
// A request without a session token takes no lock, and neither does one that first uses its session
// after the response has begun. All others, including those that only read, cost two more round
// trips to the store. Use Lock only for the routes that need it.
func Lock(o scskit.LockOptions) Option {
	return func(opts *options) { opts.lock = &o }
}

// validateLock checks the option Lock. s is nil if there is no *scskit.Store.
func (l *Lifecycle) validateLock(s *scskit.Store, carries bool) error {
	if l.opts.lock == nil {
		return nil
	}
	if s == nil {
		return fmt.Errorf("the option Lock needs a *scskit.Store, but SessionManager.Store is a %T: "+
			"remove the option, or use a store from package stores", l.sm.Store)
	}
	if carries {
		return errors.New("the option Lock cannot lock sessions that travel in the cookie: remove the " +
			"option, or use a store on a server")
	}
	if err := l.opts.lock.Check(); err != nil {
		return fmt.Errorf("the option Lock: %w", err)
	}
	l.locker = s
	return nil
}

// loadLocked loads the session with the token, after it has locked it. If the token is the old one
// of a renewed session, it locks that session and loads it again.
func (r *Request) loadLocked(ctx context.Context, token string) (context.Context, error) {
	for alias := ""; ; {
		if err := r.lock(ctx, token); err != nil {
			return nil, err
		}
		loaded, err := r.l.sm.Load(ctx, token)
		if err != nil || r.held.Load() == nil {
			return loaded, err
		}
		now := r.tracker.Alias(r.l.sm.Store, token)
		if now == alias {
			return loaded, nil
		}
		alias = now
		r.Release()
	}
}

// lock locks the session with the token, before it is loaded.
func (r *Request) lock(ctx context.Context, token string) error {
	if r.l.locker == nil || r.ended() {
		return nil
	}
	lock, err := r.l.locker.Lock(ctx, token, *r.l.opts.lock)
	if err != nil {
		return err
	}
	r.held.Store(lock)
	if r.ended() { // the request has timed out meanwhile
		r.Release()
	}
	return nil
}

func (r *Request) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.finished
}

// Release releases the lock that the option Lock has taken. Finish does so too. An adapter that
// uses Response calls Release when the handlers have returned or panicked.
func (r *Request) Release() {
	if !r.Idle() && r.l.locker != nil {
		r.held.Swap(nil).Release(r.base)
	}
}

// Refresh implements tracking.Refresher.
func (r *Request) Refresh(manager any, set func()) {
	for ; r != nil; r = r.outer {
		if r.l.key == manager {
			r.refresh(set)
			return
		}
	}
	set()
}

func (r *Request) refresh(set func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.finished && r.err == nil && !r.changedSinceFinish()
	defer r.panicLate.Store(r.panicLate.Swap(false)) // the arguments are evaluated now
	set()
	if known { // otherwise End reports what the handler has changed before
		r.status = r.l.sm.Status(&r.ctx)
		if r.snapshot != nil {
			r.snapshot = takeSnapshot(&r.ctx, r.l.sm)
		}
	}
}
