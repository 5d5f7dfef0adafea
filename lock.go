package scskit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
)

// ErrLocked means that a session was locked by others for all of LockOptions.MaxWait. The request
// may be tried again.
var ErrLocked = errors.New("session is locked by another request: try again, or set a longer " +
	"LockOptions.MaxWait")

// LockOptions are the times of a lock. The zero value has the defaults of AWS's session handlers
// for DynamoDB.
type LockOptions struct {
	// Lease is how long a lock is held at most. Zero means 500 ms.
	Lease time.Duration

	// RetryDelay is how long to wait, on average, before the next attempt at a lock that another
	// process holds. Within a process, the next one in the queue gets the lock at once. Zero means
	// 500 ms.
	RetryDelay time.Duration

	// MaxWait is how long to try. Zero means 1 s. With a negative value there is only one attempt.
	MaxWait time.Duration
}

// Check returns an error if an option is unusable.
func (o LockOptions) Check() error {
	switch {
	case o.Lease < 0:
		return fmt.Errorf("LockOptions.Lease is %v: it must be positive", o.Lease)
	case o.RetryDelay < 0:
		return fmt.Errorf("LockOptions.RetryDelay is %v: it must be positive", o.RetryDelay)
	}
	return nil
}

func (o LockOptions) withDefaults() LockOptions {
	if o.Lease == 0 {
		o.Lease = 500 * time.Millisecond
	}
	if o.RetryDelay == 0 {
		o.RetryDelay = 500 * time.Millisecond
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Second
	}
	return o
}

// SessionLock is a lock that Store.Lock has taken.
type SessionLock struct {
	store   *Store
	tracker *tracker
	session string // the id of the session
	id      string // of the lock's record
	version int64
	lease   time.Duration
	until   time.Time // the end of the lease
	once    sync.Once

	mu   sync.Mutex
	lost bool // the lease has ended before the commit
}

// Lock locks the session with the token for code that locks it too, in any process. adapters.Lock
// locks the sessions of requests. In a job, lock the session before it is loaded, in a context from
// WithTracker:
//
//	ctx = scskit.WithTracker(ctx)
//	lock, err := store.Lock(ctx, token, scskit.LockOptions{})
//	// on success, load, change and commit the session
//	defer lock.Release(ctx)
//
// Code that does not lock the session is not kept out: its changes are merged, as without a lock.
// If the lease ends before a changed session is committed in ctx, the commit takes the lock again.
// If others have it by then, or have saved the session, the commit fails with driver.ErrConflict
// and stores nothing.
//
// If others hold the lock for all of MaxWait, the error matches ErrLocked. A token that no session
// can have is not locked. A store that keeps sessions in cookies cannot lock them: the error
// matches errors.ErrUnsupported.
//
// A lock is a record in the backend without session data, which expires with the lease. It costs
// one save, and one delete to release it. Lock does not check that the session exists.
func (s *Store) Lock(ctx context.Context, token string, o LockOptions) (*SessionLock, error) {
	if s.carrier != nil {
		return nil, fmt.Errorf("scskit: lock: sessions that travel in cookies cannot be locked: use a "+
			"store on a server: %w", errors.ErrUnsupported)
	}
	if err := o.Check(); err != nil {
		return nil, failed("lock", err)
	}
	session, ok := s.ids.id(token)
	if !ok {
		return &SessionLock{}, nil
	}
	l := &SessionLock{
		store: s, tracker: trackerFrom(ctx), session: session, id: hash(lockMark + session),
	}
	if n := l.tracker; n != nil { // it may be the old token of a session
		if alias := n.get(s, token).alias; alias != "" {
			l.session, l.id = alias, hash(lockMark+alias)
		}
	}
	if err := l.acquire(ctx, o.withDefaults()); err != nil {
		return nil, s.failure("lock", token, err)
	}
	if t := l.tracker; t != nil {
		t.mu.Lock()
		t.locks = append(slices.Clip(t.locks), l)
		t.mu.Unlock()
	}
	return l, nil
}

// lockMark is the data of a lock's record.
const lockMark = "\x00scskit: lock\x00"

// isLock reports whether a record with the data is a lock. It is not found or listed as a session.
func isLock(data []byte) bool { return string(data) == lockMark }

func (l *SessionLock) acquire(ctx context.Context, o LockOptions) error {
	wake := make(chan struct{}, 1)
	queue := l.store.lockQueue
	defer func() { queue.leave(l.id, wake) }()
	deadline := time.NewTimer(max(o.MaxWait, 0))
	defer deadline.Stop()
	for {
		queue.join(l.id, wake) // before the attempt, so that no release is missed
		err := l.try(ctx, o.Lease)
		if !errors.Is(err, driver.ErrConflict) {
			return err
		}
		if o.MaxWait < 0 {
			return ErrLocked
		}
		retry := time.NewTimer(o.RetryDelay/2 + rand.N(o.RetryDelay+1))
		select {
		case <-wake:
		case <-retry.C:
		case <-deadline.C:
			retry.Stop()
			return ErrLocked
		case <-ctx.Done():
			retry.Stop()
			return ctx.Err()
		}
		retry.Stop()
	}
}

// try takes the lock, or returns driver.ErrConflict.
func (l *SessionLock) try(ctx context.Context, lease time.Duration) error {
	s := l.store
	until := time.Now().Add(lease)
	now := s.opts.Now()
	rec := driver.Record{
		ID: l.id, Data: []byte(lockMark), Expiry: ceilMilli(now.Add(lease)),
		Created: now, Updated: now, Seen: now, Version: version(),
	}
	op := s.begin(ctx)
	err := s.driver.Save(op.ctx, s.sealed(rec), driver.IfAbsent())
	err = op.end(KindLock, l.session, err)
	if err == nil {
		l.version, l.until, l.lease = rec.Version, until, lease
	}
	return err
}

// Release ends the lock if its lease has not ended. It works even if ctx has ended, and it is safe
// to call it more than once. If the backend fails, the lock ends with its lease.
func (l *SessionLock) Release(ctx context.Context) {
	if l == nil || l.store == nil {
		return
	}
	l.once.Do(func() { l.release(ctx) })
}

func (l *SessionLock) release(ctx context.Context) {
	if t := l.tracker; t != nil {
		t.mu.Lock()
		t.locks = slices.DeleteFunc(slices.Clone(t.locks), func(o *SessionLock) bool { return o == l })
		t.mu.Unlock()
	}
	s := l.store
	ctx = context.WithoutCancel(ctx)
	if s.opts.Timeout <= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlock(ctx, l.session, l.id, l.version)
}

// unlock deletes the record of a lock, and wakes the next who waits for it. If that fails, the lock
// ends with its lease.
func (l *SessionLock) unlock(ctx context.Context, session, id string, version int64) {
	s := l.store
	op := s.begin(ctx)
	err := s.driver.Delete(op.ctx, id, driver.IfVersion(version))
	_ = op.end(KindLock, session, err)
	s.lockQueue.wake(id)
}

// errLeaseEnded is the error of a commit that came after the end of the lease.
var errLeaseEnded = fmt.Errorf("%w: the lease on the session has ended, and another request has "+
	"locked or saved it: set a longer LockOptions.Lease", driver.ErrConflict)

// hold makes sure that the lock is held: after the end of the lease it takes it again.
func (l *SessionLock) hold(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return nil
	}
	l.lost = true
	err := l.try(ctx, l.lease)
	if errors.Is(err, driver.ErrConflict) {
		return errLeaseEnded
	}
	return err
}

// locked makes sure that a lock which the request has taken on the session is held.
func (c *commitOp) locked(id string) error {
	if l := c.tracker.lockOf(c.store, id); l != nil {
		return l.hold(c.ctx)
	}
	return nil
}

// fenced returns an error if the request has locked the session, but its lease has ended. The
// caller has found that others have saved the session; same says that they have not changed it.
func (c *commitOp) fenced(id string, same bool) error {
	l := c.tracker.lockOf(c.store, id)
	if l == nil {
		return nil
	}
	if err := l.hold(c.ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost && !same {
		return errLeaseEnded
	}
	return nil
}

// moveLock moves the request's lock on a session to its successor.
func (c *commitOp) moveLock(id, next string) error {
	l := c.tracker.lockOf(c.store, id)
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old, version := l.id, l.version
	l.lost = true // others may have locked the successor before
	c.tracker.mu.Lock()
	l.session, l.id = next, hash(lockMark+next)
	c.tracker.mu.Unlock()
	if err := l.try(c.ctx, l.lease); err != nil {
		if errors.Is(err, driver.ErrConflict) {
			return errLeaseEnded
		}
		return err
	}
	l.unlock(c.ctx, id, old, version)
	return nil
}

// lockOf returns the lock that is held on a session, or nil.
func (t *tracker) lockOf(s *Store, id string) *SessionLock {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.locks {
		if l.store.origin == s.origin && l.session == id {
			return l
		}
	}
	return nil
}

// lockQueue has those who wait for a lock in this process, so that a release can wake the first.
type lockQueue struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{}
}

// join adds a waiter, if it is not waiting yet.
func (q *lockQueue) join(id string, wake chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = make(map[string][]chan struct{})
	}
	if !slices.Contains(q.waiting[id], wake) {
		q.waiting[id] = append(q.waiting[id], wake)
	}
}

// leave removes a waiter. If it was woken after its last attempt, it wakes the next one.
func (q *lockQueue) leave(id string, wake chan struct{}) {
	q.mu.Lock()
	left := slices.DeleteFunc(q.waiting[id], func(c chan struct{}) bool { return c == wake })
	q.waiting[id] = left
	if len(left) == 0 {
		delete(q.waiting, id)
	}
	q.mu.Unlock()
	select {
	case <-wake:
		q.wake(id)
	default:
	}
}

// wake wakes the first waiter. It stays in the queue if it is not alone there, at the end.
func (q *lockQueue) wake(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting := q.waiting[id]; len(waiting) > 0 {
		select {
		case waiting[0] <- struct{}{}:
		default:
		}
		q.waiting[id] = append(waiting[1:], waiting[0])
	}
}
