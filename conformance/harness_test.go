package conformance

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/adapters"
)

func TestLayers(t *testing.T) {
	t.Parallel()
	first, second := new(scs.SessionManager), new(scs.SessionManager)
	session := func(sm *scs.SessionManager, opts ...adapters.Option) string {
		if sm == second && len(opts) == 0 {
			return "second"
		}
		if sm == first && len(opts) == 1 {
			return "first"
		}
		return "wrong"
	}
	for want, app := range map[string]App{
		"first":                 {},
		"first second":          {Second: second},
		"recovery first second": {Second: second, Recover: Outside},
		"first second recovery": {Second: second, Recover: Inside},
		"first recovery":        {Recover: Inside},

		"recovery gzip first": {Recover: Outside, Neighbour: Compress, Beside: Outside},
		"first recovery gzip": {Recover: Inside, Neighbour: Compress, Beside: Inside},
	} {
		app.Sessions, app.Options = first, []adapters.Option{adapters.Lazy()}
		got := Layers(app, session, "recovery", map[Neighbour]string{Compress: "gzip"})
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("layers %v, want %s", got, want)
		}
	}
}

func TestListenWith(t *testing.T) {
	t.Parallel()
	errEarly := errors.New("the server gave up")
	for name, tt := range map[string]struct {
		build func(l net.Listener) (serve func() error, stop func())
		fails string
	}{
		"serves until it is stopped": {func(l net.Listener) (func() error, func()) {
			stopped := make(chan struct{})
			serve := func() error {
				<-stopped
				return net.ErrClosed
			}
			return serve, func() { close(stopped) }
		}, ""},
		"ends by itself": {func(net.Listener) (func() error, func()) {
			return func() error { return errEarly }, func() {}
		}, errEarly.Error()},
		"cannot be built": {func(net.Listener) (func() error, func()) {
			panic("no middleware")
		}, "no middleware"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l net.Listener
			j := job{check: check{id: "some/check", run: func(t *checkT) {
				ListenWith(t, func(listener net.Listener) (func() error, func()) {
					l = listener
					return tt.build(l)
				})
				if tt.fails != "" {
					t.until(in(t.eventTimeout()), "the check has failed", t.Failed)
				}
			}}}
			r := j.run(t.Context(), stall)
			if (r.Outcome == Failed) != (tt.fails != "") || !strings.Contains(r.Reason, tt.fails) {
				t.Errorf("%s: %s; want a failure because of %q", r.Outcome, r.Reason, tt.fails)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the listener is still open: %v", err)
			}
		})
	}
}
