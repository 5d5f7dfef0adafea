package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/stores/cookiestore"
)

// faulty is a store in which chosen operations fail. It records the calls.
type faulty struct {
	scs.Store
	fails string // the names of the operations that fail
	calls []string
}

func (f *faulty) record(op string) error {
	f.calls = append(f.calls, op)
	if strings.Contains(f.fails, op) {
		return errBroken
	}
	return nil
}

func (f *faulty) Find(token string) ([]byte, bool, error) {
	if err := f.record("find"); err != nil {
		return nil, false, err
	}
	return f.Store.Find(token)
}

func (f *faulty) Commit(token string, data []byte, expiry time.Time) error {
	if err := f.record("commit"); err != nil {
		return err
	}
	return f.Store.Commit(token, data, expiry)
}

func (f *faulty) Delete(token string) error {
	if err := f.record("delete"); err != nil {
		return err
	}
	return f.Store.Delete(token)
}

// outage stores a session with the user ada, and returns a manager whose store then fails.
func outage(t *testing.T, fails string) (sm *scs.SessionManager, f *faulty, token string) {
	t.Helper()
	sm = newManager(t, nil)
	token = begin(t, sm, map[string]any{"user": "ada"})
	f = &faulty{Store: sm.Store, fails: fails}
	sm.Store = f
	return sm, f, token
}

type use func(ctx context.Context, sm *scs.SessionManager)

var (
	read    use = func(ctx context.Context, sm *scs.SessionManager) { _ = sm.GetString(ctx, "user") }
	put     use = func(ctx context.Context, sm *scs.SessionManager) { sm.Put(ctx, "user", "bob") }
	destroy use = func(ctx context.Context, sm *scs.SessionManager) { _ = sm.Destroy(ctx) }
	renew   use = func(ctx context.Context, sm *scs.SessionManager) { _ = sm.RenewToken(ctx) }
)

func (u use) then(next use) use {
	return func(ctx context.Context, sm *scs.SessionManager) {
		u(ctx, sm)
		next(ctx, sm)
	}
}

func TestFailOpenLoad(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		use    use
		passes bool
	}{
		"a read":                  {read, true},
		"a change":                {put, true},
		"a sign-out":              {destroy, false},
		"a sign-out, a change":    {destroy.then(put), false},
		"a sign-in":               {renew.then(put), false},
		"a sign-out, a sign-in":   {destroy.then(renew), false},
		"a change, then sign-out": {put.then(destroy), false},
		"a change, then sign-in":  {put.then(renew), false},
		"another deadline": {func(ctx context.Context, sm *scs.SessionManager) {
			sm.SetDeadline(ctx, time.Now().Add(time.Minute))
		}, false},
		"a commit of its own": {func(ctx context.Context, sm *scs.SessionManager) {
			_, _, _ = sm.Commit(ctx)
		}, false},
	} {
		for _, opts := range [][]adapters.Option{
			{adapters.FailOpen()},
			{adapters.FailOpen(), adapters.Lazy()},
		} {
			t.Run(fmt.Sprint(name, " ", len(opts)), func(t *testing.T) {
				t.Parallel()
				sm, f, token := outage(t, "find")
				var got error
				sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
					got = err
					w.WriteHeader(http.StatusInternalServerError)
				}
				resp := trip(sm, token, func(_ http.ResponseWriter, r *http.Request) {
					if user := sm.GetString(r.Context(), "user"); user != "" {
						t.Errorf("user %q", user)
					}
					tt.use(r.Context(), sm)
				}, opts...)
				if passes := resp.StatusCode == http.StatusOK; passes != tt.passes {
					t.Errorf("status %d", resp.StatusCode)
				}
				var failure *adapters.Error
				isLoad := errors.As(got, &failure) && failure.Op == "load"
				if !tt.passes && (!isLoad || !errors.Is(got, errBroken)) {
					t.Errorf("error %v, want the store's error with Op load", got)
				}
				if len(resp.Cookies()) != 0 {
					t.Errorf("cookies %v", resp.Cookies())
				}
				if tt.passes && len(f.calls) != 1 {
					t.Errorf("calls of the store: %v", f.calls)
				}
				sm.Store = f.Store
				if got := values(sm, token); got != "user" {
					t.Errorf("after the request the session has the keys %q", got)
				}
			})
		}
	}
}

func TestFailOpenCommit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		use        use
		old, fresh bool // whether it passes with and without an existing session
	}{
		"a change":             {put, true, true},
		"a sign-in":            {renew.then(put), false, false},
		"a sign-out, a change": {destroy.then(put), false, true},
		"another deadline": {func(ctx context.Context, sm *scs.SessionManager) {
			sm.SetDeadline(ctx, time.Now().Add(time.Minute))
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm, _, token := outage(t, "commit")
			for token, want := range map[string]bool{token: tt.old, "": tt.fresh} {
				resp := trip(sm, token, func(_ http.ResponseWriter, r *http.Request) {
					tt.use(r.Context(), sm)
				}, adapters.FailOpen())
				if passes := resp.StatusCode == http.StatusOK; passes != want {
					t.Errorf("existing session %v: status %d", token != "", resp.StatusCode)
				}
				if len(resp.Cookies()) != 0 {
					t.Errorf("cookies %v", resp.Cookies())
				}
				if vary := resp.Header.Get("Vary"); want && vary != "Cookie" {
					t.Errorf("Vary is %q", vary)
				}
			}
		})
	}
}

// TestFailOpenIdle tests FailOpen with an idle timeout, where a read also commits the session.
func TestFailOpenIdle(t *testing.T) {
	t.Parallel()
	sm, f, token := outage(t, "commit")
	sm.IdleTimeout = time.Minute
	resp := trip(sm, token, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("User", sm.GetString(r.Context(), "user"))
	}, adapters.FailOpen())
	user, cookies := resp.Header.Get("User"), resp.Cookies()
	if resp.StatusCode != http.StatusOK || user != "ada" || len(cookies) != 0 || len(f.calls) != 2 {
		t.Errorf("status %d, user %q, cookies %v, calls %v", resp.StatusCode, user, cookies, f.calls)
	}
}

// TestFailOpenCarried tests that FailOpen does not let a session pass that is too large for the
// cookie, since a retry would fail too.
func TestFailOpenCarried(t *testing.T) {
	t.Parallel()
	keys, err := keyring.Parse(keyring.New())
	if err != nil {
		t.Fatal(err)
	}
	store, err := cookiestore.New(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	token := begin(t, sm, map[string]any{"user": "ada"})
	resp := trip(sm, token, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("User", sm.GetString(r.Context(), "user"))
		sm.Put(r.Context(), "user", strings.Repeat("x", 10000))
	}, adapters.FailOpen())
	if resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) != 0 {
		t.Errorf("status %d, %d cookies", resp.StatusCode, len(resp.Cookies()))
	}
}

func TestOnErrorDecides(t *testing.T) {
	t.Parallel()
	other := errors.New("try again later")
	for name, tt := range map[string]struct {
		answer   func() error
		failOpen bool
		want     error // of ErrorFunc; errBroken is the failure itself
	}{
		"nil":         {func() error { return nil }, false, errBroken},
		"nil, open":   {func() error { return nil }, true, nil},
		"ErrFailOpen": {func() error { return adapters.ErrFailOpen }, false, nil},
		"ErrFailOpen, wrapped": {func() error {
			return fmt.Errorf("no matter: %w", adapters.ErrFailOpen)
		}, false, nil},
		"an error of its own":       {func() error { return other }, false, other},
		"an error of its own, open": {func() error { return other }, true, other},
		"a panic":                   {func() error { panic("in the hook") }, false, errBroken},
		"a panic, open":             {func() error { panic("in the hook") }, true, errBroken},
	} {
		for _, lazy := range []bool{false, true} {
			for _, op := range []string{"load", "commit"} {
				sm, _, token := outage(t, map[string]string{"load": "find", "commit": "commit"}[op])
				var got error
				sm.ErrorFunc = func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }
				var reported []string
				opts := []adapters.Option{adapters.OnError(func(_ context.Context, err error) error {
					var failure *adapters.Error
					if errors.As(err, &failure) {
						reported = append(reported, failure.Op)
					}
					return tt.answer()
				})}
				if lazy {
					opts = append(opts, adapters.Lazy())
				}
				if tt.failOpen {
					opts = append(opts, adapters.FailOpen())
				}
				handler := func(_ http.ResponseWriter, r *http.Request) { put(r.Context(), sm) }
				trip(sm, token, handler, opts...)
				if !errors.Is(got, tt.want) || tt.want == nil && got != nil {
					t.Errorf("%s, %s, lazy %v: error %v, want %v", name, op, lazy, got, tt.want)
				}
				if fmt.Sprint(reported) != "["+op+"]" {
					t.Errorf("%s, %s, lazy %v: OnError was called for %v, want one call", name, op, lazy, reported)
				}
			}
		}
	}
}

// TestFailOpenLate tests that FailOpen does not change the report of what happens after the
// response has begun.
func TestFailOpenLate(t *testing.T) {
	t.Parallel()
	var reported []string
	opts := []adapters.Option{
		adapters.FailOpen(),
		adapters.OnError(func(_ context.Context, err error) error {
			reported = append(reported, err.Error())
			return nil
		}),
		adapters.Observe(func(_ context.Context, e scskit.Event) {
			reported = append(reported, e.Kind.String())
		}),
	}
	late := func(sm *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			destroy(r.Context(), sm)
		}
	}
	sm, _, token := outage(t, "find")
	trip(sm, token, late(sm), opts...)
	if want := "[session: load: broken late]"; fmt.Sprint(reported) != want {
		t.Errorf("loaded before the response: reported %v, want %s", reported, want)
	}
	reported = nil
	trip(sm, token, late(sm), append(opts, adapters.Lazy())...)
	if want := "[session: load: broken]"; fmt.Sprint(reported) != want {
		t.Errorf("loaded after the response began: reported %v, want %s", reported, want)
	}
}

// TestFailOpenCannotMend tests that a session that no store can keep fails with FailOpen too.
func TestFailOpenCannotMend(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"no encoding": func() {},
		"too large":   strings.Repeat("x", 5<<20),
	} {
		sm := newManager(t, nil)
		pass := func(context.Context, error) error { return adapters.ErrFailOpen }
		for what, opt := range map[string]adapters.Option{
			"FailOpen": adapters.FailOpen(),
			"OnError":  adapters.OnError(pass),
		} {
			l := adapters.NewLifecycle(sm, opt, adapters.Logger(nil))
			r, err := l.Begin(t.Context(), http.MethodGet, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			sm.Put(r.Context(), "k", value)
			if err := r.Finish(make(http.Header)); err == nil {
				t.Errorf("%s, %s: the request passes", name, what)
			}
		}
	}
}
