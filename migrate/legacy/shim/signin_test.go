package shim_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
)

// TestSignIn puts users into the session, as handlers do that know nothing of scskit.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, user := range []any{"ada", 7, int64(7), uint8(7)} {
		s := newScene(t, nil)
		s.save(func(session *sessions.Session) { session.Values["cart"] = "tea" })
		planted := s.token()
		s.save(func(session *sessions.Session) { session.Values["user"] = user })
		first := s.token()
		if first == planted || first == "" || s.records() > 2 {
			t.Errorf("%T: the token has not changed", user)
		}
		if _, found, err := s.backend.Find(planted); found || err != nil {
			t.Errorf("%T: the planted token finds a session, %v", user, err)
		}
		s.with(func(r *http.Request, session *sessions.Session) {
			if session.Values["user"] != user || session.Values["cart"] != "tea" {
				t.Errorf("%T: values %v", user, session.Values)
			}
			if err := scskit.RequireFresh(r.Context(), s.sm, time.Minute); err != nil {
				t.Errorf("%T: %v", user, err)
			}
			session.Values["cart"], session.Values["user"] = "milk", user
			if err := session.Save(r, nil); err != nil {
				t.Error(err)
			}
		})
		if s.token() != first {
			t.Errorf("%T: the token has changed without a sign-in", user)
		}
	}
}

// TestOtherUser signs a second user in.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Values["cart"] = "ada", "tea"
	})
	first := s.token()
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Values["hello"] = "bob", true
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		v := session.Values
		if v["user"] != "bob" || v["cart"] != nil || v["hello"] != true || s.token() == first {
			t.Errorf("values %v, want bob's, and nothing of ada's", v)
		}
		delete(v, "user")
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
	})
	s.with(func(_ *http.Request, session *sessions.Session) {
		if v := session.Values; v["user"] != nil || v["hello"] != true {
			t.Errorf("values %v, want no user", v)
		}
	})
}

// TestSignInByScskit calls scskit.SignIn beside a session of the shim.
func TestSignInByScskit(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) { session.Values["cart"] = "tea" })
	planted := s.token()
	s.with(func(r *http.Request, session *sessions.Session) {
		if err := scskit.SignIn(r.Context(), s.sm, "ada", nil); err != nil {
			t.Error(err)
		}
		session.AddFlash("hello")
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
	})
	if s.token() == planted {
		t.Error("the token has not changed")
	}
	s.with(func(_ *http.Request, session *sessions.Session) {
		if v := session.Values; v["user"] != "ada" || v["cart"] != "tea" || v["_flash"] == nil {
			t.Errorf("values %v", v)
		}
	})
}

// TestRenew sets the ID to "", by which some handlers ask gorilla's stores for a new one.
func TestRenew(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) { session.ID = "" }) // it is new
	if s.records() != 0 {
		t.Error("an empty session was stored")
	}
	s.save(func(session *sessions.Session) { session.Values["n"] = 1 })
	first := s.token()
	s.with(func(r *http.Request, session *sessions.Session) {
		session.ID = ""
		for range 2 {
			if err := session.Save(r, nil); err != nil {
				t.Error(err)
			}
		}
		if token := s.sm.Token(r.Context()); session.ID != scskit.HashToken(token) {
			t.Errorf("the ID is %q, and the token %q", session.ID, token)
		}
	})
	if s.token() == first || s.token() == "" {
		t.Error("the token has not changed")
	}
	s.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := s.store.Get(r, "app")
		_, _ = w.Write([]byte("x"))
		session.ID = ""
		if err := session.Save(r, w); err == nil {
			t.Error("renewed after the response has begun")
		}
	})
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Values["cart"] = "ada", "tea"
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		session.Options.MaxAge = -1
		session.Values["f"] = func() {} // a sign-out must not fail
		for range 2 {
			if err := session.Save(r, nil); err != nil {
				t.Error(err)
			}
		}
		if session.ID != "" || s.records() != 0 {
			t.Errorf("ID %q, %d records", session.ID, s.records())
		}
	})
	if s.token() != "" || s.records() != 0 {
		t.Errorf("the browser has the token %q, %d records", s.token(), s.records())
	}
	// What is saved afterwards in the same request begins a session with nothing of the old one.
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Values["cart"] = "ada", "tea"
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		session.Options.MaxAge, session.Values["late"] = -1, true
		err := session.Save(r, nil)
		session.Options.MaxAge = 60
		session.AddFlash("bye")
		if err := errors.Join(err, session.Save(r, nil)); err != nil {
			t.Error(err)
		}
	})
	s.with(func(_ *http.Request, session *sessions.Session) {
		if v := session.Values; len(v) != 1 || v["_flash"] == nil {
			t.Errorf("values %v, want the flash", v)
		}
	})
}

// TestSignOutByScskit ends the session beside the shim. A Save must not bring it back.
func TestSignOutByScskit(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Values["cart"] = "ada", "tea"
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		if err := scskit.SignOut(r.Context(), s.sm); err != nil {
			t.Error(err)
		}
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
	})
	if s.token() != "" || s.records() != 0 {
		t.Errorf("the browser has the token %q, %d records", s.token(), s.records())
	}
}

// TestOnce destroys a session, signs in, and saves the destroyed session again, as a middleware
// does that calls sessions.Save at the end.
func TestOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) { session.Values["user"] = "ada" })
	s.with(func(r *http.Request, session *sessions.Session) {
		session.Options.MaxAge = -1
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
		if err := scskit.SignIn(r.Context(), s.sm, "bob", nil); err != nil {
			t.Error(err)
		}
		if err := sessions.Save(r, nil); err != nil {
			t.Error(err)
		}
	})
	s.with(func(_ *http.Request, session *sessions.Session) {
		if session.Values["user"] != "bob" {
			t.Errorf("values %v, want bob's", session.Values)
		}
	})
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, func(sm *scs.SessionManager) { sm.Lifetime = time.Hour })
	left := func() (d time.Duration) {
		s.with(func(r *http.Request, session *sessions.Session) {
			if session.Options.MaxAge != 3600 || session.Options.Path != "/" {
				t.Errorf("options %+v", session.Options)
			}
			d = time.Until(s.sm.Deadline(r.Context()))
		})
		return d
	}
	s.save(func(session *sessions.Session) {
		session.Options = &sessions.Options{MaxAge: 7200, Path: "/x", HttpOnly: true}
		session.Values["n"] = 1
	})
	if d := left(); d < 90*time.Minute || d > 2*time.Hour {
		t.Errorf("the session ends in %v, want two hours", d)
	}
	s.save(func(session *sessions.Session) {
		session.Options.MaxAge = 600
		session.Values["user"] = "ada" // SignIn sets the deadline too
	})
	if d := left(); d < 5*time.Minute || d > 10*time.Minute {
		t.Errorf("the session ends in %v, want ten minutes", d)
	}
	for _, age := range []int{0, 3600} { // a cookie for as long as the browser runs, and the default
		s.save(func(session *sessions.Session) { session.Options.MaxAge = age })
	}
	s.save(func(session *sessions.Session) { session.Options = nil })
	if d := left(); d > 10*time.Minute {
		t.Errorf("the session ends in %v, want no change", d)
	}
}

// TestRememberMe has a manager whose cookies end with the browser.
func TestRememberMe(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, func(sm *scs.SessionManager) {
		sm.Lifetime, sm.Cookie.Persist = time.Hour, false
	})
	steps := []struct {
		set, found int
		remembered bool
	}{{3600, 0, true}, {3600, 3600, true}, {0, 3600, false}, {0, 0, false}}
	for i, step := range steps {
		s.with(func(r *http.Request, session *sessions.Session) {
			if session.Options.MaxAge != step.found {
				t.Errorf("step %d: MaxAge %d, want %d", i, session.Options.MaxAge, step.found)
			}
			if len(session.Values) > 1 {
				t.Errorf("step %d: values %v, want n alone", i, session.Values)
			}
			session.Options.MaxAge, session.Values["n"] = step.set, 1
			if err := session.Save(r, nil); err != nil {
				t.Error(err)
			}
			if got := s.sm.GetBool(r.Context(), "__rememberMe"); got != step.remembered {
				t.Errorf("step %d: remembered is %v", i, got)
			}
		})
	}
}
