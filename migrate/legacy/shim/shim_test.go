package shim_test

import (
	"encoding/gob"
	"errors"
	"maps"
	"math"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

type key string

const userKey key = "user"

// cart is a type of an application.
type cart struct{ Items []string }

func init() {
	gob.Register(&cart{})
	gob.Register(map[string]int{})
}

func TestValues(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		if !session.IsNew || session.ID != "" || session.Name() != "app" || len(session.Values) > 0 {
			t.Errorf("the new session is %+v", session)
		}
		session.Values["n"], session.Values["cart"] = 1, &cart{[]string{"tea"}}
		session.Values["gone"] = true
	})
	s.save(func(session *sessions.Session) {
		if session.IsNew || session.ID != scskit.HashToken(s.token()) {
			t.Errorf("IsNew is %v, ID %q", session.IsNew, session.ID)
		}
		delete(session.Values, "gone")
		c := session.Values["cart"].(*cart)
		c.Items = append(c.Items, "milk") // a change inside a value
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		want := map[any]any{"n": 1, "cart": &cart{[]string{"tea", "milk"}}}
		if !reflect.DeepEqual(session.Values, want) {
			t.Errorf("values %v, want %v", session.Values, want)
		}
		if keys := s.sm.Keys(r.Context()); !reflect.DeepEqual(keys, []string{"cart", "n"}) {
			t.Errorf("the manager's session has the keys %v", keys)
		}
		session.Values["n"] = 2 // without Save
		session.Values["cart"].(*cart).Items[0] = "none"
		s.sm.Put(r.Context(), "other", true) // stores the session
	})
	s.with(func(_ *http.Request, session *sessions.Session) {
		items := session.Values["cart"].(*cart).Items
		if session.Values["n"] != 1 || items[0] != "tea" || session.Values["other"] != true {
			t.Errorf("after a change without Save: values %v, %v", session.Values, items)
		}
	})
	if n := s.records(); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// TestUnchanged saves a session of which the handler has changed nothing.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.Values["n"], session.Values["m"] = 1, map[string]int{"a": 1, "b": 2, "c": 3}
	})
	for range 10 { // gob writes maps in random order
		s.with(func(r *http.Request, session *sessions.Session) {
			session.Values["n"] = 2
			session.Values["n"] = 1
			if err := session.Save(r, nil); err != nil {
				t.Error(err)
			}
			if s.sm.Status(r.Context()) != scs.Unmodified {
				t.Error("the manager's session is modified")
			}
		})
	}
}

// TestOutside changes the manager's session in the same request.
func TestOutside(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) { session.Values["a"], session.Values["b"] = 1, 1 })
	s.with(func(r *http.Request, session *sessions.Session) {
		ctx := r.Context()
		s.sm.Put(ctx, "a", 2)
		s.sm.Put(ctx, "c", 2)
		s.sm.Remove(ctx, "b")
		session.Values["d"] = 1
		for range 2 {
			if err := sessions.Save(r, nil); err != nil {
				t.Error(err)
			}
		}
		s.sm.Put(ctx, "d", 3) // since the last Save
		session.Values["e"] = 1
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
		got := []any{s.sm.Get(ctx, "a"), s.sm.Get(ctx, "b"), s.sm.Get(ctx, "c"), s.sm.Get(ctx, "d")}
		if want := []any{2, nil, 2, 3}; !reflect.DeepEqual(got, want) {
			t.Errorf("values %v, want %v", got, want)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t, &shim.Options{Keys: []any{userKey, 1}})
	s.save(func(session *sessions.Session) {
		session.Values[userKey], session.Values[1], session.Values["s"] = "ada", "one", "string"
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		want := map[any]any{userKey: "ada", 1: "one", "s": "string"}
		if !reflect.DeepEqual(session.Values, want) {
			t.Errorf("values %v, want %v", session.Values, want)
		}
		if got := s.sm.Get(r.Context(), "shim_test.key:user"); got != "ada" {
			t.Errorf("the manager's session has %v", got)
		}
		for _, other := range []any{2, key("x"), any("shim_test.key:user")} {
			session.Values["s"], session.Values[other] = "changed", "x"
			if err := session.Save(r, nil); err == nil {
				t.Errorf("%v: no error", other)
			}
			delete(session.Values, other)
		}
		if s.sm.Status(r.Context()) != scs.Unmodified {
			t.Error("a Save that failed has put something")
		}
	})
}

func TestFlashes(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.AddFlash("one")
		session.AddFlash(2)
		session.AddFlash("other", "errors")
	})
	s.save(func(session *sessions.Session) {
		if f := session.Flashes(); !reflect.DeepEqual(f, []any{"one", 2}) {
			t.Errorf("flashes %v", f)
		}
	})
	s.save(func(session *sessions.Session) {
		if f, e := session.Flashes(), session.Flashes("errors"); len(f) != 0 || len(e) != 1 {
			t.Errorf("flashes %v and %v", f, e)
		}
	})
}

// TestFlashesMerged adds messages in two requests at the same time.
func TestFlashesMerged(t *testing.T) {
	t.Parallel()
	s := &scene{T: t}
	s.sm, s.backend = newManager(t, scskit.Options{
		Merge: map[string]scskit.MergeFunc{"_flash": scskit.MergeSets},
	})
	s.store = shim.New(shim.Managers{"app": s.sm}, nil)
	add := func(r *http.Request, message string) {
		session, _ := s.store.Get(r, "app")
		if message == "one" { // the other request runs meanwhile
			res, err := s.client.Get(s.url + "?m=two")
			if err != nil {
				t.Error(err)
			} else {
				res.Body.Close()
			}
		}
		session.AddFlash(message)
		if err := session.Save(r, nil); err != nil {
			t.Error(err)
		}
	}
	s.serve(scshttp.LoadAndSave(s.sm)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if m := r.FormValue("m"); m != "" {
				add(r, m)
				return
			}
			s.handle(w, r)
		})))
	s.save(func(session *sessions.Session) { session.Values["n"] = 1 })
	s.visit(func(_ http.ResponseWriter, r *http.Request) { add(r, "one") })
	s.with(func(_ *http.Request, session *sessions.Session) {
		if f := session.Flashes(); !reflect.DeepEqual(f, []any{"two", "one"}) {
			t.Errorf("flashes %v, want both", f)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "app")
		if err != nil {
			t.Error(err)
		}
		session.Values["ok"], session.Values["f"] = 1, func() {}
		if err = session.Save(r, w); !errors.Is(err, scskit.ErrEncode) {
			t.Errorf("a function: error %v, want ErrEncode", err)
		} else if !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("error %q does not name the key", err)
		}
		delete(session.Values, "f")
		session.Values["user"] = 2.5
		if err = session.Save(r, w); err == nil || strings.Contains(err.Error(), "2.5") {
			t.Errorf("a user of type float64: error %v", err)
		}
		if s.sm.Status(r.Context()) != scs.Unmodified {
			t.Error("a Save that failed has put something")
		}
		if err := s.store.Save(r, w, sessions.NewSession(s.store, "app")); err == nil {
			t.Error("a session that is not from the store: no error")
		}
		unknown, err := s.store.Get(r, "unknown")
		if err == nil || unknown == nil || unknown.Save(r, w) == nil {
			t.Errorf("an unknown name: session %v, error %v", unknown, err)
		}
		if _, err := s.store.Get(r, "un known"); err == nil {
			t.Error("an invalid name: no error")
		}
	})
	s.visit(func(w http.ResponseWriter, r *http.Request) {
		s.sm.Put(r.Context(), "f", func() {})
		if session, err := s.store.Get(r, "app"); err == nil || session.Save(r, w) == nil {
			t.Error("a session that cannot be encoded: no error")
		}
	})
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	session, err := s.store.Get(r, "app")
	if err == nil || session == nil || session.Save(r, nil) == nil {
		t.Errorf("outside LoadAndSave: session %v, error %v", session, err)
	}
}

func TestLate(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := s.store.Get(r, "app")
		_, _ = w.Write([]byte("x"))
		if err := session.Save(r, w); err != nil {
			t.Errorf("nothing has changed: error %v", err)
		}
		session.Values["n"] = 1
		if err := session.Save(r, w); !errors.Is(err, shim.ErrLate) {
			t.Errorf("error %v, want ErrLate", err)
		}
	})
	if n := s.records(); n != 0 {
		t.Errorf("%d records, want none", n)
	}
}

// TestRegistry begins gorilla's registry outside LoadAndSave, as an outer middleware with another
// store does.
func TestRegistry(t *testing.T) {
	t.Parallel()
	s := &scene{T: t}
	s.sm, s.backend = newManager(t, scskit.Options{})
	s.store = shim.New(shim.Managers{"app": s.sm}, nil)
	other := sessions.NewCookieStore([]byte("key"))
	inner := scshttp.LoadAndSave(s.sm)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { s.handle(w, r) }))
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = other.Get(r, "other")
		inner.ServeHTTP(w, r)
	}))
	s.with(func(r *http.Request, session *sessions.Session) {
		session.Values["n"] = 1
		if err := sessions.Save(r, discard{}); err != nil {
			t.Error(err)
		}
		if again, err := session.Store().New(r, "app"); err != nil || again.Values["n"] != 1 {
			t.Errorf("session %v, %v", again, err)
		}
	})
	s.with(func(_ *http.Request, session *sessions.Session) {
		if session.Values["n"] != 1 {
			t.Errorf("values %v", session.Values)
		}
	})
}

// discard is a response for the other store.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// TestCollected checks that a store keeps nothing of requests that have ended.
func TestCollected(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	collected := make(chan bool, 1)
	s.save(func(session *sessions.Session) {
		session.Values["n"] = 1
		runtime.AddCleanup(session, func(c chan bool) { c <- true }, collected)
	})
	s.visit(func(http.ResponseWriter, *http.Request) {})
	for end := time.Now().Add(2 * time.Minute); len(collected) == 0 || s.store.States() > 0; {
		runtime.GC()
		time.Sleep(time.Millisecond)
		if time.Now().After(end) {
			t.Fatalf("the session is still in memory, or one of %d states", s.store.States())
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	sm, _ := newManager(t, scskit.Options{})
	managers := shim.Managers{"app": sm}
	for name, f := range map[string]func(){
		"no manager":  func() { shim.New(nil, nil) },
		"nil manager": func() { shim.New(shim.Managers{"app": nil}, nil) },
		"one manager": func() { shim.New(shim.Managers{"app": sm, "cart": sm}, nil) },
		"nil key":     func() { shim.New(managers, &shim.Options{Keys: []any{nil}}) },
		"string key":  func() { shim.New(managers, &shim.Options{Keys: []any{"user"}}) },
		"twice":       func() { shim.New(managers, &shim.Options{Keys: []any{userKey, userKey}}) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "shim: ") {
					t.Errorf("%s: panic with %q", name, text)
				}
			}()
			f()
		}()
	}
	copied := maps.Clone(managers)
	store := shim.New(copied, nil)
	clear(copied)
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	if _, err := store.Get(r, "app"); err == nil || strings.Contains(err.Error(), "no manager") {
		t.Errorf("error %v: New must copy the managers", err)
	}
}

func TestUnusual(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.save(func(session *sessions.Session) {
		session.Values["user"], session.Options.MaxAge = "ada", math.MaxInt
	})
	s.with(func(r *http.Request, session *sessions.Session) {
		if session.Values["user"] != "ada" {
			t.Error("a long MaxAge has ended the session")
		}
		// A sign-out, and a sign-in as the same user.
		session.Options.MaxAge = -1
		if err := session.Save(r, nil); err != nil || len(session.Values) > 0 {
			t.Errorf("error %v, values %v", err, session.Values)
		}
		session.Options.MaxAge, session.Values["user"] = 0, "ada"
		if err := session.Save(r, nil); err != nil || s.sm.Get(r.Context(), "user") != "ada" {
			t.Errorf("error %v, user %v", err, s.sm.Get(r.Context(), "user"))
		}
		session.Values[nil] = "x"
		if err := session.Save(r, nil); err == nil {
			t.Error("a nil key was saved")
		}
	})
}
