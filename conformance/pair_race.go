package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// pairRaceChecks run concurrent requests of one session. Gates hold their handlers, so that they
// load and store in the same order every time.
var pairRaceChecks = []check{
	{"pair/parallel-keys", LevelPair, raceParallelKeys,
		"no lost updates: fifty parallel requests (fewer on a slow backend) that each put " +
			"a different key keep all fifty"},
	{"pair/parallel-clients", LevelPair, raceParallelClients,
		"no value crosses from one client to another: two hundred at a " +
			"time, or fewer on a slow backend"},
	{"pair/logout-beats-reader", LevelPair, raceLogoutReader,
		"no resurrection: a read in flight, under an idle timeout, does not " +
			"create a destroyed session again"},
	{"pair/logout-beats-writer", LevelPair, raceLogoutWriter,
		"no resurrection: a write in flight does not create a destroyed session again, and leaves " +
			"the cookie to the next request"},
	{"pair/logout-beats-renewal", LevelPair, raceLogoutRenewal,
		"no resurrection: a renewal in flight does not create a destroyed session again, and no " +
			"page shows a sign-in that failed"},
	{"pair/logout-ends-renewed", LevelPair, raceLogoutRenewed,
		"no resurrection: a sign-out ends the session also if another request has renewed it since the " +
			"sign-out began"},
	{"pair/renew-beats-old", LevelPair, raceRenew,
		"no resurrection: a request in flight with the old token stores nothing, and its response, " +
			"even if it comes last, does not replace the new cookie"},
	{"pair/renew-twice", LevelPair, raceRenewTwice,
		"two concurrent sign-ins of one browser: whichever response comes last, the browser is " +
			"signed in, and the old token is dead"},
	{"pair/remember-merged", LevelPair, raceRememberMerged,
		"the cookie and the record agree: the merged session decides whether the " +
			"cookie outlives the browser session"},
	{"pair/destroy-twice", LevelPair, raceDestroyTwice,
		"no resurrection: two concurrent sign-outs both succeed"},
}

func raceParallelKeys(t *checkT) {
	n := t.crowd(50, 4) // load, a save that loses the race, load, save
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), c.Query("k"), "v")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	b := s.browser()
	b.put("first", "v")
	want := []string{"first"}
	visits := make([]*visit, n)
	for i := range visits {
		key := fmt.Sprintf("key%02d", i)
		want = append(want, key)
		visits[i] = b.start("/slow?k=" + key)
	}
	g.await(n)
	g.open()
	for _, v := range visits {
		v.wait().want(t, http.StatusOK, "put")
	}
	slices.Sort(want)
	b.get("/keys").want(t, http.StatusOK, "keys "+strings.Join(want, ","))
}

func raceParallelClients(t *checkT) {
	n := t.crowd(200, 12)
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "name", strings.Clone(c.Query("name")))
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	browsers := make([]*browser, n)
	visits := make([]*visit, n)
	for i := range browsers {
		browsers[i] = s.browser()
		visits[i] = browsers[i].start(fmt.Sprintf("/slow?name=client%d", i))
	}
	g.await(n)
	g.open()
	var mu sync.Mutex
	owners := make(map[string]int)
	for i, v := range visits {
		token := v.wait().wantCookie(t).value
		if other, ok := owners[token]; ok {
			t.Fatalf("clients %d and %d got the same session", other, i)
		}
		owners[token] = i
	}
	t.each(n, func(i int) {
		name := fmt.Sprintf("client%d", i)
		for range 3 {
			browsers[i].wantValue("name", name)
			browsers[i].put("again", name)
			mu.Lock()
			owner, ok := owners[browsers[i].token()]
			mu.Unlock()
			if !s.inCookie() && (!ok || owner != i) {
				t.Errorf("client %d got another session", i)
			}
		}
		browsers[i].wantValue("again", name)
	})
}

// wantDead checks that the token has no session.
func (s *site) wantDead(token string) {
	s.t.Helper()
	if !s.t.gone(s.sm.Store, token) {
		s.t.Error("the destroyed session is in the store")
	}
	s.with(token).get("/keys").want(s.t, http.StatusOK, "keys ")
}

func raceLogoutReader(t *checkT) {
	s := t.newSite()
	s.sm.IdleTimeout = 30 * time.Minute
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		return c.Send(http.StatusOK, valueOf(c.Context(), s.sm, "user"))
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	b.nearExpiry()
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").want(t, http.StatusOK, "destroyed")
	g.open()
	a := v.wait()
	a.want(t, http.StatusOK, "ada")
	a.wantNoCookie(t)
	s.wantDead(token)
}

func raceLogoutWriter(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "late")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").want(t, http.StatusOK, "destroyed")
	g.open()
	a := v.wait()
	a.want(t, http.StatusOK, "put")
	a.wantNoCookie(t)
	s.wantDead(token)
	if c := s.with(token).get("/keys").session(t); c == nil || !c.deletes() {
		t.Error("the next request with the dead token does not clear the cookie")
	}
}

func raceLogoutRenewal(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, s.signIn)
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").want(t, http.StatusOK, "destroyed")
	g.open()
	v.wait().wantError(t)
	s.wantDead(token)
	b.wantValue("user", none)
}

func raceLogoutRenewed(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/leave", g, s.destroy)
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	v := b.start("/leave")
	g.await(1)
	renewed := s.with(token).get("/renew").wantCookie(t).value
	g.open()
	v.wait().want(t, http.StatusOK, "destroyed")
	s.wantDead(token)
	s.wantDead(renewed)
}

func raceRenew(t *checkT) {
	s := t.newSite()
	s.sm.IdleTimeout = 30 * time.Minute
	g := t.gate()
	s.heldRoute("/read", g, func(c Context) error {
		return c.Send(http.StatusOK, valueOf(c.Context(), s.sm, "user"))
	})
	s.heldRoute("/write", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "late")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	b.nearExpiry()
	old := b.token()
	reader, writer := s.with(old).start("/read"), s.with(old).start("/write")
	g.await(2)
	b.get("/renew").wantCookie(t)
	g.open()
	reader.wait().wantNoCookie(t)
	writer.wait().wantNoCookie(t)
	s.wantDead(old)
	b.wantValue("user", "ada")
	b.wantValue("k", none)
}

func raceRenewTwice(t *checkT) {
	n := t.crowd(10, 6)
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, s.signIn)
	s.open()
	b := s.browser()
	b.put("cart", "full")
	old := b.token()
	tabs := make([]*browser, n)
	visits := make([]*visit, n)
	for i := range tabs {
		tabs[i] = s.with(old)
		visits[i] = tabs[i].start("/slow")
	}
	g.await(n)
	g.open()
	for _, v := range visits {
		a := v.wait()
		a.want(t, http.StatusOK, "welcome")
		a.wantCookie(t)
	}
	for _, tab := range tabs {
		tab.wantValue("user", "ada")
		tab.wantValue("cart", "full")
	}
	s.wantDead(old)
}

func raceDestroyTwice(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		if err := s.sm.Destroy(c.Context()); err != nil {
			return err
		}
		return c.Send(http.StatusOK, "destroyed")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	visits := []*visit{s.with(token).start("/slow"), s.with(token).start("/slow")}
	g.await(2)
	g.open()
	for _, v := range visits {
		a := v.wait()
		a.want(t, http.StatusOK, "destroyed")
		if c := a.session(t); c == nil || !c.deletes() {
			t.Error("the response does not clear the cookie")
		}
	}
	s.wantDead(token)
}

func raceRememberMerged(t *checkT) {
	s := t.newSite()
	s.sm.Cookie.Persist = false
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, "put")
	})
	s.route("/remember", func(c Context) error {
		s.sm.RememberMe(c.Context(), true)
		return c.Send(http.StatusOK, "remembered")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	v := s.with(b.token()).start("/slow")
	g.await(1)
	b.get("/remember").want(t, http.StatusOK, "remembered")
	g.open()
	if c := v.wait().wantCookie(t); !c.has("max-age") {
		t.Error("the cookie of a remembered session has no Max-Age")
	}
	b.wantValue("k", "v")
}
