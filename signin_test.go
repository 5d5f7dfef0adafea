package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

func userSessions(tb testing.TB, opts scskit.Options) (*scskit.Store, *scs.SessionManager) {
	tb.Helper()
	store, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		tb.Fatal(err)
	}
	return store, scskit.New(store)
}

func emptySession(tb testing.TB, sm *scs.SessionManager) context.Context {
	tb.Helper()
	ctx, err := sm.Load(scskit.WithTracker(tb.Context()), "")
	if err != nil {
		tb.Fatal(err)
	}
	return ctx
}

// TestSignInTypes signs users of each type in. Declared types become basic ones.
func TestSignInTypes(t *testing.T) {
	t.Parallel()
	type (
		name   string
		number int64
	)
	store, sm := userSessions(t, scskit.Options{UserKey: "user"})
	sign := map[string]func(ctx context.Context) error{
		"string": func(ctx context.Context) error { return scskit.SignIn(ctx, sm, "7", nil) },
		"int":    func(ctx context.Context) error { return scskit.SignIn(ctx, sm, 7, nil) },
		"uint8":  func(ctx context.Context) error { return scskit.SignIn(ctx, sm, uint8(7), nil) },
		"uint64": func(ctx context.Context) error { return scskit.SignIn(ctx, sm, uint64(7), nil) },
	}
	sign["string "] = func(ctx context.Context) error { return scskit.SignIn(ctx, sm, name("7"), nil) }
	sign["int64"] = func(ctx context.Context) error { return scskit.SignIn(ctx, sm, number(7), nil) }
	for want, signIn := range sign {
		ctx := emptySession(t, sm)
		if err := signIn(ctx); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%T", sm.Get(ctx, "user")); got != strings.TrimSpace(want) {
			t.Errorf("the user is a %s, want %s", got, want)
		}
		if err := scskit.RequireFresh(ctx, sm, time.Minute); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if _, _, err := sm.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for session, err := range store.SessionsOf(t.Context(), "7") {
		if err != nil || session.AuthenticatedAt.IsZero() {
			t.Errorf("signed in at %v, error %v", session.AuthenticatedAt, err)
		}
		n++
	}
	if n != len(sign) {
		t.Errorf("user 7 has %d sessions, want %d", n, len(sign))
	}
}

func TestSignInRefuses(t *testing.T) {
	t.Parallel()
	_, sm := userSessions(t, scskit.Options{UserKey: "user"})
	_, keyless := userSessions(t, scskit.Options{})
	foreign := scs.New()
	foreign.Store = scsmem.NewWithCleanupInterval(0)
	for _, c := range []struct {
		sm   *scs.SessionManager
		user string
		opts *scskit.SignInOptions
		want string
	}{
		{nil, "ada", nil, "manager is nil"},
		{foreign, "ada", nil, "*scskit.Store"},
		{keyless, "ada", nil, "Options.UserKey is not set"},
		{sm, "", nil, "the user is empty"},
		{sm, "ada", &scskit.SignInOptions{IdleTimeout: -1}, "must not be negative"},
		{sm, "ada", &scskit.SignInOptions{MaxSessions: -1}, "must not be negative"},
	} {
		ctx := t.Context()
		if c.sm != nil {
			ctx = emptySession(t, c.sm)
		}
		if err := scskit.SignIn(ctx, c.sm, c.user, c.opts); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
		if c.sm != nil && c.sm.Status(ctx) != scs.Unmodified {
			t.Errorf("%s: the session is modified", c.want)
		}
	}
	ctx := emptySession(t, keyless)
	if err := scskit.RequireFresh(ctx, keyless, time.Hour); !errors.Is(err, scskit.ErrNoUserKey) {
		t.Errorf("require a fresh sign-in: got error %v, want ErrNoUserKey", err)
	}
	if err := scskit.SetIdleTimeout(ctx, keyless, -1); err == nil {
		t.Error("a negative idle timeout: got no error")
	}
	if err := scskit.SetIdleTimeout(ctx, keyless, time.Hour); err != nil {
		t.Errorf("an idle timeout needs no user: got error %v", err)
	}
	if err := scskit.SetIdleTimeout(ctx, keyless, 0); err != nil || len(keyless.Keys(ctx)) != 0 {
		t.Errorf("without an idle timeout the session holds %v, error %v", keyless.Keys(ctx), err)
	}
}

// TestSignInLate signs in after the response has begun.
func TestSignInLate(t *testing.T) {
	t.Parallel()
	_, sm := userSessions(t, scskit.Options{UserKey: "user"})
	token := newSession(t, sm)
	var late error
	h := scshttp.LoadAndSave(sm)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		late = scskit.SignIn(r.Context(), sm, "another user", nil)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: token})
	h.ServeHTTP(httptest.NewRecorder(), r)
	if !errors.Is(late, scskit.ErrLate) {
		t.Errorf("got error %v, want ErrLate", late)
	}
	if _, found, err := sm.Store.Find(token); !found || err != nil {
		t.Errorf("the session is gone: %v, %v", found, err)
	}
	late = nil
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if !errors.Is(late, scskit.ErrLate) {
		t.Errorf("without a session: got error %v, want ErrLate", late)
	}
}

// TestSignInGob signs in with scs's own codec and scs's own middleware.
func TestSignInGob(t *testing.T) {
	t.Parallel()
	store, sm := userSessions(t, scskit.Options{UserKey: "user", Codec: scs.GobCodec{}})
	w := httptest.NewRecorder()
	sm.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		err := scskit.SignIn(r.Context(), sm, "ada",
			&scskit.SignInOptions{Label: "Laptop", IdleTimeout: time.Minute})
		if err != nil {
			t.Error(err)
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	n := 0
	for session, err := range store.SessionsOf(t.Context(), "ada") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		left := time.Until(session.Expiry).Truncate(time.Millisecond)
		if session.Label != "Laptop" || left > time.Minute {
			t.Errorf("label %q, expires in %v", session.Label, left)
		}
	}
	if n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// TestSignInMerged merges a visitor's other session into the one that is signed in, in one request.
func TestSignInMerged(t *testing.T) {
	t.Parallel()
	_, sm := userSessions(t, scskit.Options{UserKey: "user"})
	other := emptySession(t, sm)
	sm.Put(other, "cart", "tea")
	source, _, err := sm.Commit(other)
	if err != nil {
		t.Fatal(err)
	}
	ctx := emptySession(t, sm)
	if err := sm.MergeSession(ctx, source); err != nil {
		t.Fatal(err)
	}
	if err := scskit.SignIn(ctx, sm, "ada", nil); err != nil {
		t.Fatal(err)
	}
	token, _, err := sm.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ctx, err = sm.Load(t.Context(), token); err != nil || sm.GetString(ctx, "cart") != "tea" {
		t.Errorf("the cart is %q, error %v", sm.GetString(ctx, "cart"), err)
	}
	if _, found, _ := sm.Store.Find(source); found {
		t.Error("the merged session is still there")
	}
}

// TestOwnIdleTimeoutGob reads a session with an idle timeout of its own, with scs's own codec and a
// store that wraps another.
func TestOwnIdleTimeoutGob(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	store, sm := userSessions(t, scskit.Options{UserKey: "user", Codec: scs.GobCodec{},
		Now: func() time.Time { return time.Now().Add(ahead) }})
	sm.Store = struct{ *scskit.Store }{store}
	h := scshttp.LoadAndSave(sm)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sign-in" {
			return
		}
		err := scskit.SignIn(r.Context(), sm, "ada", &scskit.SignInOptions{IdleTimeout: 10 * time.Minute})
		if err != nil {
			t.Error(err)
		}
	}))
	visit := func(path string, cookies []*http.Cookie) []*http.Cookie {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		return w.Result().Cookies()
	}
	cookies := visit("/sign-in", nil)
	for range 5 {
		ahead += 9 * time.Minute
		if again := visit("/", cookies); len(again) != 1 || again[0].Value != cookies[0].Value {
			t.Fatalf("after %v a request sets the cookies %v", ahead, again)
		}
	}
	ahead += 12 * time.Minute
	if c := visit("/", cookies); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("after the idle timeout, a request sets the cookies %v", c)
	}
}
