package conformance

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairRenewalChecks cover requests that arrive with the old token of a renewed session, and
// adapters.RenewEvery.
var pairRenewalChecks = []check{
	{"pair/renewed-reader", LevelPair, renewedReader,
		"a request that arrives with the old token after a sign-in sees no session, and its response " +
			"leaves the new cookie alone"},
	{"pair/renewed-writer", LevelPair, renewedWriter,
		"a request that arrives with the old token after a sign-in stores nothing, and sets no cookie"},
	{"pair/renewed-sign-in", LevelPair, renewedSignIn,
		"a sign-in with a token that was renewed a moment ago succeeds"},
	{"pair/two-tabs", LevelPair, twoTabs,
		"a sign-in in one tab while polls of another end before, during and after it: the browser is " +
			"signed in"},
	{"pair/renew-every", LevelPair, renewEvery,
		"RenewEvery: an old token is replaced, the session and its deadline stay, and the old token " +
			"goes on with the session for a moment"},
	{"pair/renew-every-parallel", LevelPair, renewEveryParallel,
		"RenewEvery: parallel requests of a session that is due make one new session, and lose nothing"},
	{"pair/renew-every-fails", LevelPair, renewEveryFails,
		"RenewEvery: if the renewal cannot be stored, a request that only reads succeeds, and the " +
			"session keeps its token"},
	{"pair/renew-every-sign-in", LevelPair, renewEverySignIn,
		"RenewEvery: a sign-in with an old token that still goes on renews the session that it sees"},
}

// renewable is a site with a route that signs in, and one that puts a key.
func (t *checkT) renewable() (*site, *browser) {
	t.Helper()
	s := t.newSite()
	if _, ok := s.store.(*scskit.Store); !ok {
		t.notApplicable("the store is not a *scskit.Store: it does not know a renewed token")
	}
	s.route("/signin", s.signIn)
	s.open()
	b := s.browser()
	b.put("cart", "apple")
	return s, b
}

// signIn signs in. The response must set the session cookie.
func (b *browser) signIn() {
	b.s.t.Helper()
	a := b.get("/signin")
	a.want(b.s.t, http.StatusOK, "welcome")
	a.wantCookie(b.s.t)
}

func renewedReader(t *checkT) {
	s, b := t.renewable()
	old := b.token()
	b.signIn()
	a := s.with(old).get("/keys")
	a.want(t, http.StatusOK, "keys ")
	a.wantNoCookie(t)
	b.wantValue("user", "ada")
}

func renewedWriter(t *checkT) {
	s, b := t.renewable()
	old := b.token()
	b.signIn()
	tab := s.with(old)
	tab.put("late", "x").wantNoCookie(t)
	if tab.token() != old {
		t.Error("the browser with the old token has another")
	}
	b.wantValue("user", "ada")
	b.wantValue("late", none)
}

func renewedSignIn(t *checkT) {
	s, b := t.renewable()
	old := b.token()
	b.signIn()
	tab := s.with(old)
	tab.signIn()
	tab.wantValue("user", "ada")
	tab.wantValue("cart", none) // it went to the first sign-in
	b.wantValue("user", "ada")
	b.wantValue("cart", "apple")
}

func twoTabs(t *checkT) {
	s, _ := t.renewable()
	for range 10 {
		b := s.browser()
		b.put("cart", "apple")
		var polls sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			polls.Go(func() {
				for {
					b.get("/keys")
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		b.signIn()
		close(stop)
		polls.Wait()
		b.wantValue("user", "ada")
		b.wantValue("cart", "apple")
	}
}

// every is how often sessions are renewed in the checks of RenewEvery.
const every = 300 * time.Millisecond

// renewing returns a site that renews sessions. The caller opens it.
func (t *checkT) renewing() *site {
	t.Helper()
	s := t.newSite()
	if s.inCookie() {
		t.notApplicable("RenewEvery is refused for a store that keeps sessions in cookies")
	}
	if _, ok := s.store.(*scskit.Store); !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	s.option(adapters.RenewEvery(every))
	s.route("/deadline", func(c Context) error {
		return c.Send(http.StatusOK, fmt.Sprint(s.sm.Deadline(c.Context()).UnixMilli()))
	})
	return s
}

func renewEvery(t *checkT) {
	s := t.renewing()
	g := t.gate()
	s.heldRoute("/leave", g, s.destroy)
	s.open()
	b := s.browser()
	b.put("user", "ada")
	old, deadline := b.token(), b.get("/deadline").body
	t.pause(every)
	a := b.get("/keys")
	a.want(t, http.StatusOK, "keys user")
	renewed := a.wantCookie(t).value
	if renewed == old {
		t.Fatal("the token is not renewed")
	}
	if now := b.get("/deadline").body; now != deadline {
		t.Errorf("the renewal moves the deadline from %s to %s", deadline, now)
	}
	tab := s.with(old)
	tab.wantValue("user", "ada")
	tab.put("late", "x").wantNoCookie(t)
	s.with(renewed).wantValue("late", "x")
	tab.get("/destroy").want(t, http.StatusOK, "destroyed")
	s.with(renewed).wantValue("user", none)

	b = s.browser()
	b.put("user", "ada")
	old = b.token()
	t.pause(every)
	v := b.start("/leave")
	g.await(1)
	renewed = s.with(old).get("/keys").wantCookie(t).value
	g.open()
	v.wait().want(t, http.StatusOK, "destroyed")
	s.with(renewed).wantValue("user", none)
}

func renewEveryParallel(t *checkT) {
	n := t.crowd(8, 8)
	s := t.renewing()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), c.Query("k"), "v")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	old := b.token()
	t.pause(every)
	visits := make([]*visit, n)
	for i := range visits {
		visits[i] = b.start(fmt.Sprintf("/slow?k=key%d", i))
	}
	g.await(n)
	g.open()
	tokens := make(map[string]bool)
	for _, v := range visits {
		a := v.wait()
		a.want(t, http.StatusOK, "put")
		if len(a.header.Values("Set-Cookie")) > 0 {
			tokens[a.wantCookie(t).value] = true
		}
	}
	if len(tokens) != 1 || tokens[old] {
		t.Fatalf("%d new tokens, want 1", len(tokens))
	}
	for i := range n {
		b.wantValue(fmt.Sprintf("key%d", i), "v")
	}
	b.wantValue("user", "ada")
}

func renewEverySignIn(t *checkT) {
	s := t.renewing()
	s.route("/signin", s.signIn)
	s.open()
	b := s.browser()
	b.put("cart", "apple")
	old := b.token()
	t.pause(every)
	renewed := b.get("/keys").wantCookie(t).value
	tab := s.with(old)
	tab.signIn()
	for _, token := range []string{old, renewed} {
		if tab.token() == token {
			t.Fatal("the sign-in keeps a token from before it")
		}
		s.with(token).wantValue("user", none)
	}
	tab.wantValue("user", "ada")
	tab.wantValue("cart", "apple")
}

func renewEveryFails(t *checkT) {
	s := t.renewing()
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("user", "ada")
	old := b.token()
	t.pause(every)
	w.fail(failing("commit"))
	a := b.get("/keys")
	a.want(t, http.StatusOK, "keys user")
	a.wantNoCookie(t)
	w.fail(nil)
	renewed := b.get("/keys").wantCookie(t).value
	if renewed == old {
		t.Error("the token is not renewed when the store works again")
	}
	b.wantValue("user", "ada")
}
