package scskit_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/cookiestore"
)

// Goroutines of one request share its session. No change is lost, also if nobody has stored the
// session yet.
func TestUpdateInGoroutinesOfOneRequest(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 0}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"token", ""} {
		for _, tracked := range []bool{true, false} {
			ctx := t.Context()
			if tracked {
				ctx = scskit.WithTracker(ctx)
			}
			ctx, err := sm.Load(ctx, token)
			if err != nil {
				t.Fatal(err)
			}
			was := sm.GetInt(ctx, "n")
			var wg sync.WaitGroup
			for range 20 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := scskit.Update(ctx, sm, increment(sm)); err != nil {
						t.Error(err)
					}
				}()
			}
			wg.Wait()
			if n := sm.GetInt(ctx, "n") - was; n != 20 {
				t.Errorf("token %q, tracked %v: counted %d, want 20", token, tracked, n)
			}
			stored, _, err := sm.Commit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n := storedValues(t, s, stored)["n"]; n != was+20 {
				t.Errorf("token %q, tracked %v: stored %v, want %d", token, tracked, n, was+20)
			}
		}
	}
}

// A function that calls Update with the context of the request, and not with its own, fails after
// one call.
func TestUpdateInUpdateOfOuterContext(t *testing.T) {
	s := userStore(t, scskit.Options{})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 1}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"token", ""} {
		t.Run("token="+token, func(t *testing.T) {
			t.Parallel()
			outer := loadTracked(t, sm, token)
			calls := 0
			err := scskit.Update(outer, sm, func(context.Context) error {
				calls++
				return scskit.Update(outer, sm, increment(sm))
			})
			if err == nil || !strings.Contains(err.Error(), "must not call Update") || calls != 1 {
				t.Errorf("got error %v after %d calls", err, calls)
			}
			ended, cancel := context.WithCancel(outer)
			err = scskit.Update(outer, sm, func(context.Context) error {
				cancel()
				return scskit.Update(ended, sm, increment(sm))
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a context that has ended: got error %v", err)
			}
			if err := scskit.Update(outer, sm, increment(sm)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each manager has its own session in one context, and fn can read those of the others.
func TestUpdateWithSeveralManagers(t *testing.T) {
	s := userStore(t, scskit.Options{})
	a, b := scskit.New(s), scskit.New(s)
	other := scskit.New(userStore(t, scskit.Options{}))
	for _, token := range []string{"a", "b"} {
		if err := commitSession(t, s, token, map[string]any{"n": 0}); err != nil {
			t.Fatal(err)
		}
	}
	ctx := loadTracked(t, a, "a")
	ctx, err := b.Load(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	if ctx, err = other.Load(ctx, ""); err != nil {
		t.Fatal(err)
	}
	b.Put(ctx, "own", "b")
	err = scskit.Update(ctx, a, func(ctx context.Context) error {
		a.Put(ctx, "n", a.GetInt(ctx, "n")+1)
		a.Put(ctx, "of b", b.GetString(ctx, "own"))
		other.Put(ctx, "k", "outside")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := scskit.Update(ctx, b, increment(b)); err != nil {
			t.Fatal(err)
		}
	}
	if got := storedValues(t, s, "a"); got["n"] != 1 || got["of b"] != "b" || len(got) != 2 {
		t.Errorf("first session: %v", got)
	}
	if got := storedValues(t, s, "b"); got["n"] != 2 || got["own"] != "b" || len(got) != 2 {
		t.Errorf("second session: %v", got)
	}
	if a.GetInt(ctx, "n") != 1 || b.GetInt(ctx, "n") != 2 || other.GetString(ctx, "k") != "outside" {
		t.Error("the request does not see the changes")
	}
}

// A session in the cookie is changed in the request only.
func TestUpdateOfCarriedSession(t *testing.T) {
	key := sha256.Sum256([]byte("a key for tests"))
	s, err := cookiestore.New([][]byte{key[:]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(s)
	ctx := loadTracked(t, sm, "")
	for range 2 {
		if err := scskit.Update(ctx, sm, increment(sm)); err != nil {
			t.Fatal(err)
		}
	}
	if n := sm.GetInt(ctx, "n"); n != 2 {
		t.Errorf("got %d, want 2", n)
	}
}
