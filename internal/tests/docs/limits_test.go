package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"

	"github.com/scskit/scskit/adapters"
	scsecho "github.com/scskit/scskit/adapters/echo"
	scsechov5 "github.com/scskit/scskit/adapters/echov5"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	scsfiberv3 "github.com/scskit/scskit/adapters/fiberv3"
	scsgin "github.com/scskit/scskit/adapters/gin"
)

// docs/security.md has a table of how each framework puts the client into the context.

type tooMany struct{}

func (tooMany) Error() string   { return "too many requests" }
func (tooMany) StatusCode() int { return http.StatusTooManyRequests }

type clientKey struct{}

// limited are applications with a client's address in the context and a limiter that refuses with
// the error tooMany.
var limited = map[string]func(*testing.T, *scs.SessionManager, adapters.Limits,
	*http.Request) *http.Response{
	"gin": func(_ *testing.T, sessions *scs.SessionManager, limits adapters.Limits,
		req *http.Request) *http.Response {
		r := gin.New()
		r.Use(func(c *gin.Context) {
			ctx := context.WithValue(c.Request.Context(), clientKey{}, c.ClientIP())
			c.Request = c.Request.WithContext(ctx)
			c.Next()
		}, scsgin.LoadAndSave(sessions, adapters.Limit(limits)))
		r.GET("/", func(*gin.Context) {})
		recorder := httptest.NewRecorder()
		r.ServeHTTP(recorder, req)
		return recorder.Result()
	},
	"echo": func(_ *testing.T, sessions *scs.SessionManager, limits adapters.Limits,
		req *http.Request) *http.Response {
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				ctx := context.WithValue(c.Request().Context(), clientKey{}, c.RealIP())
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}, scsecho.LoadAndSave(sessions, adapters.Limit(limits)))
		e.GET("/", func(echo.Context) error { return nil })
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, req)
		return recorder.Result()
	},
	"echov5": func(_ *testing.T, sessions *scs.SessionManager, limits adapters.Limits,
		req *http.Request) *http.Response {
		e := echov5.New()
		e.Use(func(next echov5.HandlerFunc) echov5.HandlerFunc {
			return func(c *echov5.Context) error {
				ctx := context.WithValue(c.Request().Context(), clientKey{}, c.RealIP())
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}, scsechov5.LoadAndSave(sessions, adapters.Limit(limits)))
		e.GET("/", func(*echov5.Context) error { return nil })
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, req)
		return recorder.Result()
	},
	"fiber": func(t *testing.T, sessions *scs.SessionManager, limits adapters.Limits,
		req *http.Request) *http.Response {
		app := fiber.New()
		app.Use(func(c *fiber.Ctx) error {
			c.SetUserContext(context.WithValue(c.UserContext(), clientKey{}, c.IP()))
			return c.Next()
		}, scsfiber.LoadAndSave(sessions, adapters.Limit(limits)))
		app.Get("/", func(*fiber.Ctx) error { return nil })
		response, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		return response
	},
	"fiberv3": func(t *testing.T, sessions *scs.SessionManager, limits adapters.Limits,
		req *http.Request) *http.Response {
		app := fiberv3.New()
		app.Use(func(c fiberv3.Ctx) error {
			c.SetContext(context.WithValue(c.Context(), clientKey{}, c.IP()))
			return c.Next()
		}, scsfiberv3.LoadAndSave(sessions, adapters.Limit(limits)))
		app.Get("/", func(fiberv3.Ctx) error { return nil })
		response, err := app.Test(req, fiberv3.TestConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return response
	},
}

func TestLimited(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, serve := range limited {
		t.Run(name, func(t *testing.T) {
			client := ""
			limits := adapters.Limits{Unknown: func(ctx context.Context) error {
				client, _ = ctx.Value(clientKey{}).(string)
				return tooMany{}
			}}
			guess := httptest.NewRequest(http.MethodGet, "/", nil)
			guess.AddCookie(&http.Cookie{Name: "session", Value: "guess"})
			for _, tt := range []struct {
				request *http.Request
				want    int
			}{
				{httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK},
				{guess, http.StatusTooManyRequests},
			} {
				response := serve(t, newUsers(t), limits, tt.request)
				_ = response.Body.Close()
				if response.StatusCode != tt.want {
					t.Errorf("status %d, want %d", response.StatusCode, tt.want)
				}
			}
			if client == "" {
				t.Error("the limiter does not know the client")
			}
		})
	}
}
