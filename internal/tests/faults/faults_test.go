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

// fault is one way in which a network fails.
type fault struct {
	name   string
	inject func(*testenv.Proxy, pace)
	// timeOut says that the fault is noticed by the time-out alone.
	timeOut bool
	// unsent says that no request gets through whole, so that nothing can have been carried out.
	unsent bool
	// only names the one operation that is sure to fail; empty for all of them.
	only string
}

var faults = []fault{
	{name: "refuse", inject: always((*testenv.Proxy).Refuse), unsent: true},
	{name: "hang", inject: always((*testenv.Proxy).Hang), timeOut: true},
	{name: "hang replies", inject: always((*testenv.Proxy).HangReplies), timeOut: true},
	{name: "too slow", inject: func(p *testenv.Proxy, pace pace) { p.Slow(10 * pace.patience()) },
		timeOut: true},
	{name: "reset", inject: always((*testenv.Proxy).Reset)},
	{name: "cut reply", inject: func(p *testenv.Proxy, _ pace) { p.CutAfter(3) }},
	{name: "cut data", inject: func(p *testenv.Proxy, _ pace) { p.CutAfter(1500) }, only: "load"},
	{name: "cut request", inject: func(p *testenv.Proxy, _ pace) { p.CutRequestsAfter(3) },
		unsent: true},
	{
		name: "cut request's data", unsent: true, only: "save",
		inject: func(p *testenv.Proxy, _ pace) { p.CutRequestsAfter(1500) },
	},
}

// always is a fault that is the same at every pace.
func always(inject func(*testenv.Proxy)) func(*testenv.Proxy, pace) {
	return func(p *testenv.Proxy, _ pace) { inject(p) }
}

// operations are the three that a request can make of a store. The fault is there when the
// operation begins: at a place in the handler, but for the load, which comes before it.
var operations = []struct{ name, path, place string }{
	{"load", "/get", ""},
	{"save", "/put", "1"},
	{"delete", "/signout", "1"},
}

// target is a backend's server, with a table of one test.
type target struct {
	backend
	url, name string
	nodes     []string
}

// onBackends runs a test on each backend, with a table of its own.
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

// site opens a site that has a network of its own to the server.
func (b target) site(
	t *testing.T, p pace, opts scskit.Options, options ...adapters.Option,
) (*site, *network) {
	t.Helper()
	n := newNetwork(t, b.nodes)
	return newSite(t, p, opts, func(opts scskit.Options) (*scskit.Store, error) {
		return b.open(t, b.url, b.name, n.dial, opts)
	}, options...), n
}

// A request whose session cannot be loaded, saved or deleted is answered with an error, in time,
// and without a cookie. When the fault is over the same store goes on, with the session as it was
// before, or as it would be after.
func TestFailClosed(t *testing.T) {
	onBackends(t, func(t *testing.T, b target) {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				p := b.pace(t)
				s, n := b.site(t, p, scskit.Options{Timeout: p.patience(), PlainIDs: true})
				inject := func() { n.each(func(proxy *testenv.Proxy) { f.inject(proxy, p) }) }
				for _, op := range operations {
					before, after := canary(), canary()
					token := s.open(t, before)
					s.takeErrors()
					var a answer
					if op.place == "" {
						inject()
						a = s.must(t, op.path, token, nil)
					} else {
						a = s.during(t, op.path, token, after, op.place, inject)
					}
					errs := s.takeErrors()
					f.judge(t, p, op.name, a, errs)
					sent := !f.unsent || b.lingers && errors.Is(errors.Join(errs...), context.DeadlineExceeded)
					n.enable()
					begin := time.Now()
					got, requests := s.until(t, "/get", token, nil)
					value := got.value(t)
					t.Logf("%s: answered after %s; %d requests and %s until all was well", op.name,
						a.took.Round(time.Millisecond), requests, time.Since(begin).Round(time.Millisecond))
					judgeState(t, op.name, a.status == http.StatusOK, sent, state(value, before, after))
					s.keptSecret(t, token, mark(before), mark(after))
					if value == "" {
						if c, ok := got.token(); !ok || c != "" {
							t.Errorf("%s: the cookie of a session that is gone was not expired", op.name)
						}
						continue
					}
					again := canary()
					s.until(t, "/put", token, url.Values{"v": {again}})
					got, _ = s.until(t, "/get", token, nil)
					// A delete that was not answered may be carried out late.
					late := op.name == "delete" && sent && got.value(t) == ""
					if got.value(t) != again && !late {
						t.Errorf("%s: after the fault the session does not keep what is put", op.name)
					}
				}
			})
		}
	})
}

// judge checks the answer of a request under the fault.
func (f fault) judge(t *testing.T, p pace, op string, a answer, errs []error) {
	t.Helper()
	if a.took > p.patience()+10*time.Second+p.times(100) {
		t.Errorf("%s: answered after %s", op, a.took)
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
	case want == "": // it was the handler that got it
	case !errors.As(errs[0], &e) || e.Op != want:
		t.Errorf("%s: the error is %v", op, errs[0])
	}
}

// state says which value it is.
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

// judgeState checks what is left of the session. sent says that the operation may have reached the
// server, or may yet.
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

// A backend that is slow, but not slower than the time-out, is no failure.
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
				t.Errorf("%s took %s", path, a.took)
			}
		}
		if a := s.must(t, "/get", token, nil); a.value(t) != "" {
			t.Error("the session is there after its sign-out")
		}
	})
}

// A client that hangs up does not leave its request waiting for a session that cannot be loaded,
// but its sign-out is carried out.
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
				t.Errorf("%s: the client got %v", op, err)
			}
			select {
			case <-s.ended:
			case <-time.After(p.watchdog()):
				t.Fatalf("%s: the request is not over %s after its client hung up", op, p.watchdog())
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
			t.Error("the session is there after its sign-out")
		}

		token = s.open(t, "v")
		drain(s.begun)
		drain(s.ended)
		n.each((*testenv.Proxy).Hang)
		ctx, hangUp = context.WithCancel(t.Context())
		send("/get", nil) // net/http looks out for its client only when the request's body has been read
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
