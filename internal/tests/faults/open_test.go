package faults_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/testenv"
)

// outages are a fault that the store notices at once, and one that it notices by its timeout.
var outages = []fault{
	{name: "refuse", inject: always((*testenv.Proxy).Refuse), unsent: true},
	{name: "hang", inject: always((*testenv.Proxy).Hang), timeOut: true},
}

// TestFailOpen checks that with FailOpen requests succeed without their sessions and without a
// cookie, except for sign-outs, which fail. After the outage the session is unchanged.
func TestFailOpen(t *testing.T) {
	onBackends(t, func(t *testing.T, b target) {
		for _, f := range outages {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				p := b.pace(t)
				s, n := b.site(t, p, scskit.Options{Timeout: p.patience()}, adapters.FailOpen())
				inject := func() { n.each(func(proxy *testenv.Proxy) { f.inject(proxy, p) }) }
				token := s.openAgain(t, "before")

				inject()
				for path, form := range map[string]url.Values{"/get": nil, "/put": {"v": {"during"}}} {
					a := s.must(t, path, token, form)
					if got, want := a.value(t), form.Get("v"); got != want || len(a.cookies) > 0 {
						t.Errorf("%s: the page has %q and %d cookies, want %q and none",
							path, got, len(a.cookies), want)
					}
				}
				s.must(t, "/signout", token, url.Values{}).refused(t)
				n.enable()
				s.wants(t, token, "before")

				a := s.during(t, "/put", token, "unsaved", "1", inject)
				if got := a.value(t); got != "unsaved" || len(a.cookies) > 0 {
					t.Errorf("save: the page has %q and %d cookies", got, len(a.cookies))
				}
				n.enable()
				s.wants(t, token, "before")
			})
		}
	})
}

// TestOnError checks that the framework gets the error that OnError returns.
func TestOnError(t *testing.T) {
	errOurs := errors.New("ours")
	onBackends(t, func(t *testing.T, b target) {
		for _, f := range outages {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				seen := make(chan error, 1000)
				p := b.pace(t)
				onError := adapters.OnError(func(_ context.Context, err error) error {
					seen <- err
					return errOurs
				})
				s, n := b.site(t, p, scskit.Options{Timeout: p.patience()}, onError)
				inject := func() { n.each(func(proxy *testenv.Proxy) { f.inject(proxy, p) }) }
				token := s.open(t, "before")
				for len(seen) > 0 {
					<-seen
				}
				s.takeErrors()
				for _, op := range []string{"load", "commit"} {
					if op == "load" {
						inject()
						s.must(t, "/get", token, nil).refused(t)
					} else {
						s.during(t, "/put", token, "during", "1", inject).refused(t)
					}
					if errs := s.takeErrors(); !errors.Is(errs[len(errs)-1], errOurs) {
						t.Errorf("%s: the framework got %v", op, errs)
					}
					var e *adapters.Error
					var last error
					for len(seen) > 0 {
						last = <-seen
					}
					if !errors.As(last, &e) || e.Op != op {
						t.Errorf("%s: OnError got %v, want an *adapters.Error with this Op", op, last)
					}
					if f.timeOut && !errors.Is(last, context.DeadlineExceeded) {
						t.Errorf("%s: OnError got %v, want %v", op, last, context.DeadlineExceeded)
					}
					n.enable()
					s.until(t, "/get", token, nil)
				}
			})
		}
	})
}

// openAgain is open for a site with FailOpen, where a page does not prove that there is a session.
func (s *site) openAgain(t *testing.T, value string) (token string) {
	t.Helper()
	s.poll(t, func() (ok bool) {
		token, ok = s.must(t, "/put", "", url.Values{"v": {value}}).token()
		return ok
	})
	return token
}

// wants waits until the session is available, and checks its value. With FailOpen it is empty until
// then.
func (s *site) wants(t *testing.T, token, value string) {
	t.Helper()
	s.poll(t, func() bool {
		a := s.must(t, "/get", token, nil)
		got := a.value(t)
		if got != "" && got != value || len(a.cookies) > 0 {
			t.Fatalf("the session has %q and %d cookies, want %q and none", got, len(a.cookies), value)
		}
		return a.status == http.StatusOK && got == value
	})
}
