package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableUpdateChecks cover concurrent changes inside one value.
var portableUpdateChecks = []check{
	{"update/increments", LevelPortable, updateIncrements,
		"no lost updates: fifty concurrent increments (fewer on a slow backend) by scskit.Update " +
			"count fifty, and the commits of the requests do not undo them"},
	{"update/uploads", LevelPortable, updateUploads,
		"no lost updates: Options.Merge keeps what five concurrent requests, two of which renew the " +
			"session, put into one map"},
	{"update/locks", LevelPortable, updateLocks,
		"no lost updates: fifty concurrent increments (fewer on a slow backend) under Store.Lock " +
			"count fifty"},
	{"update/stale-lock", LevelPortable, updateStaleLock,
		"a request whose lock has ended does not store over what another has stored since"},
	{"update/lock-hidden", LevelPortable, updateLockHidden,
		"a lock is not listed as a session, and is free after its release, whatever became of the " +
			"session"},
}

// increment is what a handler does that counts.
func increment(ctx context.Context, sm *scs.SessionManager) {
	sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
}

func updateIncrements(t *checkT) {
	n := t.crowd(50, 8)
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "n", 0)
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = t.request(sm, token)
	}
	t.each(n, func(i int) {
		r := requests[i]
		err := scskit.Update(r.ctx, sm, func(ctx context.Context) error {
			increment(ctx, sm)
			return nil
		})
		if err != nil {
			t.Errorf("update: %v", err)
		}
		sm.Put(r.ctx, fmt.Sprint("k", i), i)
	})
	t.each(n, func(i int) { requests[i].end() })
	got := t.values(s, token)
	if got["n"] != n || len(got) != n+1 {
		t.Errorf("counted %v, with %d other keys, want %d of both", got["n"], len(got)-1, n)
	}
}

func updateUploads(t *checkT) {
	s, _ := t.newPortable(&scskit.Options{
		Merge: map[string]scskit.MergeFunc{"uploads": scskit.MergeMaps},
	})
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	requests := make([]*request, 5)
	for i := range requests {
		requests[i] = t.request(sm, token)
		sm.Put(requests[i].ctx, "uploads", map[string]any{fmt.Sprint(i): true})
	}
	t.each(4, func(i int) { requests[i].end() })
	requests[4].renew()
	token, _ = requests[4].end()
	t.wantValues(t.values(s, token), "map[k:1 uploads:map[0:true 1:true 2:true 3:true 4:true]]")
}

func updateLocks(t *checkT) {
	n := t.crowd(50, 8)
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "n", 0)
	t.each(n, func(int) {
		ctx := scskit.WithTracker(t.Context())
		lock, err := s.Lock(ctx, token, scskit.LockOptions{
			Lease: time.Hour, RetryDelay: time.Second, MaxWait: t.crowdTimeout(),
		})
		if err != nil {
			t.Errorf("lock: %v", err)
			return
		}
		defer lock.Release(ctx)
		r := t.requestIn(ctx, sm, token)
		increment(r.ctx, sm)
		t.pause(time.Millisecond) // so that others meet it without the lock
		r.end()
	})
	t.wantValues(t.values(s, token), fmt.Sprintf("map[n:%d]", n))
}

func updateStaleLock(t *checkT) {
	for _, saved := range []bool{true, false} {
		t.staleLock(saved)
	}
}

// staleLock commits after the end of a lease, when another has the lock and has saved the session
// or is about to.
func (t *checkT) staleLock(saved bool) {
	t.Helper()
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "n", 0)
	ctx := scskit.WithTracker(t.Context())
	if _, err := s.Lock(ctx, token, scskit.LockOptions{Lease: time.Millisecond}); err != nil {
		t.Fatalf("lock: %v", err)
	}
	stale := t.requestIn(ctx, sm, token)
	other := scskit.WithTracker(t.Context())
	lock, err := s.Lock(other, token, scskit.LockOptions{
		Lease: time.Hour, RetryDelay: time.Millisecond, MaxWait: t.crowdTimeout(),
	})
	if err != nil {
		t.Fatalf("lock after the lease: %v", err)
	}
	r := t.requestIn(other, sm, token)
	increment(r.ctx, sm)
	if saved {
		r.end()
	}
	increment(stale.ctx, sm)
	if _, _, err := sm.Commit(stale.ctx); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("commit after the lease has ended: got error %v, want driver.ErrConflict", err)
	}
	if !saved {
		r.end()
	}
	lock.Release(other)
	t.wantValues(t.values(s, token), "map[n:1]")
}

func updateLockHidden(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	long := scskit.LockOptions{Lease: time.Hour, MaxWait: -1}
	for _, end := range []string{"commit", "renew", "destroy"} {
		ctx := scskit.WithTracker(t.Context())
		lock, err := s.Lock(ctx, token, long)
		if err != nil {
			t.Fatalf("lock: %v", err)
		}
		if _, err := s.Lock(t.Context(), token, long); !errors.Is(err, scskit.ErrLocked) {
			t.Errorf("lock a locked session: got error %v, want ErrLocked", err)
		}
		all, err := s.AllCtx(t.Context())
		if err == nil && len(all) != 1 {
			t.Errorf("AllCtx has %d sessions while one is locked, want 1", len(all))
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("list: %v", err)
		}
		r := t.requestIn(ctx, sm, token)
		sm.Put(r.ctx, "end", end)
		locked := token
		switch end {
		case "renew":
			r.renew()
		case "destroy":
			r.destroy()
		}
		token, _ = r.end()
		lock.Release(ctx)
		lock, err = s.Lock(t.Context(), locked, long)
		if err != nil {
			t.Errorf("lock after %s and release: %v", end, err)
		}
		lock.Release(t.Context())
	}
}
