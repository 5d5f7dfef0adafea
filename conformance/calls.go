package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/leak"
)

const (
	// lifetime is the lifetime of sessions that do not expire during a check.
	lifetime = time.Hour
	// patience is how long after its expiry a session may still be found. It covers the time of an
	// operation and the difference between the clocks.
	patience = 500 * time.Millisecond
)

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// newToken returns a token like those of scs.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: see crypto/rand
	token := base64.RawURLEncoding.EncodeToString(b)
	leak.Note(token)
	return token
}

func (t *checkT) newStore() scs.Store {
	t.Helper()
	s := t.store.New(t)
	if s == nil {
		t.Fatal("Store.New returned nil")
	}
	if _, ok := carrierOf(s); ok && t.adapter == nil {
		t.notApplicable("the session travels in the cookie: the store works only behind an adapter, " +
			"where the checks of LevelPair cover it")
	}
	return t.withLongTimeout(s)
}

// reopen returns another instance of s, over the same backend.
func (t *checkT) reopen(s scs.Store) scs.Store {
	t.Helper()
	if t.store.Reopen == nil {
		t.notApplicable("Store.Reopen is nil")
	}
	t.mu.Lock()
	if made, ok := t.made[s]; ok {
		s = made
	}
	t.mu.Unlock()
	again := t.store.Reopen(t, s)
	if again == nil {
		t.Fatal("Store.Reopen returned nil")
	}
	return t.withLongTimeout(again)
}

// withLongTimeout returns s with a long timeout if it is a *scskit.Store: no check depends on the
// speed of the backend. reopen needs the original, which made keeps.
func (t *checkT) withLongTimeout(s scs.Store) scs.Store {
	p, ok := s.(*scskit.Store)
	if !ok {
		return s
	}
	patient := p.WithTimeout(t.crowdTimeout())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made == nil {
		t.made = make(map[scs.Store]scs.Store)
	}
	t.made[patient] = s
	return patient
}

func findCtx(ctx context.Context, s scs.Store, token string) ([]byte, bool, error) {
	if c, ok := s.(interface {
		FindCtx(context.Context, string) ([]byte, bool, error)
	}); ok {
		return c.FindCtx(ctx, token)
	}
	return s.Find(token)
}

func commitCtx(ctx context.Context, s scs.Store, token string, data []byte,
	expiry time.Time) error {
	if c, ok := s.(interface {
		CommitCtx(context.Context, string, []byte, time.Time) error
	}); ok {
		return c.CommitCtx(ctx, token, data, expiry)
	}
	return s.Commit(token, data, expiry)
}

func deleteCtx(ctx context.Context, s scs.Store, token string) error {
	if c, ok := s.(interface {
		DeleteCtx(context.Context, string) error
	}); ok {
		return c.DeleteCtx(ctx, token)
	}
	return s.Delete(token)
}

func (t *checkT) find(s scs.Store, token string) ([]byte, bool) {
	t.Helper()
	data, found, err := findCtx(t.Context(), s, token)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return data, found
}

func (t *checkT) commit(s scs.Store, token string, data []byte, expiry time.Time) {
	t.Helper()
	if err := commitCtx(t.Context(), s, token, data, expiry); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func (t *checkT) remove(s scs.Store, token string) {
	t.Helper()
	if err := deleteCtx(t.Context(), s, token); err != nil {
		t.Fatalf("delete: %v", err)
	}
}

// all returns every session of the store. It ends the check as not applicable if the store cannot
// list them.
func (t *checkT) all(s scs.Store) map[string][]byte {
	t.Helper()
	var all map[string][]byte
	var err error
	switch i := s.(type) {
	case scs.IterableCtxStore:
		all, err = i.AllCtx(t.Context())
	case scs.IterableStore:
		all, err = i.All()
	default:
		t.notApplicable("the store cannot list its sessions")
	}
	if errors.Is(err, errors.ErrUnsupported) {
		t.notApplicable("the store cannot list its sessions")
	}
	if err != nil {
		t.Fatalf("all: %v", err)
	}
	return all
}

// fill stores n live sessions and returns their tokens by their data.
func (t *checkT) fill(s scs.Store, n int) map[string]string {
	t.Helper()
	const writers = 8
	tokens := make(map[string]string, n)
	var mu sync.Mutex
	t.each(min(n, writers), func(w int) {
		for i := w; i < n; i += writers {
			token, data := newToken(), string(t.encode(map[string]any{"session": i}))
			t.commit(s, token, []byte(data), in(lifetime))
			mu.Lock()
			tokens[data] = token
			mu.Unlock()
		}
	})
	return tokens
}

// wantData ends the check unless the session of the token holds want.
func (t *checkT) wantData(s scs.Store, token string, want []byte) {
	t.Helper()
	got, found := t.find(s, token)
	if !found {
		t.Fatal("find: the session is not found")
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("find: got %s, want %s", brief(got), brief(want))
	}
}

// wantNone ends the check if the token has a session.
func (t *checkT) wantNone(s scs.Store, token string) {
	t.Helper()
	if data, found := t.find(s, token); found {
		t.Fatalf("find: got a session with data %s, want none", brief(data))
	} else if len(data) != 0 {
		t.Fatalf("find: got found false, but data %s", brief(data))
	}
}

// gone reports whether the token has no session.
func (t *checkT) gone(s scs.Store, token string) bool {
	t.Helper()
	_, found := t.find(s, token)
	return !found
}

// brief returns data as a short text.
func brief(data []byte) string {
	const most = 60
	if len(data) > most {
		return fmt.Sprintf("%q… (%d bytes)", data[:most], len(data))
	}
	return fmt.Sprintf("%q", data)
}
