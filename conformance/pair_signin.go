package conformance

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// pairSignInChecks cover scskit.SignIn, SignOut and RequireFresh through the adapter.
var pairSignInChecks = []check{
	{"pair/sign-in", LevelPair, pairSignIn,
		"OWASP session fixation: a cookie that an attacker has planted never opens the session that " +
			"scskit.SignIn signs in with it, and does no harm if the browser still sends it"},
	{"pair/sign-in-over", LevelPair, pairSignInOver,
		"a user who signs in over the session of another gets a session with nothing of it"},
	{"pair/sign-in-remembered", LevelPair, pairSignInRemembered,
		"SignInOptions.RememberMe: the cookie outlives the browser only if it is set"},
	{"pair/sign-in-failed", LevelPair, pairSignInFailed,
		"the cookie and the record agree: a sign-in that could not be stored is an error, and signs " +
			"nobody in"},
	{"pair/fresh", LevelPair, pairFresh,
		"RequireFresh passes only after SignIn, not for a user who was put into the session"},
	{"pair/own-idle", LevelPair, pairOwnIdle,
		"SetIdleTimeout: reads keep such a session and its cookie alive also if the manager has no " +
			"idle timeout, at no cost for other sessions"},
}

// newSignInSite returns an application with routes to sign in and out. The caller opens it.
func (t *checkT) newSignInSite() *site {
	t.Helper()
	p, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	s := t.siteOver(t.portableOver(p.Driver(), &scskit.Options{UserKey: "user"}))
	s.route("/sign-in", func(c Context) error {
		opts := &scskit.SignInOptions{RememberMe: c.Query("remember") != ""}
		if idle := c.Query("idle"); idle != "" {
			var err error
			if opts.IdleTimeout, err = time.ParseDuration(idle); err != nil {
				return err
			}
		}
		err := scskit.SignIn(c.Context(), s.sm, strings.Clone(c.Query("user")), opts)
		if err != nil {
			return err
		}
		return c.Send(http.StatusOK, "welcome")
	})
	s.route("/sign-out", func(c Context) error {
		if err := scskit.SignOut(c.Context(), s.sm); err != nil {
			return err
		}
		return c.Send(http.StatusOK, "bye")
	})
	s.route("/pay", func(c Context) error {
		err := scskit.RequireFresh(c.Context(), s.sm, time.Hour)
		if errors.Is(err, scskit.ErrNotFresh) {
			return c.Send(http.StatusForbidden, "sign in again")
		}
		if err != nil {
			return err
		}
		return c.Send(http.StatusOK, "paid")
	})
	return s
}

func pairSignIn(t *checkT) {
	s := t.newSignInSite().open()
	attacker := s.browser()
	attacker.put("cart", "tea")
	planted := attacker.token()
	for _, token := range []string{planted, newToken()} {
		b := s.with(token)
		a := b.get("/sign-in?user=ada")
		a.want(t, http.StatusOK, "welcome")
		a.wantCookie(t)
		if b.token() == token {
			t.Fatal("the session kept the token that the client had sent")
		}
		b.wantValue("user", "ada")
		s.with(token).wantValue("user", none)
		if !s.inCookie() { // of sessions in cookies, the one saved last counts
			both := "session=" + token + "; session=" + b.token()
			s.browser().do(http.MethodGet, "/get?k=user", "Cookie", both).want(t, http.StatusOK, "ada")
		}

		token = b.token()
		a = b.get("/sign-out")
		a.want(t, http.StatusOK, "bye")
		if c := a.session(t); c == nil || !c.deletes() {
			t.Error("the response to the sign-out does not clear the cookie")
		}
		if !s.inCookie() {
			s.with(token).wantValue("user", none)
		}
	}
}

func pairSignInOver(t *checkT) {
	s := t.newSignInSite()
	d := s.portableStore().Driver()
	s.open()
	b := s.browser()
	b.put("cart", "tea")
	b.get("/sign-in?user=ada&idle=10m&remember=1").wantCookie(t)
	b.wantValue("cart", "tea")
	b.put("secret", "ada's")
	old := b.token()
	b.get("/sign-in?user=bob").wantCookie(t)
	b.wantValue("user", "bob")
	b.get("/keys").want(t, http.StatusOK, "keys "+signInKey+",user")
	if left := time.Until(b.record(d).Expiry); left < time.Hour {
		t.Errorf("the session lasts %v: it has the idle timeout of the earlier one", left)
	}
	if !s.inCookie() {
		s.with(old).wantValue("user", none)
	}
}

func pairSignInRemembered(t *checkT) {
	s := t.newSignInSite()
	s.sm.Cookie.Persist = false
	s.open()
	for path, remembered := range map[string]bool{
		"/sign-in?user=ada": false, "/sign-in?user=ada&remember=1": true,
	} {
		b := s.browser()
		for _, c := range []*setCookie{b.get(path).wantCookie(t), b.put("k", "v").wantCookie(t)} {
			if c.has("expires") != remembered || c.has("max-age") != remembered {
				t.Errorf("%s: the cookie outlives the browser: %v, want %v", path, c.has("max-age"),
					remembered)
			}
		}
	}
}

func pairSignInFailed(t *checkT) {
	s := t.newSignInSite()
	t.needsBackend(s)
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("cart", "tea")
	old := b.token()
	w.fail(failing("commit"))
	a := b.get("/sign-in?user=ada")
	a.wantError(t)
	if strings.Contains(a.body, "welcome") {
		t.Error("the response says that the user is signed in")
	}
	a.wantNoCookie(t)
	w.fail(nil)
	b = s.with(old)
	b.wantValue("user", none)
	b.wantValue("cart", "tea")
}

func pairFresh(t *checkT) {
	s := t.newSignInSite().open()
	b := s.browser()
	b.get("/pay").want(t, http.StatusForbidden, "sign in again")
	b.put("user", "ada")
	b.get("/pay").want(t, http.StatusForbidden, "sign in again")
	b.get("/sign-in?user=ada").want(t, http.StatusOK, "welcome")
	b.get("/pay").want(t, http.StatusOK, "paid")
	b.put("user", "bob")
	b.get("/pay").want(t, http.StatusForbidden, "sign in again")
}

func pairOwnIdle(t *checkT) {
	const idle = 10 * time.Minute
	s := t.newSignInSite()
	d := s.portableStore().Driver()
	w := s.watch()
	s.open()
	b := s.browser()
	began := time.Now()
	c := b.get("/sign-in?user=ada&idle=" + idle.String()).wantCookie(t)
	first := b.record(d)
	wantIdle := func(rec driver.Record) {
		t.Helper()
		least, most := began.Add(idle).Truncate(time.Millisecond), in(idle+idle/10)
		if rec.Expiry.Before(least) || rec.Expiry.After(most.Add(time.Millisecond)) {
			t.Errorf("the record expires in %v, want %v to %v", time.Until(rec.Expiry), idle, idle+idle/10)
		}
		s.lasts(c, rec.Expiry)
	}
	wantIdle(first)
	b.get("/plain").wantNoCookie(t)
	if again := b.record(d); !again.Expiry.Equal(first.Expiry) || again.Version != first.Version {
		t.Error("a read right after a write wrote the record again")
	}

	first.Expiry = in(time.Minute) // as if most of the idle timeout had passed
	if s.inCookie() {
		b.plant(first.Data, first.Expiry)
	} else if err := d.Save(t.Context(), first, driver.Always()); err != nil {
		t.Fatalf("driver: save: %v", err)
	}
	began = time.Now()
	c = b.get("/plain").wantCookie(t)
	wantIdle(b.record(d))
	b.wantValue("user", "ada")

	other := s.browser()
	other.get("/sign-in?user=bob")
	commits := w.count("commit")
	other.get("/plain").wantNoCookie(t)
	other.wantValue("user", "bob")
	if n := w.count("commit") - commits; n != 0 {
		t.Errorf("reads of a session without an idle timeout: the store got %d commits, want none", n)
	}
}
