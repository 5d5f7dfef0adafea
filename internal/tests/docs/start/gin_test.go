package start_test

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	scsgin "github.com/scskit/scskit/adapters/gin"
)

func onGin(store *scskit.Store, sessions *scs.SessionManager) visit {
	gin.SetMode(gin.ReleaseMode)

	r := gin.New()
	r.Use(gin.Logger(), gin.Recovery(), scsgin.LoadAndSave(sessions))

	r.POST("/sign-in", func(c *gin.Context) {
		ctx := c.Request.Context()
		// Check the password first.
		if err := scskit.SignIn(ctx, sessions, c.PostForm("name"), nil); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		sessions.Put(ctx, "flash", "Welcome!")
		c.Redirect(http.StatusSeeOther, "/")
	})

	r.GET("/", func(c *gin.Context) {
		ctx := c.Request.Context()
		flash := sessions.PopString(ctx, "flash") // shown once
		c.String(http.StatusOK, "%s Hello %s\n", flash, sessions.GetString(ctx, "user"))
	})

	signedIn := func(c *gin.Context) {
		if !sessions.Exists(c.Request.Context(), "user") {
			c.AbortWithStatus(http.StatusUnauthorized)
		}
	}

	r.POST("/sign-out", signedIn, func(c *gin.Context) {
		if err := scskit.SignOut(c.Request.Context(), sessions); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})

	r.POST("/sign-out-everywhere", signedIn, func(c *gin.Context) {
		if err := signOutEverywhere(c.Request.Context(), store, sessions); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})

	return onHandler(r)
}
