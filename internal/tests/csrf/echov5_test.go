package csrf_test

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	scsecho "github.com/scskit/scskit/adapters/echov5"
)

var onEchoV5 = []protection{
	{name: "echov5/CrossOriginProtection", orders: both, app: echoV5CrossOrigin, noOrigin: true},
	{name: "echov5/CSRF", orders: both, app: echoV5CSRF, cookie: "__Host-csrf", metadata: true},
}

func echoV5CrossOrigin(sessions *scs.SessionManager, o order) serve {
	e := echo.New()
	protection := http.NewCrossOriginProtection()
	if o == inside {
		e.Use(scsecho.LoadAndSave(sessions), echo.WrapMiddleware(protection.Handler))
	} else {
		e.Use(echo.WrapMiddleware(protection.Handler), scsecho.LoadAndSave(sessions))
	}
	e.Any("/*", echo.WrapHandler(routes(sessions, noToken)))
	return handler(e)
}

func echoV5CSRF(sessions *scs.SessionManager, o order) serve {
	e := echo.New()
	protect := middleware.CSRFWithConfig(middleware.CSRFConfig{
		CookieName: "__Host-csrf", CookiePath: "/", CookieSecure: true, CookieHTTPOnly: true,
		CookieSameSite: http.SameSiteLaxMode,
	})
	if o == inside {
		e.Use(scsecho.LoadAndSave(sessions), protect)
	} else {
		e.Use(protect, scsecho.LoadAndSave(sessions))
	}
	e.GET("/form", func(c *echo.Context) error {
		page(c.Request().Context(), sessions)
		token, _ := c.Get("csrf").(string)
		return c.String(http.StatusOK, token)
	})
	e.Any("/*", echo.WrapHandler(routes(sessions, noToken)))
	return handler(e)
}
