package moving

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	gincookie "github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

// gorillaUnchanged and the functions like it are diffs of docs/moving.md. routes has the handlers.
func gorillaUnchanged(
	store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions,
	routes func(sessions.Store) http.Handler,
) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	over := shim.New(shim.Managers{"app": manager}, nil)
	return scshttp.LoadAndSave(manager, adapters.Adopt(old, o))(routes(over))
}

func echoUnchanged(
	store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions,
	routes func(*echo.Echo),
) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	over := shim.New(shim.Managers{"app": manager}, nil)
	e := echo.New()
	e.Use(scsecho.LoadAndSave(manager, adapters.Adopt(old, o)))
	e.Use(echosession.Middleware(over))
	routes(e)
	return e
}

func gorillaOld(store sessions.Store, routes func(sessions.Store) http.Handler) http.Handler {
	return routes(store)
}

func echoOld(store sessions.Store, routes func(*echo.Echo)) http.Handler {
	e := echo.New()
	e.Use(echosession.Middleware(store))
	routes(e)
	return e
}

// site is an application with handlers that do not change.
type site struct {
	name string
	old  func(pause func()) http.Handler
	over func(backend *scskit.Store, pause func()) http.Handler
}

func sites() []site {
	plain := sessions.NewCookieStore(firstKey)
	plain.Options.Secure = false
	ofGin := gincookie.NewStore(firstKey)
	o := adapters.AdoptOptions{}
	gorillaRoutes := func(pause func()) func(sessions.Store) http.Handler {
		return func(s sessions.Store) http.Handler { return gorillaSite(s, pause) }
	}
	ginRoutes := func(pause func()) func(*gin.Engine) {
		return func(r *gin.Engine) { ginSite(r, pause) }
	}
	echoRoutes := func(pause func()) func(*echo.Echo) {
		return func(e *echo.Echo) { echoSite(e, pause) }
	}
	return []site{{
		"gorilla",
		func(pause func()) http.Handler { return gorillaOld(plain, gorillaRoutes(pause)) },
		func(s *scskit.Store, pause func()) http.Handler {
			return gorillaUnchanged(plain, s, o, gorillaRoutes(pause))
		},
	}, {
		"gin",
		func(pause func()) http.Handler { return ginOld(ofGin, ginRoutes(pause)) },
		func(s *scskit.Store, pause func()) http.Handler {
			return ginUnchanged(ofGin, s, o, ginRoutes(pause))
		},
	}, {
		"echo",
		func(pause func()) http.Handler { return echoOld(plain, echoRoutes(pause)) },
		func(s *scskit.Store, pause func()) http.Handler {
			return echoUnchanged(plain, s, o, echoRoutes(pause))
		},
	}}
}

// visitor is a browser of a site.
type visitor struct {
	*testing.T
	url    string
	client *http.Client
}

func visit(t *testing.T, h http.Handler) *visitor {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	return &visitor{t, server.URL, &http.Client{Jar: jar}}
}

// do posts a key and a value, and returns the response.
func (v *visitor) do(path, key, value string) string {
	v.Helper()
	res, err := v.client.PostForm(v.url+path, url.Values{"k": {key}, "v": {value}})
	if err != nil {
		v.Error(err)
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		v.Errorf("%s: status %d, %s, %v", path, res.StatusCode, body, err)
	}
	return string(body)
}

// TestUnchanged makes the same requests with the old store and over scskit.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	steps := [][3]string{
		{"/get", "user"}, {"/put", "a", "1"}, {"/put", "b", "2"}, {"/get", "a"}, {"/get", "b"},
		{"/unsaved", "c", "3"}, {"/get", "c"}, {"/flashes"}, {"/flash", "", "saved"},
		{"/flash", "", "again"}, {"/flashes"}, {"/flashes"}, {"/sign-in", "", "ada"},
		{"/get", "user"}, {"/get", "a"}, {"/put", "a", "4"}, {"/get", "a"}, {"/clear"},
		{"/get", "user"}, {"/put", "a", "5"}, {"/get", "a"}, {"/sign-in", "", "ada"},
		{"/get", "user"}, {"/sign-out"}, {"/get", "user"}, {"/get", "a"}, {"/put", "z", "6"},
		{"/get", "z"},
	}
	for _, s := range sites() {
		run := func(h http.Handler) string {
			v := visit(t, h)
			steps := steps
			if s.name == "gin" {
				steps = append([][3]string{{"/put", "d", "1"}, {"/delete", "d"}, {"/get", "d"}}, steps...)
			}
			var all strings.Builder
			for i, step := range steps {
				fmt.Fprintf(&all, "%d: %v: %s\n", i, step, v.do(step[0], step[1], step[2]))
			}
			return all.String()
		}
		none := func() {}
		if old, over := run(s.old(none)), run(s.over(newBackend(t), none)); old != over {
			t.Errorf("%s: with the old store:\n%s\nover scskit:\n%s", s.name, old, over)
		} else if !strings.Contains(old, "[saved again]") || !strings.Contains(old, "ada") {
			t.Errorf("%s:\n%s", s.name, old)
		}
	}
}

// TestWriters has 50 requests that all have the session before one of them saves it.
func TestWriters(t *testing.T) {
	t.Parallel()
	const writers = 50
	for _, s := range sites() {
		var loaded sync.WaitGroup
		loaded.Add(writers)
		v := visit(t, s.over(newBackend(t), func() { loaded.Done(); loaded.Wait() }))
		v.do("/sign-in", "", "ada")
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { v.do("/slow", fmt.Sprint("k", i), fmt.Sprint("v", i)) })
		}
		all.Wait()
		for i := range writers {
			if got, want := v.do("/get", fmt.Sprint("k", i), ""), fmt.Sprint("v", i); !strings.HasPrefix(
				got, want) {
				t.Errorf("%s: k%d is %s, want %s", s.name, i, got, want)
			}
		}
		if got := v.do("/get", "user", ""); !strings.HasPrefix(got, "ada") {
			t.Errorf("%s: the user is %s", s.name, got)
		}
	}
}

// TestSignOutWriters signs out while requests have the session, and save it later.
func TestSignOutWriters(t *testing.T) {
	t.Parallel()
	const writers = 10
	for _, s := range sites() {
		loaded, signedOut := make(chan bool, writers), make(chan bool)
		backend := newBackend(t)
		v := visit(t, s.over(backend, func() { loaded <- true; <-signedOut }))
		v.do("/sign-in", "", "ada")
		v.do("/put", "k", "v")
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { v.do("/slow", fmt.Sprint("k", i), "v") })
		}
		for range writers {
			<-loaded
		}
		at, _ := url.Parse(v.url)
		cookies := v.client.Jar.Cookies(at)
		v.do("/sign-out", "", "")
		close(signedOut)
		all.Wait()
		if stored, err := backend.All(); err != nil || len(stored) != 0 {
			t.Errorf("%s: %d sessions, %v, want none", s.name, len(stored), err)
		}
		v.client.Jar.SetCookies(at, cookies) // as if the browser had kept it
		for _, key := range []string{"user", "k", "k0"} {
			if got := v.do("/get", key, ""); !strings.HasPrefix(got, "<nil>") {
				t.Errorf("%s: %s is %s after the sign-out", s.name, key, got)
			}
		}
	}
}

// TestPlanted signs a user in with a session that somebody else has planted.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for _, s := range sites() {
		v := visit(t, s.over(newBackend(t), func() {}))
		v.do("/put", "k", "v")
		at, _ := url.Parse(v.url)
		planted := v.client.Jar.Cookies(at)
		v.do("/sign-in", "", "ada")
		if got := v.do("/get", "k", ""); !strings.HasPrefix(got, "v") {
			t.Errorf("%s: k is %s after the sign-in", s.name, got)
		}
		v.client.Jar.SetCookies(at, planted)
		if got := v.do("/get", "user", ""); !strings.HasPrefix(got, "<nil>") {
			t.Errorf("%s: the planted cookie opens the session of %s", s.name, got)
		}
	}
}
