package moving

import (
	"net/http"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/migrate/legacy"
)

func ginBefore(store sessions.Store) http.Handler {
	r := gin.New()
	r.Use(sessions.Sessions("app", store))
	r.POST("/sign-in", func(c *gin.Context) {
		session := sessions.Default(c)
		session.Set("user", c.PostForm("user"))
		if err := session.Save(); err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
		}
	})
	r.GET("/", func(c *gin.Context) {
		user, _ := sessions.Default(c).Get("user").(string)
		c.String(http.StatusOK, "%s", user)
	})
	ginValues(r, func(c *gin.Context) access {
		return ginSession{sessions.Default(c)}
	})
	return r
}

func ginAfter(store sessions.Store, backend *scskit.Store, o adapters.AdoptOptions) http.Handler {
	manager := scskit.New(backend)
	manager.Cookie.Name = "id"
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{})
	r := gin.New()
	r.Use(scsgin.LoadAndSave(manager, adapters.Adopt(old, o)))
	r.POST("/sign-in", func(c *gin.Context) {
		ctx := c.Request.Context()
		if err := scskit.SignIn(ctx, manager, c.PostForm("user"), nil); err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
		}
	})
	r.GET("/", func(c *gin.Context) {
		user := manager.GetString(c.Request.Context(), "user")
		c.String(http.StatusOK, "%s", user)
	})
	ginValues(r, func(c *gin.Context) access {
		return scsSession{manager, c.Request.Context()}
	})
	return r
}

func ginValues(r *gin.Engine, of func(c *gin.Context) access) {
	r.POST("/values", func(c *gin.Context) { fill(c.Writer, c.Request, of(c)) })
	r.GET("/values", func(c *gin.Context) { show(c.Writer, of(c)) })
}
