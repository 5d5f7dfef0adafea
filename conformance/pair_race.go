package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// pairRaceChecks run several requests of one session at a time. Gates hold their handlers, so that they
// load and store in the same order every time.
var pairRaceChecks = []check{
	{"pair/parallel-keys", LevelPair, raceParallelKeys,
		"no lost updates: fifty parallel requests (fewer on a slow backend) that each put a different " +
			"key keep all fifty"},
	{"pair/parallel-clients", LevelPair, raceParallelClients,
		"no value crosses from one client to another: two hundred at a time, or fewer on a slow backend"},
	{"pair/logout-beats-reader", LevelPair, raceLogoutReader,
		"no resurrection: a reader in flight under IdleTimeout does not bring back a destroyed session"},
	{"pair/logout-beats-writer", LevelPair, raceLogoutWriter,
		"no resurrection: nor does a writer, and its cookie is left alone until the next request"},
	{"pair/logout-beats-renewal", LevelPair, raceLogoutRenewal,
		"no resurrection: nor does a renewal, and no page tells of a sign-in that has not happened"},
	{"pair/renew-beats-old", LevelPair, raceRenew,
		"no resurrection: a request in flight under the old token brings nothing back, and its answer, " +
			"if it comes last, takes the new cookie from no browser"},
	{"pair/renew-twice", LevelPair, raceRenewTwice,
		"two sign-ins of one browser at once: whichever answer comes last, the browser is signed in, " +
			"and the old token is dead"},
	{"pair/remember-merged", LevelPair, raceRememberMerged,
		"the cookie and the record agree: what is stored of two requests that meet decides whether the " +
			"cookie outlives the browser"},
	{"pair/destroy-twice", LevelPair, raceDestroyTwice,
		"no resurrection: of two sign-outs at once neither fails"},
}

func raceParallelKeys(t *checkT) {
	n := t.crowd(50, 4) // a load, and a save that others have beaten to it
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
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
		v.wait().wants(t, http.StatusOK, "put")
	}
	slices.Sort(want)
	b.get("/keys").wants(t, http.StatusOK, "keys "+strings.Join(want, ","))
}

func raceParallelClients(t *checkT) {
	n := t.crowd(200, 12)
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
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
		token := v.wait().given(t).value
		if other, ok := owners[token]; ok {
			t.Fatalf("clients %d and %d were given the same session", other, i)
		}
		owners[token] = i
	}
	t.each(n, func(i int) {
		name := fmt.Sprintf("client%d", i)
		for range 3 {
			browsers[i].wants("name", name)
			browsers[i].put("again", name)
			mu.Lock()
			owner, ok := owners[browsers[i].token()]
			mu.Unlock()
			if !s.carried() && (!ok || owner != i) {
				t.Errorf("client %d has another session now", i)
			}
		}
		browsers[i].wants("again", name)
	})
}

// wantsDead checks that a token is worth nothing any more.
func (s *site) wantsDead(token string) {
	s.t.Helper()
	if !s.t.gone(s.sm.Store, token) {
		s.t.Error("the session is in the store again")
	}
	s.with(token).get("/keys").wants(s.t, http.StatusOK, "keys ")
}

func raceLogoutReader(t *checkT) {
	s := t.newSite()
	s.sm.IdleTimeout = 30 * time.Minute
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
		return c.Send(http.StatusOK, valueOf(c.Context(), s.sm, "user"))
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	b.nearExpiry()
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").wants(t, http.StatusOK, "destroyed")
	g.open()
	a := v.wait()
	a.wants(t, http.StatusOK, "ada")
	a.withheld(t)
	s.wantsDead(token)
}

func raceLogoutWriter(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "late")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").wants(t, http.StatusOK, "destroyed")
	g.open()
	a := v.wait()
	a.wants(t, http.StatusOK, "put")
	a.withheld(t)
	s.wantsDead(token)
	if c := s.with(token).get("/keys").session(t); c == nil || !c.deletes() {
		t.Error("the next request with the dead token does not clear the cookie")
	}
}

func raceLogoutRenewal(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, s.signIn)
	s.open()
	b := s.browser()
	b.put("user", "ada")
	token := b.token()
	v := b.start("/slow")
	g.await(1)
	s.with(token).get("/destroy").wants(t, http.StatusOK, "destroyed")
	g.open()
	v.wait().refused(t)
	s.wantsDead(token)
	b.wants("user", none)
}

func raceRenew(t *checkT) {
	s := t.newSite()
	s.sm.IdleTimeout = 30 * time.Minute
	g := t.gate()
	s.held("/read", g, func(c Context) error {
		return c.Send(http.StatusOK, valueOf(c.Context(), s.sm, "user"))
	})
	s.held("/write", g, func(c Context) error {
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
	b.get("/renew").given(t)
	g.open()
	reader.wait().withheld(t)
	writer.wait().withheld(t)
	s.wantsDead(old)
	b.wants("user", "ada")
	b.wants("k", none)
}

func raceRenewTwice(t *checkT) {
	n := t.crowd(10, 6)
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, s.signIn)
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
		a.wants(t, http.StatusOK, "welcome")
		a.given(t)
	}
	for _, tab := range tabs {
		tab.wants("user", "ada")
		tab.wants("cart", "full")
	}
	s.wantsDead(old)
}

func raceDestroyTwice(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
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
		a.wants(t, http.StatusOK, "destroyed")
		if c := a.session(t); c == nil || !c.deletes() {
			t.Error("the response does not clear the cookie")
		}
	}
	s.wantsDead(token)
}

func raceRememberMerged(t *checkT) {
	s := t.newSite()
	s.sm.Cookie.Persist = false
	g := t.gate()
	s.held("/slow", g, func(c Context) error {
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
	b.get("/remember").wants(t, http.StatusOK, "remembered")
	g.open()
	if c := v.wait().given(t); !c.has("max-age") {
		t.Error("the cookie of a remembered session ends with the browser")
	}
	b.wants("k", "v")
}
