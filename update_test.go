package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func increment(sm *scs.SessionManager) func(context.Context) error {
	return func(ctx context.Context) error {
		sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
		return nil
	}
}

func loadTracked(t *testing.T, sm *scs.SessionManager, token string) context.Context {
	t.Helper()
	ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func storedValues(t *testing.T, s *scskit.Store, token string) map[string]any {
	t.Helper()
	data, found, err := s.Find(token)
	if err != nil || !found {
		t.Fatalf("find: %v, %v", found, err)
	}
	_, values, err := s.Codec().Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestUpdateParallel(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 0}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx := t.Context()
			if i%2 == 0 {
				ctx = scskit.WithTracker(ctx)
			}
			ctx, err := sm.Load(ctx, "token")
			if err == nil {
				err = scskit.Update(ctx, sm, increment(sm))
			}
			if err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if _, _, err := sm.Commit(ctx); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if n := storedValues(t, s, "token")["n"]; n != 50 {
		t.Errorf("got %v, want 50", n)
	}
}

// The request sees the result, keeps what it changed before, and does not undo what others change
// after the update.
func TestUpdateRebases(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 1, "old": true}); err != nil {
		t.Fatal(err)
	}
	ctx, other := loadTracked(t, sm, "token"), loadTracked(t, sm, "token")
	sm.Put(ctx, "own", "x")
	for _, c := range []context.Context{other, ctx} {
		if err := scskit.Update(c, sm, increment(sm)); err != nil {
			t.Fatal(err)
		}
	}
	if n := sm.GetInt(ctx, "n"); n != 3 {
		t.Errorf("the request sees %d, want 3", n)
	}
	third := loadTracked(t, sm, "token")
	if err := scskit.Update(third, sm, increment(sm)); err != nil {
		t.Fatal(err)
	}
	sm.Remove(ctx, "old")
	if _, _, err := sm.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	got := storedValues(t, s, "token")
	if got["n"] != 4 || got["own"] != "x" || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	again := loadTracked(t, sm, "token")
	sm.Get(again, "n")
	again, err := sm.Load(hideSessions{again}, "token") // a second load in one tracker
	if err != nil {
		t.Fatal(err)
	}
	if err := scskit.Update(again, sm, increment(sm)); err != nil {
		t.Fatal(err)
	}
	if err := scskit.Update(third, sm, increment(sm)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sm.Commit(again); err != nil {
		t.Fatal(err)
	}
	if got := storedValues(t, s, "token"); got["n"] != 6 {
		t.Errorf("after a second load: got %v, want 6", got)
	}
}

// hideSessions hides the sessions of a context, so that Load loads again.
type hideSessions struct{ context.Context }

func (c hideSessions) Value(key any) any {
	if v := c.Context.Value(key); !strings.Contains(typeName(v), "sessionData") {
		return v
	}
	return nil
}

func TestUpdateRefuses(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 1}); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for name, f := range map[string]func(context.Context) error{
		"destroy": sm.Destroy,
		"renew":   func(ctx context.Context) error { _ = sm.RenewToken(ctx); return nil },
		"commit":  func(ctx context.Context) error { _, _, err := sm.Commit(ctx); return err },
		"nested":  func(ctx context.Context) error { return scskit.Update(ctx, sm, increment(sm)) },
		"past": func(ctx context.Context) error {
			sm.SetDeadline(ctx, time.Now().Add(-time.Hour))
			return nil
		},
		"value": func(ctx context.Context) error { sm.Put(ctx, "n", make(chan int)); return nil },
		"error": func(ctx context.Context) error { sm.Put(ctx, "n", 9); return boom },
	} {
		for _, token := range []string{"token", ""} {
			if name == "past" && token == "" {
				continue
			}
			ctx := loadTracked(t, sm, token)
			err := scskit.Update(ctx, sm, f)
			if err == nil || name == "error" && !errors.Is(err, boom) {
				t.Errorf("%s: got error %v", name, err)
			}
			if n := sm.GetInt(ctx, "n"); n == 9 {
				t.Errorf("%s: the request sees the failed change", name)
			}
		}
		if got := storedValues(t, s, "token"); got["n"] != 1 {
			t.Fatalf("%s: stored %v", name, got)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was recovered")
			}
		}()
		_ = scskit.Update(loadTracked(t, sm, "token"), sm, func(context.Context) error { panic(1) })
	}()
	if err := scskit.Update(loadTracked(t, sm, "token"), sm, increment(sm)); err != nil {
		t.Error(err) // the turn has ended
	}
	ctx := loadTracked(t, sm, "token")
	if err := s.Delete("token"); err != nil {
		t.Fatal(err)
	}
	if err := scskit.Update(ctx, sm, increment(sm)); !errors.Is(err, scskit.ErrGone) {
		t.Errorf("a destroyed session: got error %v", err)
	}
	if _, found, _ := s.Find("token"); found {
		t.Error("the destroyed session is back")
	}
}

func TestUpdateOfNewAndRenewedSession(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	ctx := loadTracked(t, sm, "")
	for range 2 {
		if err := scskit.Update(ctx, sm, increment(sm)); err != nil {
			t.Fatal(err)
		}
		if err := sm.RenewToken(ctx); err != nil {
			t.Fatal(err)
		}
	}
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := sm.RenewToken(ctx); err != nil {
		t.Fatal(err)
	}
	if err := scskit.Update(ctx, sm, increment(sm)); err != nil {
		t.Fatal(err)
	}
	if n := storedValues(t, s, token)["n"]; n != 2 {
		t.Errorf("before the commit: %v", n)
	}
	if token, _, err = sm.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if n := storedValues(t, s, token)["n"]; n != 3 {
		t.Errorf("got %v, want 3", n)
	}
}

func TestMergeFuncs(t *testing.T) {
	type m = map[string]any
	for _, tc := range []struct {
		f                        scskit.MergeFunc
		base, theirs, ours, want any
	}{
		{scskit.MergeSum, 1, 2, 2, 3},
		{scskit.MergeSum, nil, 2, 2, 4},
		{scskit.MergeSum, 1, "x", 2, 2},
		{scskit.MergeSum, 1, 2, nil, nil},
		{scskit.MergeSum, 1.5, 2.5, 3.5, 4.5},
		{scskit.MergeFirst, 1, 2, 3, 2},
		{scskit.MergeMaps, m{"a": 1, "b": 1, "c": 1}, m{"a": 2, "b": 1, "t": 1},
			m{"a": 1, "c": 1, "o": 1},
			m{"a": 2, "t": 1, "o": 1}},
		{scskit.MergeMaps, nil, m{"t": 1}, m{"o": nil}, m{"t": 1, "o": nil}},
		{scskit.MergeMaps, nil, 1, m{"o": 1}, m{"o": 1}},
		{scskit.MergeSets, []string{"a", "b"}, []string{"a", "b", "t"}, []string{"b", "o"},
			[]string{"b", "t", "o"}},
		{scskit.MergeSets, nil, []string{"x"}, []string{"x", "y"}, []string{"x", "y"}},
		{scskit.MergeSets, nil, nil, []string{"x"}, []string{"x"}},
	} {
		if got := tc.f(tc.base, tc.theirs, tc.ours); !deepEqual(got, tc.want) {
			t.Errorf("%v, %v, %v: got %v, want %v", tc.base, tc.theirs, tc.ours, got, tc.want)
		}
	}
}

func TestMergeOption(t *testing.T) {
	var f scskit.MergeFunc = scskit.MergeSum
	s := userStore(t, scskit.Options{Merge: map[string]scskit.MergeFunc{
		"n": func(b, t, o any) any { return f(b, t, o) },
	}})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 0}); err != nil {
		t.Fatal(err)
	}
	commit := func() (string, error) {
		a, b := loadTracked(t, sm, "token"), loadTracked(t, sm, "token")
		_ = increment(sm)(a)
		_ = increment(sm)(b)
		if _, _, err := sm.Commit(a); err != nil {
			t.Fatal(err)
		}
		token, _, err := sm.Commit(b)
		return token, err
	}
	if _, err := commit(); err != nil || storedValues(t, s, "token")["n"] != 2 {
		t.Errorf("got %v, %v", storedValues(t, s, "token"), err)
	}
	for name, bad := range map[string]scskit.MergeFunc{
		"panicked": func(_, _, _ any) any { panic("secret") },
		"chan":     func(_, _, _ any) any { return make(chan int) },
	} {
		f = bad
		if _, err := commit(); err == nil || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("got error %v", err)
		}
	}
	a, b := loadTracked(t, sm, "token"), loadTracked(t, sm, "token")
	f = scskit.MergeSum
	was := storedValues(t, s, "token")["n"].(int)
	_, _ = increment(sm)(a), increment(sm)(b)
	if _, _, err := sm.Commit(a); err != nil {
		t.Fatal(err)
	}
	if err := sm.RenewToken(b); err != nil {
		t.Fatal(err)
	}
	token, _, err := sm.Commit(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := storedValues(t, s, token)["n"]; n != was+2 {
		t.Errorf("renewal: got %v, want %d", n, was+2)
	}
}

func TestUpdateSessionsOf(t *testing.T) {
	s := userStore(t, scskit.Options{UserKey: "user", Merge: map[string]scskit.MergeFunc{
		"admin": scskit.MergeFirst,
	}})
	sm := scskit.New(s)
	for _, token := range []string{"one", "two"} {
		values := map[string]any{"user": "alice", "admin": 1}
		if err := commitSession(t, s, token, values); err != nil {
			t.Fatal(err)
		}
	}
	if err := commitSession(t, s, "bob", map[string]any{"user": "bob", "admin": 1}); err != nil {
		t.Fatal(err)
	}
	writer := loadTracked(t, sm, "one")
	sm.Put(writer, "admin", 2)
	renewing := loadTracked(t, sm, "two")
	if err := sm.RenewToken(renewing); err != nil {
		t.Fatal(err)
	}
	n, err := s.UpdateSessionsOf(t.Context(), "alice", func(values map[string]any) error {
		delete(values, "admin")
		return nil
	})
	if n != 2 || err != nil {
		t.Errorf("changed %d, %v", n, err)
	}
	for _, ctx := range []context.Context{writer, renewing} {
		token, _, err := sm.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got := storedValues(t, s, token); got["admin"] != nil || got["user"] != "alice" {
			t.Errorf("got %v", got)
		}
	}
	if err := scskit.Update(writer, sm, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	if sm.Exists(writer, "admin") {
		t.Error("the request still sees the right")
	}
	if got := storedValues(t, s, "bob"); got["admin"] != 1 {
		t.Error("another user's session was changed")
	}
	_, err = s.UpdateSessionsOf(t.Context(), "bob", func(values map[string]any) error {
		values["user"] = "alice"
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "UserKey") {
		t.Errorf("a change of the user: %v", err)
	}
}

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

func typeName(v any) string { return fmt.Sprintf("%T", v) }

func deepEqual(a, b any) bool { return reflect.DeepEqual(a, b) }
