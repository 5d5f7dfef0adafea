package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// Abandonable returns a context for a request that a harness passes to middleware of the kind
// Abandon, such as http.TimeoutHandler with a time-out of minutes. A check ends it, as a deadline
// would, while its handler goes on, so that no clock decides which is first.
func Abandonable(ctx context.Context) context.Context {
	return &abandonable{Context: ctx, done: make(chan struct{})}
}

type abandonable struct {
	context.Context
	done chan struct{}
	once sync.Once
}

type abandonKey struct{}

func (a *abandonable) Value(key any) any {
	if key == (abandonKey{}) {
		return a
	}
	return a.Context.Value(key)
}

func (a *abandonable) Done() <-chan struct{} { return a.done }

func (a *abandonable) Err() error {
	select {
	case <-a.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (a *abandonable) end() { a.once.Do(func() { close(a.done) }) }

// abandon has a handler sign in that takes too long.
func abandon(t *T) {
	t.needs(Abandon)
	s := t.newSite()
	s.app.Neighbour, s.app.Beside = Abandon, Outside
	late := make(chan struct{}, 10)
	s.option(adapters.Observe(func(_ context.Context, e scskit.Event) {
		if e.Kind == scskit.KindLate {
			late <- struct{}{}
		}
	}))
	s.route("/begin", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "")
	})
	answered := make(chan struct{})
	signIn := func(c Context, hurried bool) error {
		ctx := c.Context()
		a, ok := ctx.Value(abandonKey{}).(*abandonable)
		if !ok {
			return errors.New("the context of the request is not from Abandonable")
		}
		if err := s.sm.RenewToken(ctx); err != nil {
			return err
		}
		s.sm.Put(ctx, "k", "late")
		a.end()
		if hurried { // as handlers should be
			<-ctx.Done()
			return nil
		}
		select {
		case <-answered:
		case <-time.After(t.reach()):
		}
		return c.Send(http.StatusOK, "late")
	}
	s.route("/slow", func(c Context) error { return signIn(c, false) })
	s.route("/hurried", func(c Context) error { return signIn(c, true) })
	w := s.watch()
	s.open()
	b := s.browser()
	s.kept(b, b.get("/begin"), "k", "v")
	commits := w.count("commit")
	visit := func(path string) {
		a := b.get(path)
		if a.status < http.StatusBadRequest {
			t.Errorf("%s: status %d: the middleware has not answered", path, a.status)
		}
		a.withheld(t)
	}
	told := func() {
		select {
		case <-late:
		case <-time.After(t.reach()):
			t.Error("no event of scskit.KindLate")
		}
	}
	visit("/slow")
	close(answered)
	told()
	for range 10 {
		visit("/hurried")
		told()
	}
	if n := w.count("commit") - commits; n != 0 {
		t.Errorf("the store was asked to commit %d times", n)
	}
	b.wants("k", "v")
}
