package adapters

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/memstore"
)

func newStore(t *testing.T, opts *memstore.Options) *scskit.Store {
	t.Helper()
	s, err := memstore.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewPanics(t *testing.T) {
	t.Parallel()
	secure := func(sm *scs.SessionManager) { sm.Cookie.Secure = true }
	for _, tt := range []struct {
		name   string
		change func(sm *scs.SessionManager)
		opts   []Option
		want   string
	}{
		{"no store", func(sm *scs.SessionManager) { sm.Store = nil }, nil,
			"adapters: SessionManager.Store is nil: make the manager with scskit.New(store)"},
		{"a nil store", func(sm *scs.SessionManager) { sm.Store = (*scskit.Store)(nil) }, nil,
			"adapters: SessionManager.Store is a nil *scskit.Store: check the error that the store's " +
				"constructor returned"},
		{"no codec", func(sm *scs.SessionManager) { sm.Codec = nil }, nil,
			"adapters: SessionManager.Codec is nil: make the manager with scskit.New(store)"},
		{"another codec", func(sm *scs.SessionManager) { sm.Codec = scs.GobCodec{} }, nil,
			"adapters: SessionManager.Codec is a scs.GobCodec, but the store's is a scskit.Codec: make " +
				"the manager with scskit.New(store), or set the store's Options.Codec"},
		{"hashed twice", func(sm *scs.SessionManager) { sm.HashTokenInStore = true }, nil,
			"adapters: SessionManager.HashTokenInStore is true, but the store hashes tokens itself: " +
				"set it to false"},
		{"no lifetime", func(sm *scs.SessionManager) { sm.Lifetime = 0 }, nil,
			"adapters: SessionManager.Lifetime is 0s: it must be positive"},
		{"a negative idle timeout", func(sm *scs.SessionManager) { sm.IdleTimeout = -time.Second }, nil,
			"adapters: SessionManager.IdleTimeout is -1s: it must be positive, or 0 for no timeout"},
		{"an idle timeout without effect",
			func(sm *scs.SessionManager) { sm.IdleTimeout = 25 * time.Hour }, nil,
			"adapters: SessionManager.IdleTimeout is 25h0m0s, but SessionManager.Lifetime ends every " +
				"session after 24h0m0s: set a shorter IdleTimeout or a longer Lifetime"},
		{"touched too seldom", func(sm *scs.SessionManager) {
			sm.Store, sm.IdleTimeout = touchedEvery(t, time.Hour), time.Minute
		}, nil,
			"adapters: the store's Options.TouchInterval is 1h0m0s, but SessionManager.IdleTimeout is " +
				"1m0s: idle sessions would live more than twice as long; set a shorter TouchInterval"},
		{"no commit timeout", secure, []Option{CommitTimeout(0)},
			"adapters: the option CommitTimeout is 0s: it must be positive"},
		{"a nil option", secure, []Option{nil},
			"adapters: an Option is nil: leave it out"},
		{"no name", func(sm *scs.SessionManager) { sm.Cookie.Name = "" }, nil,
			"adapters: SessionManager.Cookie.Name is empty: set one, such as session"},
		{"a name that is no token", func(sm *scs.SessionManager) { sm.Cookie.Name = "my session" }, nil,
			`adapters: SessionManager.Cookie is invalid: http: invalid Cookie.Name`},
		{"a long name", func(sm *scs.SessionManager) { sm.Cookie.Name = strings.Repeat("n", 4054) }, nil,
			"adapters: SessionManager.Cookie.Name is 4054 bytes long, and browsers accept at most 4096 " +
				"for name and value: set a shorter name"},
		{"a long path", func(sm *scs.SessionManager) {
			sm.Cookie.Path = "/" + strings.Repeat("p", 1024)
		}, nil,
			"adapters: SessionManager.Cookie.Path is 1025 bytes long, and browsers ignore one over 1024: " +
				"set a shorter path"},
		{"a long domain", func(sm *scs.SessionManager) {
			sm.Cookie.Domain = strings.Repeat("d", 1025)
		}, nil,
			"adapters: SessionManager.Cookie.Domain is 1025 bytes long, and browsers ignore one over " +
				"1024: set a shorter domain"},
		{"a relative path", func(sm *scs.SessionManager) { sm.Cookie.Path = "app" }, nil,
			`adapters: SessionManager.Cookie.Path is "app", and browsers ignore a path without a ` +
				`leading slash: set "/app"`},
		{"a bad domain", func(sm *scs.SessionManager) { sm.Cookie.Domain = "example.org;x" }, nil,
			`adapters: SessionManager.Cookie is invalid: http: invalid Cookie.Domain`},
		{"SameSite=None", func(sm *scs.SessionManager) {
			sm.Cookie.SameSite = http.SameSiteNoneMode
		}, nil,
			"adapters: SessionManager.Cookie.SameSite is None, which browsers accept only from a " +
				"secure cookie: set Cookie.Secure"},
		{"Partitioned", func(sm *scs.SessionManager) { sm.Cookie.Partitioned = true }, nil,
			"adapters: SessionManager.Cookie.Partitioned is true, which browsers accept only from a " +
				"secure cookie: set Cookie.Secure"},
		{"__Secure-", func(sm *scs.SessionManager) { sm.Cookie.Name = "__SECURE-id" }, nil,
			`adapters: SessionManager.Cookie.Name is "__SECURE-id", and browsers accept that prefix ` +
				"only from a secure cookie: set Cookie.Secure"},
		{"__Host-", func(sm *scs.SessionManager) {
			sm.Cookie.Name, sm.Cookie.Domain = "__Host-id", "example.org"
			secure(sm)
		}, nil,
			`adapters: SessionManager.Cookie.Name is "__Host-id", and browsers accept that prefix only ` +
				`with certain attributes: set Cookie.Secure and Cookie.Path "/", and no Cookie.Domain`},
		{"401 days", func(sm *scs.SessionManager) { sm.Lifetime = 401 * 24 * time.Hour }, nil,
			"adapters: SessionManager.Lifetime is 9624h0m0s, and browsers keep a cookie for at most 400 " +
				"days: set at most 9600h0m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sm := scskit.New(newStore(t, nil))
			tt.change(sm)
			wantPanic(t, tt.want, func() { NewLifecycle(sm, tt.opts...) })
		})
	}
	wantPanic(t, "adapters: the session manager is nil: make one with scskit.New(store)",
		func() { NewLifecycle(nil) })
	want := "adapters: the session manager has no context key of its own: make it with scskit.New " +
		"or scs.New"
	wantPanic(t, want, func() {
		sm := scskit.New(newStore(t, nil))
		NewLifecycle(&scs.SessionManager{
			Store:    sm.Store,
			Codec:    sm.Codec,
			Cookie:   sm.Cookie,
			Lifetime: time.Hour,
		})
	})
}

// touchedEvery returns a wrapped store with the given TouchInterval.
func touchedEvery(t *testing.T, interval time.Duration) scs.Store {
	s := newStore(t, &memstore.Options{Options: scskit.Options{TouchInterval: interval}})
	return wrapped{s, s}
}

// wrapped is a store that wraps a *scskit.Store without embedding it.
type wrapped struct {
	scs.CtxStore
	inside *scskit.Store
}

func (w wrapped) Unwrap() scs.Store { return w.inside }

func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic: got %q, want %q", got, want)
		}
	}()
	f()
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(sm *scs.SessionManager){
		"__Host-": func(sm *scs.SessionManager) { sm.Cookie.Name, sm.Cookie.Secure = "__Host-id", true },
		"__Secure-": func(sm *scs.SessionManager) {
			sm.Cookie.Name, sm.Cookie.Secure, sm.Cookie.Domain = "__Secure-id", true, "example.org"
		},
		"SameSite=None": func(sm *scs.SessionManager) {
			sm.Cookie.SameSite, sm.Cookie.Secure = http.SameSiteNoneMode, true
		},
		"Partitioned": func(sm *scs.SessionManager) {
			sm.Cookie.Partitioned, sm.Cookie.Secure = true, true
		},
		"idle to the end": func(sm *scs.SessionManager) { sm.IdleTimeout = sm.Lifetime },
		"touched in time": func(sm *scs.SessionManager) {
			sm.Store, sm.IdleTimeout = touchedEvery(t, time.Minute), time.Minute
		},
		"400 days":         func(sm *scs.SessionManager) { sm.Lifetime = 400 * 24 * time.Hour },
		"the longest name": func(sm *scs.SessionManager) { sm.Cookie.Name = strings.Repeat("n", 4053) },
		"a leading dot":    func(sm *scs.SessionManager) { sm.Cookie.Domain = ".example.org" },
		"a third-party one": func(sm *scs.SessionManager) {
			*sm = *scs.New()
			sm.HashTokenInStore = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm := scskit.New(newStore(t, nil))
			change(sm)
			NewLifecycle(sm)
		})
	}
}

func TestContextKey(t *testing.T) {
	t.Parallel()
	one, two := scskit.New(newStore(t, nil)), scskit.New(newStore(t, nil))
	if contextKey(one) == contextKey(two) {
		t.Fatal("two managers have one key")
	}
	if contextKey(one) != contextKey(one) {
		t.Fatal("a manager has two keys")
	}
	ctx, err := one.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Value(contextKey(one)) == nil {
		t.Error("the session is not under the manager's key")
	}
	if ctx.Value(contextKey(two)) != nil {
		t.Error("there is a value under the key of another manager")
	}
}

type belowKey struct{}

func TestHasSession(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	sm, other := scskit.New(store), scskit.New(store)
	loaded, err := sm.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	eager, err := NewLifecycle(sm).Begin(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	lazy, err := NewLifecycle(sm, Lazy()).Begin(t.Context(), http.MethodGet, "/",
		headers{"Cookie": {"session=token"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		sm   *scs.SessionManager
		want bool
	}{
		"no session":             {t.Context(), sm, false},
		"scs's own Load":         {loaded, sm, true},
		"middleware":             {eager.Context(), sm, true},
		"lazy middleware":        {lazy.Context(), sm, true},
		"below it":               {context.WithValue(lazy.Context(), belowKey{}, 1), sm, true},
		"another manager's":      {eager.Context(), other, false},
		"another manager's Load": {loaded, other, false},
	} {
		if got := HasSession(tt.ctx, tt.sm); got != tt.want {
			t.Errorf("%s: HasSession is %v, want %v", name, got, tt.want)
		}
	}
	if lazy.loaded {
		t.Error("HasSession has loaded a lazy session")
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	sm := scskit.New(newStore(t, nil))
	l := NewLifecycle(sm, Strict())
	for name, tt := range map[string]struct {
		late func(ctx context.Context)
		want bool
	}{
		"nothing":        {func(context.Context) {}, false},
		"a read":         {func(ctx context.Context) { sm.GetString(ctx, "k") }, false},
		"a new key":      {func(ctx context.Context) { sm.Put(ctx, "l", "v") }, true},
		"a new value":    {func(ctx context.Context) { sm.Put(ctx, "k", "w") }, true},
		"the same value": {func(ctx context.Context) { sm.Put(ctx, "k", "v") }, false},
		"a removal":      {func(ctx context.Context) { sm.Remove(ctx, "k") }, true},
		"a renewal, which is refused": {func(ctx context.Context) {
			if err := sm.RenewToken(ctx); !errors.Is(err, scskit.ErrLate) {
				t.Errorf("RenewToken: %v, want ErrLate", err)
			}
		}, false},
		"a sign-out": {func(ctx context.Context) { _ = sm.Destroy(ctx) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := l.Begin(t.Context(), http.MethodGet, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			sm.Put(r.Context(), "k", "v")
			if err := r.Finish(make(http.Header)); err != nil {
				t.Fatal(err)
			}
			tt.late(r.Context())
			defer func() {
				if got := recover() != nil; got != tt.want {
					t.Errorf("panic: %v, want %v", got, tt.want)
				}
			}()
			r.End()
		})
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	late := 0
	observer := func(_ context.Context, e scskit.Event) {
		if e.Kind == scskit.KindLate {
			late++
			panic("in the observer")
		}
	}
	store := newStore(t, &memstore.Options{Options: scskit.Options{Observer: observer}})
	sm := scskit.New(store)
	r, err := NewLifecycle(sm).Begin(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	sm.Put(r.Context(), "k", "v")
	if err := r.Finish(make(http.Header)); err != nil {
		t.Fatal(err)
	}
	sm.Put(r.Context(), "k", "w")
	r.End()
	if late != 1 {
		t.Errorf("the store's observer got %d events of a late change, want 1", late)
	}
}

// stuck is a store whose commits block until their context ends.
type stuck struct{ scs.Store }

func (s stuck) CommitCtx(ctx context.Context, _ string, _ []byte, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestCommitTimeout(t *testing.T) {
	t.Parallel()
	sm := scskit.New(stuck{newStore(t, nil)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as if the client had disconnected: only the timeout ends the commit
	r, err := NewLifecycle(sm, CommitTimeout(time.Millisecond)).Begin(ctx, http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	sm.Put(r.Context(), "k", "v")
	h := make(http.Header)
	err = r.Finish(h)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Finish: got %v, want %v", err, context.DeadlineExceeded)
	}
	if again := r.Finish(h); again != err { //nolint:errorlint // must be the same value
		t.Errorf("Finish again: got %v, want the error of the first call", again)
	}
	if len(h) != 0 {
		t.Errorf("headers after a failure: %v, want none", h)
	}
	r.End()
}

func TestOnErrorMaps(t *testing.T) {
	t.Parallel()
	sm := scskit.New(stuck{newStore(t, nil)})
	mapped := errors.New("try again later")
	for name, tt := range map[string]struct {
		onError func(context.Context, error) error
		want    error
	}{
		"mapped": {func(context.Context, error) error { return mapped }, mapped},
		"kept":   {func(context.Context, error) error { return nil }, context.DeadlineExceeded},
	} {
		l := NewLifecycle(sm, CommitTimeout(time.Millisecond), OnError(tt.onError))
		r, err := l.Begin(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(r.Context(), "k", "v")
		if err := r.Finish(make(http.Header)); !errors.Is(err, tt.want) {
			t.Errorf("%s: Finish: got %v, want %v", name, err, tt.want)
		}
	}
	e := &Error{Op: "commit", Err: mapped}
	if e.Error() != "session: commit: try again later" ||
		e.StatusCode() != http.StatusInternalServerError || !errors.Is(e, mapped) {
		t.Errorf("Error: %q with status %d", e.Error(), e.StatusCode())
	}
}
