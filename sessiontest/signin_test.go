package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// transports are the ways in which a client may carry its token.
var transports = map[string]struct {
	opts  []adapters.Option
	carry func(*sessiontest.Session) *sessiontest.Session
}{
	"cookie": {nil, func(s *sessiontest.Session) *sessiontest.Session { return s }},
	"__Host-": {[]adapters.Option{adapters.HostCookie()},
		func(s *sessiontest.Session) *sessiontest.Session { return s }},
	"header": {[]adapters.Option{adapters.Tokens(adapters.InCookie(), adapters.InHeader("x-token"))},
		func(s *sessiontest.Session) *sessiontest.Session { return s.InHeader("x-token") }},
	"bearer": {[]adapters.Option{adapters.Tokens(adapters.InBearer(""))},
		func(s *sessiontest.Session) *sessiontest.Session { return s.InBearer("") }},
	"bearer, own header": {[]adapters.Option{adapters.Tokens(adapters.InBearer("New-Token"))},
		func(s *sessiontest.Session) *sessiontest.Session { return s.InBearer("New-Token") }},
}

// TestTransports follows sessions through a sign-in, another one, and a sign-out.
func TestTransports(t *testing.T) {
	t.Parallel()
	type userID int64
	for name, tt := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, sm := newSessions(t)
			mux := http.NewServeMux()
			mux.HandleFunc("/sign-in", func(_ http.ResponseWriter, r *http.Request) {
				if err := scskit.SignIn(r.Context(), sm, userID(7), nil); err != nil {
					t.Error(err)
				}
			})
			mux.HandleFunc("/sign-out", func(_ http.ResponseWriter, r *http.Request) {
				if err := scskit.SignOut(r.Context(), sm); err != nil {
					t.Error(err)
				}
			})
			handler := scshttp.LoadAndSave(sm, tt.opts...)(mux)
			visit := func(s *sessiontest.Session, path string) {
				t.Helper()
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, s.Request(http.MethodPost, path, nil))
				s.Receive(recorder.Result())
			}
			var opts []adapters.Option
			if name == "__Host-" {
				opts = tt.opts
			}
			visitor := tt.carry(sessiontest.New(t, sm, nil, opts...))
			if token := visitor.Token(); token != "" {
				t.Errorf("a visitor has the token %q", token)
			}
			cart := map[string]any{"cart": "tea"}
			user := tt.carry(sessiontest.SignIn(t, sm, userID(7), cart, opts...))
			for who, s := range map[string]*sessiontest.Session{"visitor": visitor, "user": user} {
				before := s.Token()
				visit(s, "/sign-in")
				if after := s.Token(); after == "" || after == before {
					t.Errorf("%s: the token after the sign-in is %q, before %q", who, after, before)
				}
				if s.Get("user") != int64(7) {
					t.Errorf("%s: the session holds %v", who, s.Values())
				}
			}
			if user.Get("cart") != "tea" || visitor.Get("cart") != nil {
				t.Errorf("the sessions hold %v and %v", user.Values(), visitor.Values())
			}
			var ids []string
			for session, err := range store.SessionsOf(t.Context(), "7") {
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, session.ID)
			}
			if all := strings.Join(ids, " "); len(ids) != 2 ||
				!strings.Contains(all, scskit.HashToken(user.Token())) {
				t.Errorf("the store has the sessions %q, not that of %q", ids, user.Token())
			}
			visit(user, "/sign-out")
			if values := user.Values(); len(values) != 0 || user.Token() != "" {
				t.Errorf("after the sign-out the session holds %v", values)
			}
			if visitor.Get("user") != int64(7) {
				t.Error("the sign-out has ended the other session")
			}
		})
	}
}

// TestHeaders tests what requests and responses carry.
func TestHeaders(t *testing.T) {
	t.Parallel()
	_, sm := newSessions(t)
	s := sessiontest.SignIn(t, sm, "ada", nil).InBearer("")
	token := s.Token()
	r := s.Request(http.MethodGet, "/", nil)
	if got := r.Header.Get("Authorization"); got != "Bearer "+token || len(r.Cookies()) != 0 {
		t.Errorf("Authorization %q, cookies %v", got, r.Cookies())
	}
	s.Receive(&http.Response{Header: http.Header{}})
	if s.Token() != token {
		t.Error("a response without the header has changed the token")
	}
	s.Receive(&http.Response{Header: http.Header{"X-Session-Token": {""}}})
	r = s.Request(http.MethodGet, "/", nil)
	if got := r.Header.Get("Authorization"); got != "Bearer " {
		t.Errorf("without a token: Authorization %q", got)
	}
	visitor := sessiontest.New(t, sm, nil).InHeader("x-token")
	if lines := visitor.Request(http.MethodGet, "/", nil).Header["X-Token"]; len(lines) != 1 {
		t.Errorf("a visitor has the headers %q, and should have an empty one", lines)
	}
}

// TestSignInFresh tests that the sign-in has the time of the store's clock.
func TestSignInFresh(t *testing.T) {
	t.Parallel()
	now := time.Now()
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		UserKey: "user", Now: func() time.Time { return now },
	}})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	s := sessiontest.SignIn(t, sm, "ada", nil)
	check := func() (err error) {
		handler := func(_ http.ResponseWriter, r *http.Request) {
			err = scskit.RequireFresh(r.Context(), sm, time.Minute)
		}
		scshttp.LoadAndSave(sm)(http.HandlerFunc(handler)).
			ServeHTTP(httptest.NewRecorder(), s.Request(http.MethodGet, "/", nil))
		return err
	}
	if err := check(); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Minute)
	if err := check(); err == nil {
		t.Error("the sign-in is fresh after a minute")
	}
}

// ending is a test that notes why it ends.
type ending struct {
	testing.TB
	reason string
}

func (e *ending) Fatal(args ...any) {
	e.reason = fmt.Sprint(args...)
	runtime.Goexit()
}

func TestEndsTheTest(t *testing.T) {
	t.Parallel()
	_, sm := newSessions(t)
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	noUsers := scskit.New(store)
	tokens := adapters.Tokens(adapters.InBearer(""))
	for want, do := range map[string]func(tb testing.TB){
		"Options.UserKey": func(tb testing.TB) { sessiontest.SignIn(tb, noUsers, "ada", nil) },
		"is empty":        func(tb testing.TB) { sessiontest.SignIn(tb, sm, "", nil) },
		"InHeader or InBearer": func(tb testing.TB) {
			sessiontest.New(tb, sm, map[string]any{"a": 1}, tokens)
		},
		"leave adapters.Tokens out": func(tb testing.TB) {
			sessiontest.SignIn(tb, sm, "ada", nil, tokens)
		},
		"cannot load or store": func(tb testing.TB) {
			unencodable := map[string]any{"c": make(chan int)}
			sessiontest.SignIn(tb, sm, "ada", unencodable)
		},
	} {
		tb := &ending{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			do(tb)
		}()
		<-done
		if !strings.Contains(tb.reason, want) {
			t.Errorf("the test ends with %q, want %q", tb.reason, want)
		}
	}
}
