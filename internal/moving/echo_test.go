package moving

import (
	"net/http"

	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsecho "github.com/scskit/scskit/adapters/echo"
	"github.com/scskit/scskit/migrate/legacy"
)

func echoBefore(store sessions.Store) http.Handler {
	e := echo.New()
	e.Use(echosession.Middleware(store))
	e.POST("/sign-in", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		session.Values["user"] = c.FormValue("user")
		return session.Save(c.Request(), c.Response())
	})
	e.GET("/", func(c echo.Context) error {
		session, _ := echosession.Get("app", c)
		user, _ := session.Values["user"].(string)
		return c.String(http.StatusOK, user)
	})
	echoValues(e, func(c echo.Context) access {
		s, _ := echosession.Get("app", c)
		return gorillaSession{s, func() error { return s.Save(c.Request(), c.Response()) }}
	})
	return e
}

func echoAfter(store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	e := echo.New()
	e.Use(scsecho.LoadAndSave(manager, adapters.Adopt(old, o)))
	e.POST("/sign-in", func(c echo.Context) error {
		return scskit.SignIn(c.Request().Context(), manager, c.FormValue("user"), nil)
	})
	e.GET("/", func(c echo.Context) error {
		user := manager.GetString(c.Request().Context(), "user")
		return c.String(http.StatusOK, user)
	})
	echoValues(e, func(c echo.Context) access {
		return scsSession{manager, c.Request().Context()}
	})
	return e
}

func echoValues(e *echo.Echo, of func(c echo.Context) access) {
	e.POST("/values", func(c echo.Context) error {
		fill(c.Response(), c.Request(), of(c))
		return nil
	})
	e.GET("/values", func(c echo.Context) error {
		show(c.Response(), of(c))
		return nil
	})
}
