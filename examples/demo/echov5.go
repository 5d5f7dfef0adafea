package main

import (
	"net/http"

	"github.com/labstack/echo/v5"

	scsecho "github.com/scskit/scskit/adapters/echov5"
)

// mountEchoV5 serves the routes on Echo v5.
func mountEchoV5(a *app, name string) http.Handler {
	e := echo.New()
	e.Use(scsecho.LoadAndSave(a.sessions))
	r := e.Group("/echov5")
	r.GET("/session", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, a.view(c.Request().Context()))
	})
	for path, action := range a.actions() {
		r.POST("/"+path, func(c *echo.Context) error {
			err := action(c.Request().Context(), change{
				By:    name,
				Key:   c.FormValue("key"),
				Value: c.FormValue("value"),
				Gate:  c.FormValue("gate"),
			})
			if err != nil {
				return c.String(status(err))
			}
			return c.Redirect(http.StatusSeeOther, back(c.Request().Header.Get(requestIDHeader)))
		})
	}
	return e
}
