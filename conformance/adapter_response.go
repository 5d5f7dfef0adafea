package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scskit/scskit/adapters"
)

// adapterResponseChecks cover the ways to answer: each stores the session and sends its cookie,
// once.
var adapterResponseChecks = []check{
	{"adapter/empty", LevelAdapter, responseEmpty,
		"the cookie and the record agree: a handler that sends no response"},
	{"adapter/status-only", LevelAdapter, responseStatusOnly,
		"the cookie and the record agree: 200, 204 and 304 without a body"},
	{"adapter/status", LevelAdapter, responseStatus,
		"one behaviour everywhere: the client gets the status and the body of the handler"},
	{"adapter/large-body", LevelAdapter, responseLargeBody,
		"the cookie and the record agree: a body larger than any buffer"},
	{"adapter/redirect", LevelAdapter, responseRedirect,
		"the cookie and the record agree: sign-in pages redirect"},
	{"adapter/json", LevelAdapter, responseJSON,
		"the cookie and the record agree: the framework's JSON helper"},
	{"adapter/file", LevelAdapter, responseFile,
		"the cookie and the record agree: the framework's file helper"},
	{"adapter/head", LevelAdapter, responseHead,
		"RFC 9110 9.3.2: HEAD has the headers of GET, including the cookie"},
	{"adapter/abort", LevelAdapter, responseAbort,
		"the cookie and the record agree: a middleware that answers and ends the chain"},
	{"adapter/not-found", LevelAdapter, responseNotFound,
		"one behaviour everywhere: the page for unknown paths has a session"},
	{"adapter/not-allowed", LevelAdapter, responseNotAllowed,
		"one behaviour everywhere: the page for methods not allowed has a session"},
	{"adapter/nested", LevelAdapter, responseNested,
		"LoadAndSave: with the middleware again on a group, a request loads and stores once"},
	{"adapter/two-managers", LevelAdapter, responseTwoManagers,
		"scs.New: two managers in one request have one session each"},
	{"adapter/skip", LevelAdapter, responseSkip,
		"adapters.Skip: a request that is skipped has no session and causes no call of " +
			"the store; others are not skipped"},
	{"adapter/commits-once", LevelAdapter, responseCommitsOnce,
		"one behaviour everywhere: a request loads once and stores once"},
}

// wantStored checks that the response has a session cookie, and that the session holds the value.
func (s *site) wantStored(b *browser, a *answer, key, value string) {
	s.t.Helper()
	a.wantCookie(s.t)
	b.wantValue(key, value)
}

func responseEmpty(t *checkT) {
	s := t.newSite()
	s.route("/empty", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		return nil
	})
	s.open()
	b := s.browser()
	a := b.get("/empty")
	a.want(t, http.StatusOK, "")
	s.wantStored(b, a, "k", "v")
}

func responseStatusOnly(t *checkT) {
	s := t.newSite()
	s.route("/status", func(c Context) error {
		status, err := strconv.Atoi(c.Query("status"))
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(status, "")
	})
	s.open()
	for _, status := range []int{http.StatusOK, http.StatusNoContent, http.StatusNotModified} {
		b := s.browser()
		a := b.get("/status?status=" + strconv.Itoa(status))
		a.want(t, status, "")
		s.wantStored(b, a, "k", "v")
	}
}

func responseStatus(t *checkT) {
	s := t.newSite()
	s.route("/status", func(c Context) error {
		status, err := strconv.Atoi(c.Query("status"))
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		c.SetHeader("X-Own", "own")
		return c.Send(status, "body")
	})
	s.open()
	for _, status := range []int{http.StatusCreated, http.StatusTeapot,
		http.StatusServiceUnavailable} {
		b := s.browser()
		a := b.get("/status?status=" + strconv.Itoa(status))
		a.want(t, status, "body")
		if got := a.header.Get("X-Own"); got != "own" {
			t.Errorf("the handler's header is %q, want %q", got, "own")
		}
		s.wantStored(b, a, "k", "v")
	}
}

func responseLargeBody(t *checkT) {
	body := strings.Repeat("0123456789abcdef", 1<<16)
	s := t.newSite()
	s.route("/large", func(c Context) error {
		s.sm.Put(c.Context(), "k", "v")
		return c.Send(http.StatusOK, body)
	})
	s.open()
	b := s.browser()
	a := b.get("/large")
	a.want(t, http.StatusOK, body)
	s.wantStored(b, a, "k", "v")
}

func responseRedirect(t *checkT) {
	s := t.newSite()
	s.route("/sign-in", func(c Context) error {
		r, err := contextAs[Renderer](s, c)
		if err != nil {
			return err
		}
		if err := s.sm.RenewToken(c.Context()); err != nil {
			return err
		}
		s.sm.Put(c.Context(), "user", "ada")
		return r.Redirect(http.StatusSeeOther, "/get?k=user")
	})
	s.open()
	b := s.browser()
	a := b.get("/sign-in")
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != "/get?k=user" {
		t.Fatalf("response: status %d and Location %q, want 303 and /get?k=user", a.status, got)
	}
	a.wantCookie(t)
	b.get(a.header.Get("Location")).want(t, http.StatusOK, "ada")
}

func responseJSON(t *checkT) {
	s := t.newSite()
	s.route("/json", func(c Context) error {
		r, err := contextAs[Renderer](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return r.JSON(http.StatusAccepted, map[string]string{"answer": "yes"})
	})
	s.open()
	b := s.browser()
	a := b.get("/json")
	var got map[string]string
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusAccepted ||
		got["answer"] != "yes" {
		t.Fatalf("response: status %d, body %s, want 202 and the JSON sent", a.status,
			brief([]byte(a.body)))
	}
	if typ := a.header.Get("Content-Type"); !strings.HasPrefix(typ, "application/json") {
		t.Errorf("response: Content-Type is %q, want application/json", typ)
	}
	s.wantStored(b, a, "k", "v")
}

func responseFile(t *checkT) {
	content := bytes.Repeat([]byte("file "), 40<<10)
	name := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := t.newSite()
	s.route("/file", func(c Context) error {
		r, err := contextAs[Renderer](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return r.File(name)
	})
	s.open()
	b := s.browser()
	a := b.get("/file")
	a.want(t, http.StatusOK, string(content))
	s.wantStored(b, a, "k", "v")
}

func responseHead(t *checkT) {
	s := t.newSite()
	s.app.Routes = append(s.app.Routes,
		Route{Method: http.MethodHead, Path: "/head", Handler: func(c Context) error {
			s.sm.Put(c.Context(), "k", "v")
			return c.Send(http.StatusOK, "not sent")
		}})
	s.open()
	b := s.browser()
	a := b.do(http.MethodHead, "/head")
	a.want(t, http.StatusOK, "")
	s.wantStored(b, a, "k", "v")
}

func responseAbort(t *checkT) {
	s := t.newSite()
	s.app.Routes = append(s.app.Routes, Route{
		Method: http.MethodGet, Path: "/guarded",
		Guard: func(c Context) error {
			s.sm.Put(c.Context(), "back", "/guarded")
			return c.Send(http.StatusForbidden, c.Query("body"))
		},
		Handler: func(Context) error {
			t.Error("the handler ran after the guard had ended the chain")
			return nil
		},
	})
	s.open()
	for _, body := range []string{"", "sign in first"} {
		b := s.browser()
		a := b.get("/guarded?body=" + url.QueryEscape(body))
		a.want(t, http.StatusForbidden, body)
		s.wantStored(b, a, "back", "/guarded")
	}
}

func responseNotFound(t *checkT) {
	s := t.newSite()
	s.app.NotFound = s.page(http.StatusNotFound)
	s.open()
	s.wantPage(http.MethodGet, "/nowhere", http.StatusNotFound)
}

func responseNotAllowed(t *checkT) {
	s := t.newSite()
	s.app.NotAllowed = s.page(http.StatusMethodNotAllowed)
	s.open()
	s.wantPage(http.MethodPost, "/plain", http.StatusMethodNotAllowed)
}

// page returns an error page that reads and writes the session.
func (s *site) page(status int) Handler {
	return func(c Context) error {
		if !adapters.HasSession(c.Context(), s.sm) {
			return c.Send(status, "no session")
		}
		name := valueOf(c.Context(), s.sm, "user")
		s.sm.Put(c.Context(), "lost", "yes")
		return c.Send(status, name+" is lost")
	}
}

func (s *site) wantPage(method, path string, status int) {
	s.t.Helper()
	b := s.browser()
	b.put("user", "ada")
	a := b.do(method, path)
	a.want(s.t, status, "ada is lost")
	s.wantStored(b, a, "lost", "yes")
}

func responseNested(t *checkT) {
	s := t.newSite()
	s.app.Nested = true
	w := s.watch()
	s.open()
	b := s.browser()
	s.wantStored(b, b.put("k", "v"), "k", "v")
	finds, commits := w.count("find"), w.count("commit")
	s.wantStored(b, b.put("k", "w"), "k", "w")
	if f, c := w.count("find")-finds, w.count("commit")-commits; f != 2 || c != 1 {
		t.Errorf("a write and a read: the store got %d finds and %d commits, "+
			"want 2 and 1", f, c)
	}
}

func responseTwoManagers(t *checkT) {
	s := t.newSite()
	second := newManager(t.newStore())
	second.Cookie.Name = "admin"
	s.app.Second = second
	s.route("/both", func(c Context) error {
		s.sm.Put(c.Context(), "k", "first")
		second.Put(c.Context(), "k", "second")
		return c.Send(http.StatusOK, "both")
	})
	s.route("/values", func(c Context) error {
		return c.Send(http.StatusOK,
			valueOf(c.Context(), s.sm, "k")+" and "+valueOf(c.Context(), second, "k"))
	})
	s.open()
	b := s.browser()
	a := b.get("/both")
	a.wantCookie(t)
	if n := len(a.header["Set-Cookie"]); n != 2 {
		t.Fatalf("Set-Cookie has %d lines, want one for each manager", n)
	}
	b.get("/values").want(t, http.StatusOK, "first and second")
	b.put("k", "third")
	b.get("/values").want(t, http.StatusOK, "third and second")
}

func responseSkip(t *checkT) {
	s := t.newSite()
	s.option(adapters.Skip(func(method, path string) bool {
		return method == http.MethodGet && path == "/skip me"
	}))
	s.app.NotFound = func(c Context) error {
		if adapters.HasSession(c.Context(), s.sm) {
			return c.Send(http.StatusNotFound, "has a session")
		}
		return c.Send(http.StatusNotFound, "has none")
	}
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	calls := w.count()
	b.get("/skip%20me").want(t, http.StatusNotFound, "has none")
	if n := w.count() - calls; n != 0 {
		t.Errorf("a skipped request called the store %d times, want none", n)
	}
	b.get("/skip").want(t, http.StatusNotFound, "has a session")
	b.wantValue("k", "v")
}

func responseCommitsOnce(t *checkT) {
	s := t.newSite()
	s.app.OnError = func(c Context, _ error) error { return c.Send(http.StatusTeapot, "failed") }
	s.route("/fail", func(c Context) error {
		s.sm.Put(c.Context(), "k", "w")
		return errTeapot
	})
	w := s.watch()
	s.open()
	b := s.browser()
	for _, visit := range []struct {
		path           string
		finds, commits int
	}{
		{"/put?k=k&v=v", 0, 1},
		{"/put?k=k&v=w", 1, 1},
		{"/fail", 1, 1},
		{"/get?k=k", 1, 0},
		{"/plain", 1, 0},
	} {
		finds, commits := w.count("find"), w.count("commit")
		b.get(visit.path)
		if f, c := w.count("find")-finds, w.count("commit")-commits; f != visit.finds ||
			c != visit.commits {
			t.Errorf("%s: the store got %d finds and %d commits, want %d and %d",
				visit.path, f, c, visit.finds, visit.commits)
		}
	}
}
