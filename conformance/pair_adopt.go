package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairAdoptChecks cover adapters.Adopt, with a reader of the kit.
var pairAdoptChecks = []check{
	{"adopt/session", LevelPair, adoptSession,
		"adapters.Adopt: a session of another package goes on as one of scskit with its values, under " +
			"a new token; its cookie and its record are removed"},
	{"adopt/order", LevelPair, adoptOrder,
		"adapters.Adopt: the old record and the old cookie are removed only when the new session is " +
			"stored"},
	{"adopt/parallel", LevelPair, adoptParallel,
		"adapters.Adopt: eight parallel first requests of a browser make one session, and lose nothing"},
	{"adopt/ours-first", LevelPair, adoptOursFirst,
		"adapters.Adopt: a live session of the manager comes before one of another package, which is " +
			"not read"},
	{"adopt/failure", LevelPair, adoptFailure,
		"AdoptOptions.FailClosed: if the old store fails, the request has no session and no cookie " +
			"changes; with the option it is an error"},
	{"adopt/panic", LevelPair, adoptPanic,
		"adapters.LegacyReader: a panic is a failure of the old store, and does not end the program"},
	{"adopt/keep", LevelPair, adoptKeep,
		"AdoptOptions.Keep: the old cookie and the old record stay as they are, until a sign-out"},
	{"adopt/sign-out", LevelPair, adoptSignOut,
		"no resurrection: a session that was adopted and signed out does not come back with its old " +
			"cookie, even if its record could not be removed"},
	{"adopt/deadline", LevelPair, adoptDeadline,
		"adapters.LegacySession: an adopted session ends when it would have ended, or after the " +
			"manager's Lifetime if that is not known"},
}

func adoptSession(t *checkT) {
	for _, more := range [][]adapters.Option{nil, {adapters.Lazy()}} {
		var log eventLog
		s, old := t.newMovingSite(adapters.AdoptOptions{},
			append(more, adapters.Observe(log.observe))...)
		s.open()
		id, other := old.add(), old.add()
		b := s.moving(id)
		a := b.get("/get?k=user")
		a.want(t, http.StatusOK, "ada")
		a.wantCookie(t)
		for _, line := range a.header.Values("Set-Cookie") {
			if c := parseCookie(line); c.name == oldCookie && c.attributes["path"] != "/" {
				t.Errorf("the old cookie is expired for the path %q, want /", c.attributes["path"])
			}
		}
		b.wantAdopted(old, id)
		if !old.has(other) {
			t.Error("the record of another session is removed")
		}
		a = s.moving(newToken()).get("/keys")
		a.want(t, http.StatusOK, "keys ")
		a.wantSame(t)
		adopted := log.of(scskit.KindAdopt)
		if len(adopted) != 1 || adopted[0].Outcome != scskit.OutcomeOK {
			t.Errorf("%d events of the kind adopt, want one with the outcome ok", len(adopted))
		}
	}
}

func adoptOrder(t *checkT) {
	s, old := t.newMovingSite(adapters.AdoptOptions{})
	w := s.watch()
	s.open()
	id := old.add()
	b := s.moving(id)
	down := func(op string) error {
		if op == "commit" && !old.has(id) {
			t.Error("the old record is removed before the new session is stored")
		}
		return failing("commit")(op)
	}
	w.fail(down)
	a := b.get("/get?k=user")
	a.want(t, http.StatusOK, "ada")
	a.wantSame(t)
	a = b.put("k", "v")
	a.wantError(t)
	a.wantSame(t)
	if !old.has(id) {
		t.Fatal("the old record is removed, but the new session is not stored")
	}
	w.fail(func(op string) error {
		_ = down(op)
		return nil
	})
	b.get("/get?k=user").want(t, http.StatusOK, "ada")
	w.fail(nil)
	b.wantAdopted(old, id)
}

func adoptParallel(t *checkT) {
	n := t.crowd(8, 8)
	s, old := t.newMovingSite(adapters.AdoptOptions{})
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), c.Query("k"), "v")
		return c.Send(http.StatusOK, "put")
	})
	s.open()
	id := old.add()
	var want []string
	browsers, visits := make([]*browser, n), make([]*visit, n)
	for i := range visits {
		key := fmt.Sprintf("key%02d", i)
		want = append(want, key)
		browsers[i] = s.moving(id)
		visits[i] = browsers[i].start("/slow?k=" + key)
	}
	g.await(n)
	g.open()
	for _, v := range visits {
		v.wait().want(t, http.StatusOK, "put")
	}
	browsers = slices.DeleteFunc(browsers, func(b *browser) bool { return b.token() == "" })
	if len(browsers) != 1 {
		t.Fatalf("%d of %d responses have a new session, want 1", len(browsers), n)
	}
	want = append(want, "user")
	browsers[0].get("/keys").want(t, http.StatusOK, "keys "+strings.Join(want, ","))
	browsers[0].wantAdopted(old, id)
}

func adoptOursFirst(t *checkT) {
	s, old := t.newMovingSite(adapters.AdoptOptions{})
	s.open()
	id := old.add()
	b := s.browser()
	b.put("user", "bob")
	token := b.token()
	b.cookies[oldCookie] = id
	a := b.get("/get?k=user")
	a.want(t, http.StatusOK, "bob")
	a.wantSame(t)
	b.put("k", "v")
	if b.token() != token || b.old() != id || !old.has(id) {
		t.Error("a request with a session of ours changes the token, the old cookie or the old record")
	}
	var reads int
	if old.change(func() { reads = old.reads }); reads != 0 {
		t.Errorf("the old store is read %d times, want 0", reads)
	}
	b = s.moving(id) // a dead session of ours
	b.cookies[s.sm.Cookie.Name] = newToken()
	b.get("/get?k=user").want(t, http.StatusOK, "ada")
	b.wantAdopted(old, id)
}

// failOld has the old store fail in one way, with FailClosed and without.
func (t *checkT) failOld(fault func() error) {
	t.Helper()
	for _, failClosed := range []bool{false, true} {
		var log eventLog
		s, old := t.newMovingSite(adapters.AdoptOptions{FailClosed: failClosed},
			adapters.Observe(log.observe))
		s.open()
		id := old.add()
		b, known := s.moving(id), s.browser()
		known.put("user", "bob")
		old.change(func() { old.fault = fault })
		a := b.get("/get?k=user")
		if failClosed {
			a.wantError(t)
		} else {
			a.want(t, http.StatusOK, none)
		}
		a.wantSame(t)
		known.wantValue("user", "bob") // the old store does not matter to it
		failed := log.of(scskit.KindAdopt)
		if len(failed) != 1 || failed[0].Outcome != scskit.OutcomeFailed {
			t.Errorf("%d events of the kind adopt, want one with the outcome failed", len(failed))
		}
		old.change(func() { old.fault = nil })
		b.get("/get?k=user").want(t, http.StatusOK, "ada")
		b.wantAdopted(old, id)
	}
}

func adoptFailure(t *checkT) { t.failOld(func() error { return errOldStore }) }

func adoptPanic(t *checkT) { t.failOld(func() error { panic("in the reader") }) }

func adoptKeep(t *checkT) {
	s, old := t.newMovingSite(adapters.AdoptOptions{Keep: true})
	s.open()
	id := old.add()
	b := s.moving(id)
	a := b.get("/get?k=user")
	a.want(t, http.StatusOK, "ada")
	a.wantCookie(t)
	b.put("k", "v")
	b.wantValue("user", "ada")
	if b.old() != id || !old.has(id) {
		t.Fatal("with Keep, the old cookie or the old record is removed")
	}
	b.get("/destroy").want(t, http.StatusOK, "destroyed")
	if b.token() != "" || b.old() != "" || old.has(id) {
		t.Error("the sign-out leaves a cookie or the old record")
	}
}

func adoptSignOut(t *checkT) {
	for _, keep := range []bool{false, true} {
		s, old := t.newMovingSite(adapters.AdoptOptions{Keep: keep})
		g := t.gate()
		s.heldRoute("/slow", g, func(c Context) error {
			s.sm.Put(c.Context(), "k", "v")
			return c.Send(http.StatusOK, "put")
		})
		s.open()
		old.change(func() { old.stuck = true })

		later := old.add()
		b := s.moving(later)
		b.wantValue("user", "ada")
		b.wantValue("user", "ada")
		b.get("/destroy").want(t, http.StatusOK, "destroyed")

		first := old.add() // signs out in its first request, while another is being adopted
		slow := s.moving(first)
		v := slow.start("/slow")
		g.await(1)
		b = s.moving(first)
		b.get("/destroy").want(t, http.StatusOK, "destroyed")
		g.open()
		v.wait()
		for _, id := range []string{later, first} {
			a := s.moving(id).get("/keys")
			a.want(t, http.StatusOK, "keys ")
			a.wantNoCookie(t)
		}
		slow.wantValue("k", none)
		slow.wantValue("user", none)
	}
}

func adoptDeadline(t *checkT) {
	s, old := t.newMovingSite(adapters.AdoptOptions{})
	d := s.portableStore().Driver()
	s.open()
	for _, left := range []time.Duration{20 * time.Minute, 90 * 24 * time.Hour} {
		deadline := in(left).Truncate(time.Second)
		old.change(func() { old.deadline = deadline })
		b := s.moving(old.add())
		b.get("/get?k=user").want(t, http.StatusOK, "ada")
		b.put("k", "v")
		if got := b.record(d).Expiry; got.Before(deadline) || got.After(deadline.Add(time.Second)) {
			t.Errorf("the session lasts %v longer than the old one would have", got.Sub(deadline))
		}
	}

	old.change(func() { old.deadline = time.Time{} })
	b := s.moving(old.add())
	began := time.Now()
	b.get("/get?k=user").want(t, http.StatusOK, "ada")
	least, most := began.Add(s.sm.Lifetime-time.Second), in(s.sm.Lifetime+time.Second)
	if got := b.record(d).Expiry; got.Before(least) || got.After(most) {
		t.Errorf("the session lasts %v, want the manager's Lifetime of %v", time.Until(got),
			s.sm.Lifetime)
	}

	old.change(func() { old.deadline = in(-time.Second) })
	a := s.moving(old.add()).get("/get?k=user")
	a.want(t, http.StatusOK, none)
	a.wantSame(t)
}
