package scskit_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func TestLock(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 0}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx := scskit.WithTracker(t.Context())
			lock, err := s.Lock(ctx, "token", scskit.LockOptions{
				Lease: time.Minute, RetryDelay: time.Minute, MaxWait: time.Minute,
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer lock.Release(ctx)
			if ctx, err = sm.Load(ctx, "token"); err == nil {
				_ = increment(sm)(ctx)
				_, _, err = sm.Commit(ctx)
			}
			if err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := storedValues(t, s, "token")["n"]; n != 50 {
		t.Errorf("got %v, want 50", n)
	}
	short := scskit.LockOptions{Lease: time.Nanosecond, RetryDelay: time.Millisecond}
	for _, end := range []string{"commit", "renew"} {
		stale := scskit.WithTracker(t.Context())
		if _, err := s.Lock(stale, "token", short); err != nil {
			t.Fatal(err)
		}
		stale, err := sm.Load(stale, "token")
		if err != nil {
			t.Fatal(err)
		}
		if err := scskit.Update(loadTracked(t, sm, "token"), sm, increment(sm)); err != nil {
			t.Fatal(err)
		}
		sm.Put(stale, "k", 1)
		if end == "renew" {
			if err := sm.RenewToken(stale); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond) // until the lease ends
		if _, _, err := sm.Commit(stale); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("%s of a stale holder: got error %v", end, err)
		}
	}
	ctx := t.Context()
	lock, err := s.Lock(ctx, "token", scskit.LockOptions{Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock(ctx, "token", scskit.LockOptions{MaxWait: -1})
	if !errors.Is(err, scskit.ErrLocked) || strings.Contains(err.Error(), "token,") {
		t.Errorf("a locked session: got error %v", err)
	}
	if all, err := s.All(); err != nil || len(all) != 1 {
		t.Errorf("All has %d sessions, %v", len(all), err)
	}
	lock.Release(ctx)
	lock.Release(ctx)
	if lock, err = s.Lock(ctx, "token", scskit.LockOptions{MaxWait: -1}); err != nil {
		t.Error(err)
	}
	lock.Release(ctx)
}
