package faults_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/testenv"
)

// fault is one kind of network failure.
type fault struct {
	name   string
	inject func(*testenv.Proxy, pace)
	// timeOut reports whether the store notices the fault only by its timeout.
	timeOut bool
	// unsent reports whether no complete request reaches the server, which cannot execute any.
	unsent bool
	// only names the one operation that must fail. If it is empty, all must fail.
	only string
}

var faults = []fault{
	{name: "refuse", inject: always((*testenv.Proxy).Refuse), unsent: true},
	{name: "hang", inject: always((*testenv.Proxy).Hang), timeOut: true},
	{name: "hang replies", inject: always((*testenv.Proxy).HangReplies), timeOut: true},
	{
		name: "too slow", timeOut: true,
		inject: func(p *testenv.Proxy, pace pace) { p.Slow(10 * pace.patience()) },
	},
	{name: "reset", inject: always((*testenv.Proxy).Reset)},
	{name: "cut reply", inject: func(p *testenv.Proxy, _ pace) { p.CutAfter(3) }},
	{
		name: "cut data", only: "load",
		inject: func(p *testenv.Proxy, _ pace) { p.CutAfter(1500) },
	},
	{
		name: "cut request", unsent: true,
		inject: func(p *testenv.Proxy, _ pace) { p.CutRequestsAfter(3) },
	},
	{
		name: "cut request's data", unsent: true, only: "save",
		inject: func(p *testenv.Proxy, _ pace) { p.CutRequestsAfter(1500) },
	},
}

// always returns an injection that does not depend on the pace.
func always(inject func(*testenv.Proxy)) func(*testenv.Proxy, pace) {
	return func(p *testenv.Proxy, _ pace) { inject(p) }
}

// operations are the three operations of a request on a store. The fault starts at a place in the
// handler before the operation. The load happens before the handler, and so has no place.
type operation struct{ name, path, place string }

var operations = []operation{
	{"load", "/get", ""},
	{"save", "/put", "1"},
	{"delete", "/signout", "1"},
}

// target is a backend's server, and the table of one test.
type target struct {
	backend
	url, name string
	nodes     []string
}

// onBackends runs a test on each backend.
func onBackends(t *testing.T, test func(t *testing.T, b target)) {
	t.Helper()
	for _, b := range backends {
		t.Run(b.kind.String()+b.client, func(t *testing.T) {
			t.Parallel()
			url, nodes := b.shared(t)
			name := testenv.Name(t)
			b.schema(t, url, name)
			test(t, target{b, url, name, nodes})
		})
	}
}

// site opens a site with its own proxies to the server.
func (b target) site(
	t *testing.T, p pace, opts scskit.Options, options ...adapters.Option,
) (*site, *network) {
	t.Helper()
	n := newNetwork(t, b.nodes)
	return newSite(t, p, opts, func(opts scskit.Options) (*scskit.Store, error) {
		return b.open(t, b.url, b.name, n.dial, opts)
	}, options...), n
}

// TestFailClosed checks that a request whose session cannot be loaded, saved or deleted gets an
// error response in time, without a cookie. After the fault the same store works again. The session
// is as it was before the request, or as the request would have left it.
func TestFailClosed(t *testing.T) {
	onBackends(t, func(t *testing.T, b target) {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				p := b.pace(t)
				s, n := b.site(t, p, scskit.Options{Timeout: p.patience(), PlainIDs: true})
				for _, op := range operations {
					b.failClosed(t, f, op, s, n)
				}
			})
		}
	})
}

func (b target) failClosed(t *testing.T, f fault, op operation, s *site, n *network) {
	t.Helper()
	before, after := canary(), canary()
	token := s.open(t, before)
	s.takeErrors()
	inject := func() { n.each(func(proxy *testenv.Proxy) { f.inject(proxy, s.pace) }) }
	var a answer
	if op.place == "" {
		inject()
		a = s.must(t, op.path, token, nil)
	} else {
		a = s.during(t, op.path, token, after, op.place, inject)
	}
	errs := s.takeErrors()
	f.judge(t, s.pace, op.name, a, errs)
	timedOut := errors.Is(errors.Join(errs...), context.DeadlineExceeded)
	sent := !f.unsent || b.lingers && timedOut
	n.enable()
	begin := time.Now()
	got, requests := s.until(t, "/get", token, nil)
	value := got.value(t)
	t.Logf("%s: response after %s; recovery took %d requests and %s", op.name,
		a.took.Round(time.Millisecond), requests, time.Since(begin).Round(time.Millisecond))
	judgeState(t, op.name, a.status == http.StatusOK, sent, state(value, before, after))
	s.keptSecret(t, token, mark(before), mark(after))
	if value == "" {
		if c, ok := got.token(); !ok || c != "" {
			t.Errorf("%s: the cookie of the deleted session was not expired", op.name)
		}
		return
	}
	again := canary()
	s.until(t, "/put", token, url.Values{"v": {again}})
	got, _ = s.until(t, "/get", token, nil)
	// The server may execute the delete late.
	deleted := op.name == "delete" && sent && got.value(t) == ""
	if got.value(t) != again && !deleted {
		t.Errorf("%s: after the fault the session does not store a new value", op.name)
	}
}

// judge checks the response to a request during the fault.
func (f fault) judge(t *testing.T, p pace, op string, a answer, errs []error) {
	t.Helper()
	if a.took > p.patience()+10*time.Second+p.times(100) {
		t.Errorf("%s: response after %s", op, a.took)
	}
	if a.status == http.StatusOK && f.only != "" && f.only != op {
		return
	}
	a.refused(t)
	if len(errs) != 1 {
		t.Fatalf("%s: errors %v; want one", op, errs)
	}
	if f.timeOut && !errors.Is(errs[0], context.DeadlineExceeded) {
		t.Errorf("%s: %v; want context.DeadlineExceeded", op, errs[0])
	}
	var e *adapters.Error
	switch want := map[string]string{"load": "load", "save": "commit"}[op]; {
	case want == "": // the handler got the error of a delete
	case !errors.As(errs[0], &e) || e.Op != want:
		t.Errorf("%s: error %v, want an *adapters.Error with Op %q", op, errs[0], want)
	}
}

// state names the state of a session by its value.
func state(value, before, after string) string {
	switch value {
	case before:
		return "before"
	case after:
		return "after"
	case "":
		return "gone"
	}
	return "broken"
}

// judgeState checks the state of the session. sent reports whether the operation may have reached
// the server, or may still reach it.
func judgeState(t *testing.T, op string, acknowledged, sent bool, got string) {
	t.Helper()
	done := map[string]string{"load": "before", "save": "after", "delete": "gone"}[op]
	switch {
	case got == done && (acknowledged || sent || op == "load"):
	case got == "before" && !acknowledged:
	default:
		t.Errorf("%s: the session is %s (acknowledged: %v)", op, got, acknowledged)
	}
}

// TestSlow checks that nothing fails on a backend that is slow, but faster than the timeout.
func TestSlow(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: p.watchdog()})
		const delay = 100 * time.Millisecond
		n.each(func(proxy *testenv.Proxy) { proxy.Slow(delay) })
		a := s.must(t, "/put", "", url.Values{"v": {"v"}})
		a.value(t)
		token, _ := a.token()
		for _, path := range []string{"/get", "/put", "/get", "/signout"} {
			a := s.must(t, path, token, url.Values{"v": {"v"}})
			a.value(t)
			if a.took < delay {
				t.Errorf("%s took %s, want at least %s", path, a.took, delay)
			}
		}
		if a := s.must(t, "/get", token, nil); a.value(t) != "" {
			t.Error("the session exists after its sign-out")
		}
	})
}

// TestCancelled checks the requests of a client that disconnects. A request stops waiting for a
// session that cannot be loaded. A sign-out is still executed.
func TestCancelled(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, b target) {
		p := b.pace(t)
		s, n := b.site(t, p, scskit.Options{Timeout: 4 * p.watchdog()})
		token := s.open(t, "v")
		drain(s.begun)
		drain(s.ended)
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		send := func(path string, form url.Values) {
			go func() {
				_, err := s.ask(ctx, path, token, form)
				gone <- err
			}()
			<-s.begun
		}
		await := func(op string) {
			if err := <-gone; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the client got %v, want %v", op, err, context.Canceled)
			}
			select {
			case <-s.ended:
			case <-time.After(p.watchdog()):
				t.Fatalf("%s: the request still runs %s after its client disconnected",
					op, p.watchdog())
			}
		}
		send("/signout", url.Values{"hold": {"1"}})
		release := <-s.held
		n.each(func(proxy *testenv.Proxy) { proxy.Slow(100 * time.Millisecond) })
		close(release)
		hangUp()
		await("delete")
		n.enable()
		if a, _ := s.until(t, "/get", token, nil); a.value(t) != "" {
			t.Error("the session exists after its sign-out")
		}

		token = s.open(t, "v")
		drain(s.begun)
		drain(s.ended)
		n.each((*testenv.Proxy).Hang)
		ctx, hangUp = context.WithCancel(t.Context())
		send("/get", nil) // without a body: net/http notices a disconnect only after it
		hangUp()
		await("load")
		n.enable()
	})
}

func drain(c chan struct{}) {
	for len(c) > 0 {
		<-c
	}
}
