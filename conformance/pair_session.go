package conformance

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
)

// pairSessionChecks follow a session from its first request to its last, through the adapter into
// the store and back.
var pairSessionChecks = []check{
	{"pair/put-then-read", LevelPair, pairPutThenRead,
		"scs: the next request gets what one request puts"},
	{"pair/grow-and-shrink", LevelPair, pairGrowAndShrink,
		"one behaviour everywhere: a session of a few kilobytes is kept " +
			"whole, also after it was larger"},
	{"pair/handler-commits", LevelPair, pairHandlerCommits,
		"the cookie and the record agree: a handler may call " +
			"scs.SessionManager.Commit itself, and go on"},
	{"pair/unchanged", LevelPair, pairUnchanged,
		"the cookie and the record agree: a request that changes nothing " +
			"sets no cookie and stores nothing"},
	{"pair/destroy", LevelPair, pairDestroy,
		"OWASP: a sign-out ends the session on the server and clears the cookie"},
	{"pair/destroy-then-put", LevelPair, pairDestroyThenPut,
		"scs.Destroy: a put after it begins one new session, with nothing of the old one"},
	{"pair/renew", LevelPair, pairRenew,
		"OWASP: a renewal keeps the data under a new token, and the old token is dead"},
	{"pair/unknown-token", LevelPair, pairUnknownToken,
		"OWASP session fixation: a token that the client has made up is never used for a session"},
	{"pair/stale-cookie", LevelPair, pairStaleCookie,
		"the cookie and the record agree: a cookie without a session is cleared"},
	{"pair/duplicate-cookies", LevelPair, pairDuplicateCookies,
		"RFC 6265 4.2.2: any of several cookies of one name may be the live one; a cookie that another " +
			"site of the domain has set does no harm"},
	{"pair/cookie-expiry", LevelPair, pairCookieExpiry,
		"the cookie and the record agree: they expire together, the cookie never first"},
	{"pair/idle", LevelPair, pairIdle,
		"scs.IdleTimeout: reads keep the session and its cookie alive, with at " +
			"most one write in a touch interval"},
	{"pair/shared", LevelPair, pairShared,
		"one behaviour everywhere: two frameworks on one store share their sessions"},
}

func pairPutThenRead(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.wantValue("k", none)
	s.wantStored(b, b.put("k", "v"), "k", "v")
	token := b.token()
	s.wantStored(b, b.put("k", "w"), "k", "w")
	if b.token() != token && !s.inCookie() {
		t.Error("the second request changed the token")
	}
	s.browser().wantValue("k", none)
}

func pairGrowAndShrink(t *checkT) {
	s := t.newSite()
	s.fill()
	s.open()
	b := s.browser()
	for _, size := range []int{10, 5000, 2000, 5100, 20} {
		b.get("/fill?size="+strconv.Itoa(size)).want(t, http.StatusOK, "filled")
		b.wantSize(size)
	}
}

func pairHandlerCommits(t *checkT) {
	s := t.newSite()
	s.sm.IdleTimeout = 30 * time.Minute
	s.route("/commit", func(c Context) error {
		if c.Query("early") != "" {
			s.sm.Put(c.Context(), "early", c.Query("early"))
		}
		if _, _, err := s.sm.Commit(c.Context()); err != nil {
			return err
		}
		if c.Query("late") != "" {
			s.sm.Put(c.Context(), "late", c.Query("late"))
		}
		return c.Send(http.StatusOK, "committed")
	})
	s.open()
	b := s.browser()
	s.wantStored(b, b.get("/commit?early=a"), "early", "a")
	s.wantStored(b, b.get("/commit?late=b"), "late", "b")
	s.wantStored(b, b.get("/commit?early=c&late=d"), "late", "d")
	b.wantValue("early", "c")
	b.nearExpiry()
	b.get("/commit").wantCookie(t) // with a new expiry
}

func pairUnchanged(t *checkT) {
	s := t.newSite()
	w := s.watch()
	s.open()
	b := s.browser()
	b.get("/plain").wantNoCookie(t)
	b.wantValue("k", none)
	b.get("/get?k=k").wantNoCookie(t)
	if n := w.count("commit"); n != 0 {
		t.Errorf("clients without a session: the store got %d commits, want none", n)
	}
	b.put("k", "v")
	commits := w.count("commit")
	b.get("/plain").wantNoCookie(t)
	b.get("/get?k=k").wantNoCookie(t)
	if n := w.count("commit") - commits; n != 0 {
		t.Errorf("requests without a change: the store got %d commits, want none", n)
	}
}

func pairDestroy(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.put("k", "v")
	token := b.token()
	if c := b.get("/destroy").session(t); c == nil || !c.deletes() {
		t.Error("the response does not clear the cookie")
	}
	if b.token() != "" {
		t.Error("the browser still has the cookie")
	}
	s.with(token).wantValue("k", none)
	if !t.gone(s.sm.Store, token) {
		t.Error("the session is still in the store")
	}
}

func pairDestroyThenPut(t *checkT) {
	s := t.newSite()
	s.route("/again", func(c Context) error {
		if err := s.sm.Destroy(c.Context()); err != nil {
			return err
		}
		s.sm.Put(c.Context(), "new", "w")
		return c.Send(http.StatusOK, "again")
	})
	s.open()
	b := s.browser()
	b.put("old", "v")
	token := b.token()
	b.get("/again").wantCookie(t)
	if b.token() == token {
		t.Error("the new session has the token of the old one")
	}
	b.get("/keys").want(t, http.StatusOK, "keys new")
	b.wantValue("new", "w")
	s.with(token).get("/keys").want(t, http.StatusOK, "keys ")
}

func pairRenew(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.put("k", "v")
	old := b.token()
	b.get("/renew").wantCookie(t)
	if b.token() == old {
		t.Fatal("renew: the token has not changed")
	}
	b.wantValue("k", "v")
	s.with(old).wantValue("k", none)
}

func pairUnknownToken(t *checkT) {
	s := t.newSite().open()
	for _, token := range []string{newToken(), "letmein", strings.Repeat("x", 600)} {
		b := s.with(token)
		b.wantValue("k", none)
		b = s.with(token)
		b.put("k", "v").wantCookie(t)
		if b.token() == token {
			t.Errorf("the session got the token of %d bytes that the client had sent", len(token))
		}
		b.wantValue("k", "v")
		s.with(token).wantValue("k", none)
	}
}

func pairStaleCookie(t *checkT) {
	s := t.newSite().open()
	b := s.with(newToken())
	if c := b.get("/get?k=k").session(t); c == nil || !c.deletes() {
		t.Error("the cookie of an unknown session was not cleared")
	}
	b.get("/get?k=k").wantNoCookie(t)

	b.put("k", "v")
	t.remove(s.sm.Store, b.token())
	if c := b.get("/get?k=k").session(t); c == nil || !c.deletes() {
		t.Error("the cookie of a destroyed session was not cleared")
	}
}

func pairDuplicateCookies(t *checkT) {
	s := t.newSite().open()
	b := s.browser()
	b.put("k", "v")
	live, stale := "session="+b.token(), "session="+newToken()
	lines := []string{
		stale + "; " + live, live + "; " + stale, stale + "; session=; " + live, live + "; " + live,
		live + "; session.1=tossed", "session.1=tossed; " + live,
		"session.2=x; session.01=x; session.=x; " + live,
	}
	if s.inCookie() { // a session in the cookie cannot be revoked: the one saved last counts
		other := s.browser()
		other.put("k", "another's")
		p := s.portableStore()
		before := p.SavedAt(other.token())
		for n := 0; !p.SavedAt(b.token()).After(before); n++ {
			b.put("later", strconv.Itoa(n))
		}
		live := "session=" + b.token()
		tossed := "session=" + other.token()
		lines = append(lines, tossed+"; "+live, live+"; "+tossed, stale+"; "+tossed+"; "+live)
	}
	for _, line := range lines {
		a := s.browser().do(http.MethodGet, "/get?k=k", "Cookie", line)
		a.want(t, http.StatusOK, "v")
		a.wantNoCookie(t)
	}
}

// portableStore returns the store. It fails the check for a store other than *scskit.Store, whose
// records a check cannot read; such a store declares an exemption.
func (s *site) portableStore() *scskit.Store {
	s.t.Helper()
	p, ok := s.sm.Store.(*scskit.Store)
	if !ok {
		s.t.Fatal("the store is not a *scskit.Store: the check cannot read its records")
	}
	return p
}

// lasts checks that the cookie expires together with a record that expires at until, and not
// before.
func (s *site) lasts(c *setCookie, until time.Time) {
	t := s.t
	t.Helper()
	expires, err := http.ParseTime(c.attributes["expires"])
	if err != nil {
		t.Fatalf("cookie: Expires: %v", err)
	}
	if expires.Before(until) || expires.After(until.Add(2*time.Second)) {
		t.Errorf("cookie: expires %v after the record, want 0 to 2 s",
			expires.Sub(until))
	}
	age, err := strconv.Atoi(c.attributes["max-age"])
	if err != nil {
		t.Fatalf("cookie: Max-Age: %v", err)
	}
	least, most := int(time.Until(until)/time.Second), int(until.Sub(s.opened)/time.Second)+2
	if age < least || age > most {
		t.Errorf("cookie: Max-Age=%d, want %d to %d, the remaining time of the record", age, least, most)
	}
}

func pairCookieExpiry(t *checkT) {
	for _, lifetime := range []time.Duration{time.Hour, 90 * 24 * time.Hour} {
		s := t.newSite()
		s.sm.Lifetime = lifetime
		s.open()
		before := time.Now()
		b := s.browser()
		c := b.put("k", "v").wantCookie(t)
		if p, ok := s.sm.Store.(*scskit.Store); ok {
			s.lasts(c, b.record(p.Driver()).Expiry)
			continue
		}
		if expires, err := http.ParseTime(c.attributes["expires"]); err != nil ||
			expires.Before(before.Add(lifetime)) {
			t.Errorf("cookie: Expires=%q, want at least %v from now", c.attributes["expires"], lifetime)
		}
	}
}

func pairIdle(t *checkT) {
	const idle = 10 * time.Minute
	s := t.newSite()
	s.sm.IdleTimeout = idle
	d := s.portableStore().Driver()
	w := s.watch()
	s.open()
	b := s.browser()
	began := time.Now()
	c := b.put("k", "v").wantCookie(t)
	first := b.record(d)
	if first.Expiry.Before(began.Add(idle)) {
		t.Errorf("the record expires %v after the request, want at least %v",
			first.Expiry.Sub(began), idle)
	}
	s.lasts(c, first.Expiry)

	b.get("/get?k=k").wantNoCookie(t)
	if again := b.record(d); !again.Expiry.Equal(first.Expiry) || again.Version != first.Version {
		t.Error("a read right after a write wrote the record again")
	}

	// As if most of the idle timeout had passed.
	b.nearExpiry()
	began = time.Now()
	c = b.get("/get?k=k").wantCookie(t)
	slid := b.record(d)
	if slid.Expiry.Before(began.Add(idle)) {
		t.Errorf("after a read the record expires in %v, want at least %v", slid.Expiry.Sub(began), idle)
	}
	s.lasts(c, slid.Expiry)
	if n := w.count("delete"); n != 0 {
		t.Errorf("the store got %d deletes, want none", n)
	}
	b.wantValue("k", "v")
}

func pairShared(t *checkT) {
	store := t.newStore()
	here := t.siteOver(store).open()
	if t.store.Reopen != nil {
		store = t.reopen(store) // another process
	}
	there := t.siteOver(store)
	there.base = HTTP("plain", plain).Serve(testing.TB(t), there.guarded())
	there.connect()

	b := here.browser()
	b.put("k", "here")
	other := there.with(b.token())
	other.wantValue("k", "here")
	other.put("k", "there")
	b.wantValue("k", "there")
	other.get("/renew")
	b.wantValue("k", none)
	b = here.with(other.token())
	b.wantValue("k", "there")
	b.get("/destroy")
	other.wantValue("k", none)
}
