package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// docs/frameworks.md contains this code.

func differentOptions(r *gin.Engine, sessions *scs.SessionManager,
	onError func(context.Context, error) error, home, pay, name gin.HandlerFunc) {
	with := func(more ...adapters.Option) gin.HandlerFunc {
		shared := []adapters.Option{adapters.OnError(onError), adapters.RenewEvery(15 * time.Minute)}
		return scsgin.LoadAndSave(sessions, append(shared, more...)...)
	}

	site := r.Group("/", with(adapters.HostCookie()))
	site.GET("/", home)

	checkout := r.Group("/checkout", with(adapters.HostCookie(), adapters.Lock(scskit.LockOptions{})))
	checkout.POST("/pay", pay)

	api := r.Group("/api", with(adapters.Tokens(adapters.InBearer(""))))
	api.GET("/name", name)
}

func newUsers(t *testing.T) *scs.SessionManager {
	t.Helper()
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	return scskit.New(store)
}

func TestDifferentOptions(t *testing.T) {
	sessions := newUsers(t)
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	show := func(c *gin.Context) {
		c.String(http.StatusOK, sessions.GetString(c.Request.Context(), "user"))
	}
	inside, most := make(chan struct{}, 8), 0
	pay := func(c *gin.Context) {
		inside <- struct{}{}
		time.Sleep(5 * time.Millisecond)
		most = max(most, len(inside)) // no race, since the requests take turns
		<-inside
		show(c)
	}
	differentOptions(r, sessions, func(_ context.Context, err error) error {
		t.Error(err)
		return nil
	}, show, pay, show)

	browser := sessiontest.SignIn(t, sessions, "ada", nil, adapters.HostCookie())
	program := sessiontest.SignIn(t, sessions, "bob", nil).InBearer("")
	for _, visit := range []struct {
		session      *sessiontest.Session
		method, path string
		want         string
	}{
		{browser, http.MethodGet, "/", "ada"},
		{browser, http.MethodPost, "/checkout/pay", "ada"},
		{browser, http.MethodGet, "/api/name", ""},
		{program, http.MethodGet, "/api/name", "bob"},
		{program, http.MethodGet, "/", ""},
	} {
		recorder := httptest.NewRecorder()
		r.ServeHTTP(recorder, visit.session.Request(visit.method, visit.path, nil))
		if recorder.Code != http.StatusOK || recorder.Body.String() != visit.want {
			t.Errorf("%s: status %d, %q, want %q", visit.path, recorder.Code, recorder.Body, visit.want)
		}
	}

	done := make(chan int)
	const requests = 4
	for range requests {
		request := browser.Request(http.MethodPost, "/checkout/pay", nil)
		go func() {
			recorder := httptest.NewRecorder()
			r.ServeHTTP(recorder, request)
			done <- recorder.Code
		}()
	}
	for range requests {
		if code := <-done; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
	if most != 1 {
		t.Errorf("%d requests of a session pay at once", most)
	}
}

// TestGinNoRoute tests which of Gin's error pages have a session.
func TestGinNoRoute(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, tt := range map[string]struct {
		routes func(r *gin.Engine, session, page gin.HandlerFunc)
		want   bool
	}{
		"in Use of the engine": {func(r *gin.Engine, session, page gin.HandlerFunc) {
			r.Use(session)
			r.NoRoute(page)
			r.NoMethod(page)
			r.GET("/known", page)
		}, true},
		"in Use after NoRoute": {func(r *gin.Engine, session, page gin.HandlerFunc) {
			r.NoRoute(page)
			r.NoMethod(page)
			r.Use(session)
			r.GET("/known", page)
		}, true},
		"in a group": {func(r *gin.Engine, session, page gin.HandlerFunc) {
			r.Group("/", session).GET("/known", page)
			r.NoRoute(page)
			r.NoMethod(page)
		}, false},
		"in a group and in NoRoute": {func(r *gin.Engine, session, page gin.HandlerFunc) {
			r.Group("/", session).GET("/known", page)
			r.NoRoute(session, page)
			r.NoMethod(session, page)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			sessions := newUsers(t)
			r := gin.New()
			r.HandleMethodNotAllowed = true
			has := false
			tt.routes(r, scsgin.LoadAndSave(sessions), func(c *gin.Context) {
				has = adapters.HasSession(c.Request.Context(), sessions)
			})
			for path, want := range map[string]int{
				"/unknown": http.StatusNotFound, "/known": http.StatusMethodNotAllowed,
			} {
				has = !tt.want
				recorder := httptest.NewRecorder()
				r.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, path, nil))
				if recorder.Code != want || has != tt.want {
					t.Errorf("%s: status %d, want %d; has a session: %v, want %v", path, recorder.Code,
						want, has, tt.want)
				}
			}
		})
	}
}
