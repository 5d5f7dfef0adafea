package start_test

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/scskit/scskit"
	scsecho "github.com/scskit/scskit/adapters/echo"
)

func onEcho(store *scskit.Store, sessions *scs.SessionManager) visit {
	e := echo.New()
	e.Use(middleware.Recover(), scsecho.LoadAndSave(sessions))

	e.POST("/sign-in", func(c echo.Context) error {
		ctx := c.Request().Context()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, c.FormValue("name"), nil); err != nil {
			return err
		}
		sessions.Put(ctx, "flash", "Welcome!")
		return c.Redirect(http.StatusSeeOther, "/")
	})

	e.GET("/", func(c echo.Context) error {
		ctx := c.Request().Context()
		flash := sessions.PopString(ctx, "flash") // shown once
		return c.String(http.StatusOK, flash+" Hello "+sessions.GetString(ctx, "user")+"\n")
	})

	signedIn := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !sessions.Exists(c.Request().Context(), "user") {
				return c.NoContent(http.StatusUnauthorized)
			}
			return next(c)
		}
	}

	e.POST("/sign-out", func(c echo.Context) error {
		if err := scskit.SignOut(c.Request().Context(), sessions); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	}, signedIn)

	e.POST("/sign-out-everywhere", func(c echo.Context) error {
		if err := signOutEverywhere(c.Request().Context(), store, sessions); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	}, signedIn)

	return onHandler(e)
}
