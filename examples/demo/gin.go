package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	scsgin "github.com/scskit/scskit/adapters/gin"
)

// mountGin serves the routes on Gin.
func mountGin(a *app, name string) http.Handler {
	gin.SetMode(gin.ReleaseMode) // no route table in the terminal
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.Use(gin.Recovery())
	engine.Use(scsgin.LoadAndSave(a.sessions))
	r := engine.Group("/gin")
	r.GET("/session", func(c *gin.Context) {
		c.JSON(http.StatusOK, a.view(c.Request.Context()))
	})
	for path, action := range a.actions() {
		r.POST("/"+path, func(c *gin.Context) {
			err := action(c.Request.Context(), change{
				By:    name,
				Key:   c.PostForm("key"),
				Value: c.PostForm("value"),
				Gate:  c.PostForm("gate"),
			})
			if err != nil {
				code, text := status(err)
				c.String(code, "%s", text)
				return
			}
			c.Redirect(http.StatusSeeOther, back(c.GetHeader(requestIDHeader)))
		})
	}
	return engine
}
