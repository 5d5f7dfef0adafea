package main

import (
	"net/http"

	"github.com/labstack/echo/v4"

	scsecho "github.com/scskit/scskit/adapters/echo"
)

// mountEcho serves the routes on Echo v4.
func mountEcho(a *app, name string) http.Handler {
	e := echo.New()
	e.Use(scsecho.LoadAndSave(a.sessions))
	r := e.Group("/echo")
	r.GET("/session", func(c echo.Context) error {
		return c.JSON(http.StatusOK, a.view(c.Request().Context()))
	})
	for path, action := range a.actions() {
		r.POST("/"+path, func(c echo.Context) error {
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
