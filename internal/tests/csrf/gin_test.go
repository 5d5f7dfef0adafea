package csrf_test

import (
	"io"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/csrf"

	scsgin "github.com/scskit/scskit/adapters/gin"
)

// Gin has no CSRF middleware of its own.
var onGin = []protection{
	{name: "gin/CrossOriginProtection", orders: both, app: ginCrossOrigin, noOrigin: true},
	{name: "gin/gorilla", orders: []order{outside}, app: ginGorilla, cookie: "__Host-csrf",
		needsPage: true},
}

func newGin() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = io.Discard
	return gin.New()
}

func ginRoutes(r *gin.Engine, sessions *scs.SessionManager, token func(*http.Request) string) {
	mux := gin.WrapH(routes(sessions, token))
	for _, path := range []string{"/", "/form"} {
		r.GET(path, mux)
	}
	for _, path := range []string{"/note", "/sign-in", "/sign-out"} {
		r.POST(path, mux)
	}
}

// crossOrigin refuses requests from pages of other origins, except GET, HEAD and OPTIONS.
func crossOrigin(protection *http.CrossOriginProtection) gin.HandlerFunc {
	return func(c *gin.Context) {
		if protection.Check(c.Request) != nil {
			c.AbortWithStatus(http.StatusForbidden)
		}
	}
}

func ginCrossOrigin(sessions *scs.SessionManager, o order) serve {
	r := newGin()
	protection := http.NewCrossOriginProtection()
	if o == inside {
		r.Use(scsgin.LoadAndSave(sessions), crossOrigin(protection))
	} else {
		r.Use(crossOrigin(protection), scsgin.LoadAndSave(sessions))
	}
	ginRoutes(r, sessions, noToken)
	return handler(r)
}

func ginGorilla(sessions *scs.SessionManager, _ order) serve {
	r, key := newGin(), newKey()
	r.Use(scsgin.LoadAndSave(sessions))
	ginRoutes(r, sessions, csrf.Token) // of c.Request
	protect := csrf.Protect(key, csrf.CookieName("__Host-csrf"), csrf.Path("/"))
	app := protect(r) // pass it to http.Server, in place of r.Run
	return handler(app)
}
