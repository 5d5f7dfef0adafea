package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
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

func typeName(v any) string { return fmt.Sprintf("%T", v) }
