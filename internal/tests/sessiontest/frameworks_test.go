// Package sessiontest_test uses package sessiontest on every framework.
package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scschi "github.com/scskit/scskit/adapters/chi"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scsechov5 "github.com/scskit/scskit/adapters/echov5"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	scsfiberv3 "github.com/scskit/scskit/adapters/fiberv3"
	scsgin "github.com/scskit/scskit/adapters/gin"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

// A framework serves one request with a handler that copies the key "user" to the key "seen".
type framework func(t *testing.T, sm *scs.SessionManager, r *http.Request,
	opts ...adapters.Option) *http.Response

func serve(h http.Handler, r *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Result()
}

var frameworks = map[string]framework{
	"net/http": func(_ *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "seen", sm.GetString(r.Context(), "user"))
		})
		return serve(scshttp.LoadAndSave(sm, opts...)(handler), r)
	},
	"chi": func(_ *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		router := chi.NewRouter()
		router.Use(scschi.LoadAndSave(sm, opts...))
		router.Get("/", func(_ http.ResponseWriter, r *http.Request) {
			sm.Put(r.Context(), "seen", sm.GetString(r.Context(), "user"))
		})
		return serve(router, r)
	},
	"gin": func(_ *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		gin.SetMode(gin.ReleaseMode)
		engine := gin.New()
		engine.Use(scsgin.LoadAndSave(sm, opts...))
		engine.GET("/", func(c *gin.Context) {
			sm.Put(c.Request.Context(), "seen", sm.GetString(c.Request.Context(), "user"))
		})
		return serve(engine, r)
	},
	"echo": func(_ *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		e := echo.New()
		e.Use(scsecho.LoadAndSave(sm, opts...))
		e.GET("/", func(c echo.Context) error {
			sm.Put(c.Request().Context(), "seen", sm.GetString(c.Request().Context(), "user"))
			return c.NoContent(http.StatusOK)
		})
		return serve(e, r)
	},
	"echov5": func(_ *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		e := echov5.New()
		e.Use(scsechov5.LoadAndSave(sm, opts...))
		e.GET("/", func(c *echov5.Context) error {
			sm.Put(c.Request().Context(), "seen", sm.GetString(c.Request().Context(), "user"))
			return c.NoContent(http.StatusOK)
		})
		return serve(e, r)
	},
	"fiber": func(t *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		app := fiber.New()
		app.Use(scsfiber.LoadAndSave(sm, opts...))
		app.Get("/", func(c *fiber.Ctx) error {
			sm.Put(c.UserContext(), "seen", sm.GetString(c.UserContext(), "user"))
			return nil
		})
		response, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		return response
	},
	"fiberv3": func(t *testing.T, sm *scs.SessionManager, r *http.Request,
		opts ...adapters.Option) *http.Response {
		app := fiberv3.New()
		app.Use(scsfiberv3.LoadAndSave(sm, opts...))
		app.Get("/", func(c fiberv3.Ctx) error {
			sm.Put(c, "seen", sm.GetString(c, "user"))
			return nil
		})
		response, err := app.Test(r, fiberv3.TestConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return response
	},
}

func TestFrameworks(t *testing.T) {
	for name, serve := range frameworks {
		t.Run(name, func(t *testing.T) {
			store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
			if err != nil {
				t.Fatal(err)
			}
			sm := scskit.New(store)
			test := func(s *sessiontest.Session, want string, opts ...adapters.Option) {
				t.Helper()
				response := serve(t, sm, s.Request(http.MethodGet, "/", nil), opts...)
				defer response.Body.Close()
				s.Receive(response)
				if response.StatusCode != http.StatusOK || s.Get("seen") != want {
					t.Errorf("status %d, the session holds %v", response.StatusCode, s.Values())
				}
			}
			tokens := adapters.Tokens(adapters.InHeader("X-Token"), adapters.InBearer(""))
			test(sessiontest.New(t, sm, map[string]any{"user": "ada"}), "ada")
			test(sessiontest.SignIn(t, sm, "ada", nil), "ada")
			test(sessiontest.SignIn(t, sm, "ada", nil).InHeader("X-Token"), "ada", tokens)
			test(sessiontest.SignIn(t, sm, "ada", nil).InBearer(""), "ada", tokens)
			test(sessiontest.New(t, sm, nil).InHeader("X-Token"), "", tokens)
			test(sessiontest.New(t, sm, nil).InBearer(""), "", tokens)
		})
	}
}
